"""Read OASIS.csv: themes, ratings, polarity and folds. No images here."""

import csv
import hashlib
import math
from pathlib import Path
from typing import NamedTuple

from jaxsent.errors import UserError
from tfds_builders.layouts import text

FOLDS = 5
# Of 300,000 salts the one whose folds are most alike in positive, negative and neutral photographs.
SALT = 304836
COLUMNS = ("Theme", "Category", "Valence_mean", "Arousal_mean")
POSITIVE, NEGATIVE = 4.5, 3.5  # valence from which, and up to which, a photograph is clearly so


class Rating(NamedTuple):
    """One photograph: its name, theme, category, mean valence and arousal (1 to 7), and the
    standard deviations over its raters, NaN where the table has none."""

    name: str
    theme: str
    category: str
    valence: float
    arousal: float
    valence_sd: float = math.nan
    arousal_sd: float = math.nan

    @property
    def polarity(self) -> int:
        """1 positive, 0 negative, -1 neutral."""
        return 1 if self.valence >= POSITIVE else 0 if self.valence <= NEGATIVE else -1

    @property
    def votes(self) -> float:
        """Share of the raters who are not neutral that finds it positive.

        The table has no single ratings: they are taken for normal, by their mean and deviation. NaN
        where there is no deviation.
        """
        if not self.valence_sd > 0:
            return math.nan
        positive = _above(POSITIVE, self.valence, self.valence_sd)
        negative = 1 - _above(NEGATIVE, self.valence, self.valence_sd)
        return positive / (positive + negative)

    @property
    def fold(self) -> int:
        """1 to 5, from the theme's name alone: a part of the set keeps the full set's folds."""
        digest = hashlib.blake2b(f"{SALT}/{self.theme}".encode(), digest_size=1).digest()
        return digest[0] % FOLDS + 1


def _above(threshold: float, mean: float, deviation: float) -> float:
    return 0.5 * math.erfc((threshold - mean) / (deviation * math.sqrt(2)))


def read_ratings(path: Path) -> list[Rating]:
    """The rows of OASIS.csv in order. Raises UserError where a column or a number is missing."""
    # splitlines, because the published file ends its lines with carriage returns alone.
    rows = list(csv.DictReader(text(path).splitlines()))
    absent = [c for c in COLUMNS if not rows or c not in rows[0]]
    if absent:
        raise UserError(
            f"{path}: expected the columns {', '.join(COLUMNS)}; no {', '.join(absent)}"
        )
    return [_rating(row, f"{path}, row {i}") for i, row in enumerate(rows, 1)]


def _rating(row: dict[str, str], where: str) -> Rating:
    name = (row["Theme"] or "").strip()
    try:
        numbers = float(row["Valence_mean"]), float(row["Arousal_mean"])
    except (TypeError, ValueError):
        raise UserError(f"{where}: expected numbers for valence and arousal of {name!r}") from None
    deviations = (_deviation(row.get(f"{kind}_SD")) for kind in ("Valence", "Arousal"))
    theme = name.rsplit(" ", 1)[0]
    return Rating(name, theme, row["Category"].strip(), *numbers, *deviations)


def _deviation(value: str | None) -> float:
    try:
        return float(value or "nan")
    except ValueError:
        return math.nan
