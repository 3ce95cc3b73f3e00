"""Read EMOd's table of ratings, a Matlab matrix. No images here."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.errors import UserError
from tfds_builders import matlab

KEY = "allfindata1019"
SCORES = 9


class Rating(NamedTuple):
    """One photograph: its number, mean valence, arousal, dominance, and nine emotion scores."""

    number: int
    valence: float
    arousal: float
    dominance: float
    emotion_scores: np.ndarray


def read_ratings(path: Path) -> list[Rating]:
    """The rows in order; column 0 is the number, 3 to 5 the means, 6 to 14 the scores.

    Raises UserError for another kind of file, and naming a row that is not of numbers.
    """
    content = matlab.variables(path.read_bytes(), path)
    if KEY not in content:
        raise UserError(f"{path}: expected the matrix {KEY}; found {', '.join(content) or 'none'}")
    rows = content[KEY]
    if rows.ndim != 2 or rows.shape[1] < 6 + SCORES:
        raise UserError(
            f"{path}: expected {KEY} with {6 + SCORES} columns or more; found {rows.shape}"
        )
    return [_rating(row, f"{path}, row {n}") for n, row in enumerate(rows, 1)]


def _rating(row: np.ndarray, where: str) -> Rating:
    try:
        number, *means = (_number(row[i]) for i in (0, 3, 4, 5))
        scores = np.array([_number(cell) for cell in row[6 : 6 + SCORES]], np.float32)
    except (TypeError, ValueError):
        raise UserError(f"{where}: expected a number in columns 0 and 3 to 14") from None
    return Rating(int(number), *means, scores)


def _number(cell) -> float:
    """Of a matrix, or of a cell array's one-element array or text."""
    return np.asarray(cell).astype(np.float64).item()
