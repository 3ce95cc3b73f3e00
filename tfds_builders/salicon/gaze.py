"""Read SALICON's fixations of a photograph, a Matlab file. No images here."""

from pathlib import Path

import numpy as np

from jaxsent.data.fixations import fixation_mask
from jaxsent.errors import UserError
from tfds_builders import images, matlab

FIELD = "fixations"


def read_fixations(path: Path, root: Path) -> tuple[np.ndarray, int]:
    """(H, W) uint8 of the file's `resolution`, 255 where anyone fixated; upright, so 1.

    `gaze` has an observer's `fixations` in each entry: (n, 2), x and y in pixels from 1. Those out
    of the photograph, of which the release has a few, are left out. Raises UserError for another
    content, no Matlab file, and a link out of `root`.
    """
    variables = matlab.variables(images.read(path, root), path)
    gaze, resolution = variables.get("gaze"), variables.get("resolution")
    if gaze is None or resolution is None or FIELD not in (gaze.dtype.names or ()):
        raise UserError(
            f"{path}: expected resolution and gaze with the field {FIELD}, as SALICON has them; "
            f"found {', '.join(variables) or 'none'}"
        )
    try:
        height, width = (int(side) for side in resolution.ravel())
        observers = [entry.astype(np.float64) for entry in gaze[FIELD].flat if entry.size]
        fixations = np.concatenate([np.empty((0, 2)), *observers])
    except (AttributeError, TypeError, ValueError):
        raise UserError(
            f"{path}: expected resolution as rows and columns, and {FIELD} as x and y"
        ) from None
    return raster(fixations, height, width), 1


def raster(fixations: np.ndarray, height: int, width: int) -> np.ndarray:
    """(n, 2) x and y -> (height, width) uint8, 255 at each; 1.0 is the middle of the first pixel.

    What lies outside, and what is no number, is left out.
    """
    points = fixations[:, ::-1] - 0.5  # rows and columns from the top left corner
    inside = ((points >= 0) & (points < (height, width))).all(axis=1)
    return np.where(fixation_mask(points[inside], (height, width)), np.uint8(255), np.uint8(0))
