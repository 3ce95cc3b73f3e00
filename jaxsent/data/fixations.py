"""Where people looked: fixations of a folder, and the maps that the attention metrics compare with.

A fixation is (row, column) in pixels of the photograph, (0, 0) being its top left corner.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from jaxsent.data import augment
from jaxsent.errors import UserError

COLUMNS = ("image", "row", "col")


class Viewed(NamedTuple):
    """A photograph and where people looked at it."""

    name: str
    image: np.ndarray  # (H, W, 3) uint8 RGB
    points: np.ndarray  # (n, 2) float64: row and column of each fixation


def read(folder: str | Path, side: int) -> Iterator[Viewed]:
    """Photographs of `folder`/images by name, with the fixations of `folder`/fixations.csv.

    Photographs and fixations are scaled to `side` pixels on the longer side, so that sizes in
    pixels mean the same in all of them. The CSV has a row a fixation and at least the columns
    image, row and col; photographs that it does not name are left out.

    Raises:
      UserError: a file or a column is missing, a number is none, or a fixation is off its image.
    """
    folder = Path(folder)
    for name, points in _points(folder / "fixations.csv").items():
        path = folder / "images" / name
        if not path.is_file():
            raise UserError(f"fixations.csv names {name}, but there is no {path}; copy it there.")
        image = augment.decode(path.read_bytes(), str(path))
        outside = ((points < 0) | (points >= image.shape[:2])).any(axis=1)
        if outside.any():
            raise UserError(
                f"{name} has {image.shape[0]} rows and {image.shape[1]} columns of pixels, but "
                f"{outside.sum()} fixations outside, such as {tuple(points[outside][0])}; are "
                "the coordinates those of another size?"
            )
        scale = side / max(image.shape[:2])
        height, width = (max(1, round(n * scale)) for n in image.shape[:2])
        scaled = points * ((height, width) / np.array(image.shape[:2]))
        yield Viewed(name, augment.resize(image, height, width), scaled)


def fixation_mask(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(n, 2) -> (H, W) bool, True at the pixel of each fixation."""
    return _counts(points, shape) > 0


def fixation_map(points: np.ndarray, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """(n, 2) -> (H, W) float32 in 0..1: fixations blurred by a Gaussian of `sigma` pixels.

    By convention sigma is one degree of visual angle, about the width of sharp sight. Zero
    everywhere without a fixation.
    """
    blurred = cv2.GaussianBlur(
        _counts(points, shape), (0, 0), sigma, borderType=cv2.BORDER_CONSTANT
    )
    return blurred / max(blurred.max(), np.finfo(np.float32).tiny)


def _counts(points, shape):
    counts = np.zeros(shape, np.float32)
    rows, columns = np.floor(points).astype(np.int64).T
    np.add.at(counts, (rows, columns), 1)
    return counts


def _points(path: Path) -> dict[str, np.ndarray]:
    """The CSV -> {image: (n, 2)}, by name."""
    if not path.is_file():
        raise UserError(
            f"Expected {path}, with the columns {', '.join(COLUMNS)}, beside a folder images; "
            "there is no such file."
        )
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        missing = [c for c in COLUMNS if c not in (rows.fieldnames or ())]
        if missing:
            raise UserError(f"{path} lacks {', '.join(missing)}; it has {rows.fieldnames}.")
        points = {}
        for row in rows:
            try:
                point = float(row["row"]), float(row["col"])
            except (TypeError, ValueError) as error:
                raise UserError(f"{path}, line {rows.line_num}: row or col is no number") from error
            points.setdefault(row["image"], []).append(point)
    return {name: np.array(points[name]) for name in sorted(points)}
