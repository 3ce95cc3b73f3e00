"""Builder of OASIS from a user's folder, as five folds by theme."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders.base import FolderBuilder
from tfds_builders.card import Card
from tfds_builders.found import Found, Item, counted
from tfds_builders.oasis.ratings import FOLDS, Rating, read_ratings


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """`fold`: which of the five folds is `test`."""

    fold: int = 1


class Builder(FolderBuilder):
    """DatasetBuilder for OASIS."""

    CARD = Card(
        title="photographs rated for valence and arousal, as positive and negative",
        images=900,
        classes=POLARITY,
        layout="a folder with OASIS.csv and images/<Theme n>.jpg",
        source=(
            "OASIS is free for research use, from its authors: https://osf.io/6pnd7 or "
            "http://www.benedekkurdi.com/#oasis (Kurdi, Lozano and Banaji, 2017)."
        ),
        homepage="https://osf.io/6pnd7",
        licence="Free for research use (Kurdi, Lozano and Banaji, 2017).",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "Polarity from mean valence, folds by theme.",
        "1.1.0": "Deviations over raters, and their votes.",
    }
    BUILDER_CONFIGS: ClassVar = [
        Config(name=f"fold{k}", description=f"Fold {k} of {FOLDS} is test.", fold=k)
        for k in range(1, FOLDS + 1)
    ]
    FEATURES: ClassVar = {
        "theme": tfds.features.Text(),
        "category": tfds.features.Text(),
        "valence": np.float32,
        "arousal": np.float32,
        "valence_sd": np.float32,
        "arousal_sd": np.float32,
        "votes": np.float32,
        "fold": np.int32,
    }

    def find(self, root: Path) -> Found:
        table, folder = root / "OASIS.csv", root / "images"
        if absent := [str(p) for p in (table, folder) if not p.exists()]:
            raise UserError(
                f"oasis: there is no {' and no '.join(absent)}; expected {self.CARD.instructions}"
            )
        items = [self._item(rating, folder) for rating in read_ratings(table)]
        return Found(
            layout="OASIS.csv + images/",
            items=[item for item in items if item.path.is_file()],
            missing=[item.path.name for item in items if not item.path.is_file()],
            expected=counted((item.split, item.label) for item in items),
            tables=[table],
        )

    def _item(self, rating: Rating, folder: Path) -> Item:
        test = rating.fold == self.builder_config.fold
        split = "neutral" if rating.polarity < 0 else "test" if test else "train"
        label = "neutral" if rating.polarity < 0 else POLARITY[rating.polarity]
        facts = {name: getattr(rating, name) for name in self.FEATURES}
        return Item(folder / f"{rating.name}.jpg", label, split, facts)
