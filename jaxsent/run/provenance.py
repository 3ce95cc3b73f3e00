"""What a network was trained on, how good it is and how raters entered: said wherever it answers.

Known from the name of its data and from its results, without the data sets' own packages.
"""

import math
from typing import NamedTuple

PHOTOGRAPHS, DRAWINGS = "photographs", "drawings"
DRAWN = "Trained on drawings: its answers about photographs mean little."
NOT_SURE, UNLIKE = "not sure", "unlike its training"
"""What stands beside an answer that is not to be relied on."""
UNTESTED = "It was not tested."
OPENMOJI = "Drawings: OpenMoji, CC BY-SA 4.0 (openmoji.org)."


class Source(NamedTuple):
    """A data set: what its pictures are, and whose judgement its labels are."""

    pictures: str
    raters: str
    depicts: str = PHOTOGRAPHS


SOURCES = {
    "oasis": Source(
        "photographs of OASIS",
        "the mean valence, 1 to 7, that about 100 people in the USA gave each photograph",
    ),
    "emoji_scenes": Source(
        "scenes drawn with OpenMoji", "nobody: each scene is drawn for an emotion", DRAWINGS
    ),
    "fi": Source("photographs of Flickr and Instagram", "the emotion that most of 5 workers named"),
    "flickr": Source(
        "photographs of Flickr", "nobody: the adjective-noun pair that found each photograph"
    ),
    "flickr_cc": Source("photographs of Flickr", "the polarity that most of 3 workers named"),
    "instagram": Source("photographs of Instagram", "the polarity that most of 3 workers named"),
    "twitter1": Source("photographs of tweets", "the polarity that most of 5 workers named"),
}


class Provenance(NamedTuple):
    """What a model's user must know.

    Attributes:
      pictures: what it was trained on.
      raters: whose judgement its labels are.
      measured: how good it was on pictures that it had never seen.
      drawings: whether it knows drawings only.
    """

    pictures: str
    raters: str
    measured: str
    drawings: bool = False

    @property
    def warning(self) -> str:
        """What must be said loudly, or nothing."""
        return DRAWN if self.drawings else ""

    @property
    def credit(self) -> str:
        """Whom a page that shows its training pictures has to name, or nothing."""
        return credit("emoji_scenes") if self.drawings else ""

    def sentences(self) -> list[str]:
        """For a person, the warning first."""
        return [
            *filter(None, [self.warning]),
            f"Trained on {self.pictures}. Labels: {self.raters}. {self.measured}",
        ]

    def to_dict(self) -> dict[str, str]:
        """What JSON has of it."""
        fields = {
            "trained_on": self.pictures, "labels": self.raters, "measured": self.measured,
            "warning": self.warning,
        }  # fmt: skip
        return {key: text for key, text in fields.items() if text}


def credit(data: str) -> str:
    """Whom a page must name that shows pictures of a set: "emoji_scenes/tiny" -> OPENMOJI."""
    return OPENMOJI if data.partition("/")[0] == "emoji_scenes" else ""


def provenance(metadata: dict) -> Provenance:
    """config.json of a run, or an exported file's metadata, with "results" if it was tested."""
    name = str(metadata.get("data", {}).get("name", ""))
    source = SOURCES.get(
        name.partition("/")[0], Source(name or "pictures of unknown origin", "of the set's raters")
    )
    return Provenance(
        source.pictures, source.raters, measured(metadata.get("results")),
        source.depicts == DRAWINGS,
    )  # fmt: skip


def measured(results: dict | None) -> str:
    """{"accuracy", "accuracy_interval", "count", "auc", "unseen", …} -> a sentence."""
    results = results if isinstance(results, dict) else {}
    if not _number(results.get("accuracy")):
        return UNTESTED
    text = f"Right for {100 * results['accuracy']:.0f} %"
    bounds = results.get("accuracy_interval")
    if isinstance(bounds, list | tuple) and len(bounds) == 2 and all(map(_number, bounds)):
        text += f" (95 % interval {100 * bounds[0]:.0f}–{100 * bounds[1]:.0f} %)"
    if _number(results.get("count")):
        text += f" of {results['count']:,.0f}"
    text += f" {results.get('unseen') or 'pictures of its test set'}"
    if _number(results.get("majority")):
        text += f"; always the commonest answer: {100 * results['majority']:.0f} %"
    if _number(results.get("auc")):
        text += f"; AUC {results['auc']:.2f}"
    return f"{text}."


def _number(value) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
