"""What a model says of itself beside its weights, in a run's folder as in an exported file."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from jaxsent import __version__
from jaxsent.errors import UserError
from jaxsent.run.ranges import RANGES

LICENCE = (
    "These weights come from the photographs ({data}) and the initial weights ({init}) that they "
    "were trained on, whose licences apply to them; jaxsent's code is Apache-2.0."
)
KEY = "jaxsent"
"""Where formats with a dictionary of texts keep what `metadata` says, as JSON."""
LONGEST_NAME = 100  # characters, which are at most 400 bytes as UTF-8
_PATHLIKE = re.compile(r"^[.~]|[/\\:]")
LARGEST = 8192  # pixels of a side: more is a damaged file


class Card(NamedTuple):
    """What prediction asks of a model.

    Attributes:
      classes: K names of the classification branch.
      emotions: C names of the detection branch, none without one.
      resize: pixels of the shorter side before the crop.
      image_size: side of the central crop that the network sees.
      interpolation: for enlarging.
    """

    classes: tuple[str, ...]
    emotions: tuple[str, ...]
    resize: int
    image_size: int
    interpolation: str


def metadata(config: dict) -> dict:
    """config.json of a run -> the parts of it that prediction needs, in the same places.

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
    except ValueError:
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
        )
        for key in ("mean", "std"):
            numbers = metadata["input"][key]
            if len(numbers) != 3 or not all(v in RANGES[f"input.{key}"] for v in numbers):
                raise ValueError(f"input.{key}={numbers}")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file}: what it says of its model is damaged ({error!r}).") from None
    if not card.classes:
        raise UserError(
            f"{file}: its network has no classes; expected one that classifies photographs."
        )
    fits = 0 < card.image_size <= card.resize <= LARGEST
    if not fits or card.interpolation not in ("bilinear", "bicubic"):
        raise UserError(f"{file}: no network sees images of {card[2:]}; its metadata is damaged.")
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
