"""Photographs that the page offers to somebody who has none at hand."""

import itertools
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from jaxsent.data import photograph
from jaxsent.data.listing import files
from jaxsent.emotions import MIKELS
from jaxsent.errors import UserError
from jaxsent.report.pictures import shrink
from jaxsent.run.provenance import OPENMOJI

MOST, WIDTH = 8, 640


class Picture(NamedTuple):
    """A name for people, a JPEG, and whom to name beside it."""

    name: str
    jpeg: bytes
    credit: str = ""


def from_folder(folder: Path) -> list[Picture]:
    """The first MOST photographs of a folder.

    Raises:
      UserError: there are none, or one does not decode.
    """
    paths = list(itertools.islice(files([str(folder)]), MOST))
    if not folder.is_dir() or not paths:
        raise UserError(f"--examples {folder}: expected a folder with photographs; found none.")
    return [_picture(path.stem, photograph.read(path)) for path in paths]


def scenes() -> list[Picture]:
    """A drawn scene of each of Mikels' emotions; none without the `demo` extra."""
    try:
        from tfds_builders.emoji_scenes.scenes import compose
    except ImportError:
        return []
    return [
        _picture(
            f"scene {i + 1}", compose(np.random.default_rng([7, i]), i, "test", 320)[0], OPENMOJI
        )
        for i in range(len(MIKELS))
    ]


def _picture(name: str, image: np.ndarray, credit: str = "") -> Picture:
    _, data = cv2.imencode(".jpg", shrink(image, WIDTH)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return Picture(name, data.tobytes(), credit)
