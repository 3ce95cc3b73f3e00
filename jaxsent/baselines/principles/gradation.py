"""Gradation: how much an image changes, and how steadily.

PAEF's absolute and relative variation are of Xu et al., "Structure extraction from texture via
relative total variation", SIGGRAPH Asia 2012; equations are theirs.
"""

import cv2
import numpy as np

from jaxsent.baselines import features

SIGMA = 3.0  # pixels of the window
EPSILON = 1e-3  # of intensities in 0..1 (their 3.2)


def gradation(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (4,): windowed total variation D (3) in x and in y, absolute, and
    D / (L + epsilon) in x and in y, relative to the inherent variation L (4); means over pixels.

    The relative one is about 1 where light changes one way, larger in texture, 0 where it is even.
    """
    grey = features.grey(image) / 255
    absolute, relative = [], []
    for change in (np.diff(grey, axis=1), np.diff(grey, axis=0)):
        total = cv2.GaussianBlur(np.abs(change), (0, 0), SIGMA)
        inherent = np.abs(cv2.GaussianBlur(change, (0, 0), SIGMA))
        absolute.append(total.mean())
        relative.append((total / (inherent + EPSILON)).mean())
    return np.array(absolute + relative)
