"""Grey maps over a photograph: turned and sized as the photograph is stored."""

from pathlib import Path

import cv2
import numpy as np

from jaxsent.data.augment import resize
from tfds_builders.images import Looked, grey, turned

SOFT, BINARY = "soft", "binary"


def aligned(path: Path, root: Path, photograph: Looked, kind: str) -> bytes:
    """The map of a photograph as a grey PNG of its size; a binary one holds 0 and 255 alone.

    A map lies over the photograph as its file has it, so both are turned alike, unless the map has
    an EXIF orientation of its own or is upright already by its sides. A binary map is cut at half,
    since it may come as a JPEG. Raises UserError where the file does not decode.
    """
    values, own_turn = grey(path, root)
    height, width = photograph.height, photograph.width
    if own_turn == 1 and photograph.turn != 1:
        sideways = (values.shape[0] > values.shape[1]) != (height > width)
        if photograph.turn < 5 or sideways or height == width:
            values = turned(values, photograph.turn)
    if kind == BINARY:
        values = np.where(values > 127, np.uint8(255), np.uint8(0))
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST)
    else:
        values = resize(values, height, width)
    return cv2.imencode(".png", values)[1].tobytes()
