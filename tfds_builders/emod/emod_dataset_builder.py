"""Builder of EMOd from a user's folder: polarity, ratings and fixations."""

import dataclasses
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders.base import FolderBuilder, SeededConfig
from tfds_builders.card import Card
from tfds_builders.emod.ratings import SCORES, Rating, read_ratings
from tfds_builders.found import Found, Item
from tfds_builders.layouts import first_folder, photographs
from tfds_builders.maps import BINARY, SOFT

PHOTOGRAPHS = "EMOdImages1019"
TABLE = "allfindata1019_renamed.mat"
MAP_FOLDERS = {
    "fixation_map": ("Continous_map", "Continuous_map"),  # the first as published
    "fixations": ("Binary_map",),
}


@dataclasses.dataclass
class Config(SeededConfig):
    """`middle`: the mean valence from which a photograph is positive, on a scale of 1 to 9."""

    middle: float = 5.0


class Builder(FolderBuilder):
    """DatasetBuilder for EMOd."""

    CARD = Card(
        title="photographs with fixations, valence, arousal, dominance and emotion scores",
        images=1_019,
        classes=POLARITY,
        layout=(
            f"a folder with {PHOTOGRAPHS}/<id>.jpg, {TABLE} and "
            "Fixation_Maps/FixationMap/{Continous_map,Binary_map}/<id>.jpg"
        ),
        source=(
            "EMOd is its authors' (Fan et al., CVPR 2018), "
            "https://www-users.cs.umn.edu/~qzhao/emotionalattention.html; 321 of its photographs "
            "are of IAPS, which is asked for apart."
        ),
        homepage="https://www-users.cs.umn.edu/~qzhao/emotionalattention.html",
        licence="From its authors; the photographs of IAPS from the University of Florida.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Polarity from mean valence, 80/20."}
    BUILDER_CONFIGS: ClassVar = [Config(name="default", description="80/20, drawn by us.")]
    FEATURES: ClassVar = {
        "valence": np.float32,
        "arousal": np.float32,
        "dominance": np.float32,
        "emotion_scores": tfds.features.Tensor(shape=(SCORES,), dtype=np.float32),
    }
    MAPS: ClassVar = {"fixation_map": SOFT, "fixations": BINARY}
    SHARES: ClassVar = {"test": 0.2}  # as WSCNet splits its small sets

    def find(self, root: Path) -> Found | None:
        if not ((root / PHOTOGRAPHS).is_dir() and (root / TABLE).is_file()):
            return None
        files = {"": _by_number(root / PHOTOGRAPHS)}
        for name, folders in MAP_FOLDERS.items():
            parents = (root / "Fixation_Maps" / "FixationMap", root / "FixationMap")
            folder = first_folder(*(parent / f for parent in parents for f in folders))
            if folder is None:
                place = parents[0] / folders[0]
                raise UserError(f"emod: there is no {place}; expected {self.CARD.instructions}")
            files[name] = _by_number(folder)
        found = Found(f"{PHOTOGRAPHS}/ + {TABLE} + fixation maps", [], tables=[root / TABLE])
        for rating in read_ratings(root / TABLE):
            own = {name: f[rating.number] for name, f in files.items() if rating.number in f}
            lacking = [name for name in files if name not in own]
            if math.isnan(rating.valence):
                found.left_out["without a valence"] += 1
                found.aside += own.values()
            elif lacking:
                found.missing.append(f"{rating.number}.jpg {lacking[0]}".strip())
                found.aside += own.values()
            else:
                found.items.append(self._item(rating, own))
        return self._both_polarities(found)

    def _item(self, rating: Rating, own: dict[str, Path]) -> Item:
        return Item(
            own[""],
            POLARITY[rating.valence >= self.builder_config.middle],
            facts={name: getattr(rating, name) for name in self.FEATURES},
            maps={name: own[name] for name in self.MAPS},
        )

    def _both_polarities(self, found: Found) -> Found:
        if found.items and len({item.label for item in found.items}) == 1:
            valences = [item.facts["valence"] for item in found.items]
            raise UserError(
                f"emod: every mean valence, {min(valences):g} to {max(valences):g}, is on one side "
                f"of {self.builder_config.middle:g}; give the scale's middle in "
                "Config(name=..., middle=...)"
            )
        return found


def _by_number(folder: Path) -> dict[int, Path]:
    """The images of a folder whose names are numbers, with zeros in front or without."""
    return {int(path.stem): path for path in photographs(folder) if path.stem.isdecimal()}
