"""What a model says of itself beside its weights, in a run's folder as in an exported file."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from jaxsent import __version__
from jaxsent.errors import UserError, shown
from jaxsent.run.provenance import UNTESTED, Provenance, provenance
from jaxsent.run.ranges import RANGES

LICENCE = (
    "These weights come from the photographs ({data}) and the initial weights ({init}) that they "
    "were trained on, whose licences apply to them; jaxsent's code is Apache-2.0."
)
KEY = "jaxsent"
"""Where formats with a dictionary of texts keep what `metadata` says, as JSON."""
LONGEST_NAME = 100  # characters, which are at most 400 bytes as UTF-8
_PATHLIKE = re.compile(r"^[.~]|[/\\:]")
TOLD = ("accuracy", "accuracy_interval", "count", "majority", "split")
"""Of a run's results, what an exported file tells."""
LARGEST = 8192  # pixels of a side: more is a damaged file


class Rules(NamedTuple):
    """When an answer is one to rely on; None where it was never measured.

    Attributes:
      sure: the least probability of an answer that is called sure.
      strangeness: of a picture beyond which it is called unlike those of training.
    """

    sure: float | None = None
    strangeness: float | None = None


class Card(NamedTuple):
    """What prediction asks of a model.

    Attributes:
      classes: K names of the classification branch.
      emotions: C names of the detection branch, none without one.
      resize: pixels of the shorter side before the crop; 0: the whole is squashed to a square.
      image_size: side of the central crop that the network sees.
      interpolation: for enlarging.
      ratings: R names of ratings that it predicts beside the classes.
      rules: when its answers are to be relied on.
      provenance: what it was trained on, and how good it is.
    """

    classes: tuple[str, ...]
    emotions: tuple[str, ...]
    resize: int
    image_size: int
    interpolation: str
    ratings: tuple[str, ...] = ()
    rules: Rules = Rules()
    provenance: Provenance = Provenance("pictures of unknown origin", "unknown", UNTESTED)


def metadata(config: dict, results: dict | None = None) -> dict:
    """config.json of a run -> the parts of it that prediction needs, in the same places.

    `results` are report/results.json's; the numbers of them that a card tells come along.

    An exported file carries them, so that `card_of` reads both. No path of the machine that trained
    is among them.
    """
    init = config.get("init", {})
    start = Path(init.get("weights") or init.get("checkpoint") or "random").name
    name = config["data"]["name"]
    return {
        "jaxsent": __version__,
        "model": config["model"],
        "input": config["input"],
        "labels": config["labels"],
        "data": {"name": name, "image_size": config["data"]["image_size"]},
        "eval": {"resize": config["eval"]["resize"]},
        "licence": LICENCE.format(data=name, init=start),
        "results": {key: results[key] for key in TOLD if key in results} if results else {},
    }


def read_metadata(text: str | bytes | None, file: Path) -> dict:
    """The JSON that `metadata` made, from a file's own place for it.

    Raises:
      UserError: there is none, or it is damaged.
    """
    if not text:
        raise UserError(
            f"{file}: expected labels and preprocessing in its metadata, found none; it is not a "
            "file that `jaxsent export` wrote."
        )
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise UserError(f"{file}: the metadata in it is damaged.")
    return metadata


def card_of(metadata: dict, file: Path) -> Card:
    """config.json of a run, or the metadata of a file, -> its card.

    Raises:
      UserError: a part is missing or no such thing.
    """
    try:
        card = Card(
            classes=_names(metadata["labels"]["classes"]),
            emotions=_names(metadata["labels"]["emotions"]),
            resize=int(metadata["eval"]["resize"]),
            image_size=int(metadata["data"]["image_size"]),
            interpolation=metadata["input"]["interpolation"],
            ratings=_names(list(metadata.get("model", {}).get("regress", ()))),
            rules=_rules(metadata.get("rules", {})),
            provenance=provenance(metadata),
        )
        for key in ("mean", "std"):
            numbers = metadata["input"].get(key, (1.0, 1.0, 1.0))
            if len(numbers) != 3 or not all(v in RANGES[f"input.{key}"] for v in numbers):
                raise ValueError(f"input.{key}={numbers}")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{file}: what it says of its model is damaged ({shown(repr(error), 200)})."
        ) from None
    if not card.classes:
        raise UserError(
            f"{file}: its network has no classes; expected one that classifies photographs."
        )
    fits = 0 < card.image_size <= (card.resize or card.image_size) <= LARGEST
    if not fits or card.interpolation not in ("bilinear", "bicubic"):
        geometry = shown(card[2:5])
        raise UserError(f"{file}: no network sees images of {geometry}; its metadata is damaged.")
    return card


def _names(names) -> tuple[str, ...]:
    """Names of classes, which become names of files: none leads out of a folder."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names {names!r}"[:80])
    for name in names:
        if not (0 < len(name) <= LONGEST_NAME and name.isprintable()) or _PATHLIKE.search(name):
            raise ValueError(f"the name {name[:80]!r}")
    if len(set(names)) < len(names):
        raise ValueError("a name twice")
    return tuple(names)


def _rules(rules: dict) -> Rules:
    known = {key: float(rules[key]) for key in Rules._fields if rules.get(key) is not None}
    return Rules(**known)
