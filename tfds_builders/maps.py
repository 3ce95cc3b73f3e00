"""Grey maps over a photograph: turned and sized as the photograph is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from jaxsent.data.augment import resize, resize_points
from jaxsent.data.photograph import turned
from tfds_builders import images
from tfds_builders.images import Looked


class Kind(NamedTuple):
    """How maps of a feature are read and sized.

    `read` takes a file and the user's folder and gives the map, (H, W) uint8, with the EXIF
    orientation that its file had; it raises UserError for what it cannot read. `sized` takes a map,
    a height and a width.
    """

    sized: Callable[[np.ndarray, int, int], np.ndarray]
    read: Callable[[Path, Path], tuple[np.ndarray, int]] = images.grey


def nearest(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) -> (height, width) of 0 and 255: cut at half, since it may come as a JPEG."""
    values = np.where(values > 127, np.uint8(255), np.uint8(0))
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST)


SOFT, BINARY = Kind(resize), Kind(nearest)
"""Grey maps that are averaged where they are larger, and maps of 0 and 255 alone."""


def points(read: Callable[[Path, Path], tuple[np.ndarray, int]]) -> Kind:
    """Maps of single pixels that `read` draws: none is lost where the photograph is smaller."""
    return Kind(resize_points, read)


def aligned(path: Path | None, root: Path, photograph: Looked, kind: Kind) -> bytes:
    """The map of a photograph as a grey PNG of its size; a black one where it has none (None).

    A map lies over the photograph as its file has it, so both are turned alike, unless the map has
    an EXIF orientation of its own or is upright already by its sides. Raises UserError where the
    file does not decode.
    """
    height, width = photograph.height, photograph.width
    if path is None:
        return _png(np.zeros((height, width), np.uint8))
    values, own_turn = kind.read(path, root)
    if own_turn == 1 and photograph.turn != 1:
        sideways = (values.shape[0] > values.shape[1]) != (height > width)
        if photograph.turn < 5 or sideways or height == width:
            values = turned(values, photograph.turn)
    return _png(kind.sized(values, height, width))


def _png(values: np.ndarray) -> bytes:
    return cv2.imencode(".png", values)[1].tobytes()
