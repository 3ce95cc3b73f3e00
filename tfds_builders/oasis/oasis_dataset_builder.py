"""Builder of OASIS from a user's folder, as five folds by theme."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders.oasis.ratings import FOLDS, Rating, read_ratings
from tfds_builders.survey import Survey, content, opaque


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """`fold`: which of the five folds is `test`."""

    fold: int = 1


class Builder(tfds.core.GeneratorBasedBuilder):
    """DatasetBuilder for OASIS."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Polarity from mean valence, folds by theme."}
    BUILDER_CONFIGS: ClassVar = [
        Config(name=f"fold{k}", description=f"Fold {k} of {FOLDS} is test.", fold=k)
        for k in range(1, FOLDS + 1)
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "a folder with OASIS.csv and images/<Theme n>.jpg. OASIS is free for research use, from "
        "its authors: https://osf.io/6pnd7 or http://www.benedekkurdi.com/#oasis "
        "(Kurdi, Lozano and Banaji, 2017)."
    )
    strict = False

    def _info(self) -> tfds.core.DatasetInfo:
        polarity = tfds.features.ClassLabel(names=list(POLARITY))
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": polarity,
                    "polarity": polarity,
                    "file": tfds.features.Text(),
                    "theme": tfds.features.Text(),
                    "category": tfds.features.Text(),
                    "valence": np.float32,
                    "arousal": np.float32,
                    "fold": np.int32,
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://osf.io/6pnd7",
            license="Free for research use (Kurdi, Lozano and Banaji, 2017).",
        )

    def _split_generators(self, dl_manager):
        root = Path(dl_manager.manual_dir)
        ratings = usable(root, self.strict)
        polar = [r for r in ratings if r.polarity >= 0]
        fold = self.builder_config.fold
        splits = {
            "train": [r for r in polar if r.fold != fold],
            "test": [r for r in polar if r.fold == fold],
            "neutral": [r for r in ratings if r.polarity < 0],
        }
        return {name: self._generate_examples(root, part) for name, part in splits.items()}

    def _generate_examples(self, root: Path, ratings: list[Rating]):
        for rating in ratings:
            path = photograph(root, rating)
            yield (
                rating.name,
                {
                    "image": opaque(path),
                    "label": rating.polarity,
                    "polarity": rating.polarity,
                    "file": str(path.relative_to(root)),
                    "theme": rating.theme,
                    "category": rating.category,
                    "valence": rating.valence,
                    "arousal": rating.arousal,
                    "fold": rating.fold,
                },
            )


def photograph(root: Path, rating: Rating) -> Path:
    """Where the photograph of a rating lies."""
    return root / "images" / f"{rating.name}.jpg"


def usable(root: Path, strict: bool) -> list[Rating]:
    """The ratings whose photographs are there and decode; reports the others.

    Raises UserError for another layout, a picture that would be in train and in test, and, if
    `strict`, for anything missing.
    """
    table, images = root / "OASIS.csv", root / "images"
    if not (table.exists() and images.exists()):
        absent = " and no ".join(str(p) for p in (table, images) if not p.exists())
        raise UserError(
            f"oasis: there is no {absent}; expected {Builder.MANUAL_DOWNLOAD_INSTRUCTIONS}"
        )
    ratings = read_ratings(table)
    survey = Survey("oasis", "OASIS.csv + images/", expected=len(ratings))
    there = [r for r in ratings if photograph(root, r).is_file()]
    survey.missing = [photograph(root, r).name for r in ratings if r not in set(there)]
    digests = content(photograph(root, r) for r in there)
    survey.undecodable = [path.name for path, digest in digests.items() if digest is None]
    kept = [r for r in there if digests[photograph(root, r)]]
    survey.found = len(kept)
    survey.log(strict)
    if not kept:
        raise UserError(f"{survey.text()}; none of the photographs of {table} is in {images}")
    _check_apart({r: digests[photograph(root, r)] for r in kept})
    return kept


def _check_apart(digests: dict[Rating, str]) -> None:
    """Folds follow themes, so a theme cannot straddle them; a picture under two names could."""
    first: dict[str, Rating] = {}
    for rating, digest in digests.items():
        other = first.setdefault(digest, rating)
        if other.fold != rating.fold and min(other.polarity, rating.polarity) >= 0:
            raise UserError(
                f"oasis: {other.name!r} (fold {other.fold}) and {rating.name!r} (fold "
                f"{rating.fold}) are the same picture, so it would be in train and in test; "
                "remove one of them from OASIS.csv"
            )
