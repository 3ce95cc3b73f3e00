"""Fine-grained saliency: each pixel against the mean of its surround, at the image's resolution.

Montabone and Soto, "Human detection using a mobile platform and novel features derived from a
visual saliency mechanism", Image and Vision Computing 2010. OpenCV's contrib module has it too.
"""

import cv2
import numpy as np

from jaxsent.baselines import features

SURROUNDS = (12, 24, 28, 48, 56, 112)  # pixels from the centre to the surround's edge


def fine_grained(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float32 in 0..1: on- and off-centre differences, summed."""
    grey = features.grey(image)
    for _ in range(2):
        grey = cv2.GaussianBlur(grey, (3, 3), 0)
    differences = [grey - surround(grey, reach) for reach in SURROUNDS]
    on, off = (sum(np.maximum(sign * d, 0) for d in differences) for sign in (1, -1))
    both = _unit(on) + _unit(off)
    return _unit(both).astype(np.float32)


def surround(grey: np.ndarray, reach: int) -> np.ndarray:
    """(H, W) -> (H, W) mean of the square of side 2 reach + 1 around a pixel, without the pixel.

    At the border, of what lies in the image.
    """
    side = (2 * reach + 1, 2 * reach + 1)
    box = dict(ddepth=cv2.CV_64F, ksize=side, normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(np.ones_like(grey), **box)
    return (cv2.boxFilter(grey, **box) - grey) / np.maximum(count - 1, 1)


def _unit(map):
    return map / max(map.max(), 1e-12)
