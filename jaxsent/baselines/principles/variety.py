"""Variety: how many colours, and how many kinds of edges.

PAEF counts the basic colours and takes the distribution of the gradient over directions and
lengths; of either distribution the entropy stays here. Its colour names are van de Weijer's, learnt
from photographs; here a pixel has the name of the nearest focal colour.
"""

import cv2
import numpy as np

from jaxsent.baselines import features
from jaxsent.baselines.principles import colours

PRESENT = 0.01  # share of the image from which a colour is there
DIRECTIONS = 8
LENGTHS = 8  # in octaves, of the gradient in grey levels a pixel
FAINTEST = 1.0  # grey levels a pixel, below which there is no edge


def variety(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (4,): colours there are, 0 for one and 1 for all eleven; entropy of
    their shares; of gradient directions by length; and of gradient lengths. Entropies are in 0..1,
    of 1 for the uniform distribution.
    """
    count = np.bincount(colours.names(image).ravel(), minlength=len(colours.FOCAL))
    present = (count >= PRESENT * count.sum()).sum()
    grey = features.grey(image)
    dx, dy = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    length = np.hypot(dx, dy)
    edge = length >= FAINTEST
    # Bins are centred on the axes, where most edges of photographs lie.
    turned = np.arctan2(dy[edge], dx[edge]) / (2 * np.pi) * DIRECTIONS
    directions = np.bincount(np.int64(np.round(turned)) % DIRECTIONS, length[edge], DIRECTIONS)
    octave = np.clip(np.int64(np.log2(length[edge] / FAINTEST)), 0, LENGTHS - 1)
    lengths = np.bincount(octave, minlength=LENGTHS)
    return np.array([
        (present - 1) / (len(colours.FOCAL) - 1), entropy(count), entropy(directions),
        entropy(lengths),
    ])  # fmt: skip


def entropy(mass: np.ndarray) -> float:
    """(n,) -> -sum p log p / log n of p = mass / its sum; 0 where there is none."""
    p = mass[mass > 0] / max(mass.sum(), 1e-12)
    return float(-(p * np.log(p)).sum() / np.log(len(mass)))
