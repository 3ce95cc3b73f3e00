"""Itti–Koch saliency: what differs from its surround in intensity, colour or orientation.

Itti, Koch and Niebur, TPAMI 1998; equation numbers are theirs.
"""

import cv2
import numpy as np

from jaxsent.baselines import features

CENTRES = (2, 3, 4)  # levels of the pyramid
SURROUNDS = (3, 4)  # levels further down
LEVEL = 4  # of the conspicuity maps
PEAK = 0.1  # local maxima count from a tenth of the largest on
DIGITS = 5  # of values in 0..1 that are told apart: filters leave noise of 1e-7 on a flat patch


def itti_koch(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float32, mean of the three normalised conspicuity maps (8).

    Colour differs across scales as intensity does, |RG(c) - RG(s)|, as in the authors' code. Read
    literally, (2) and (3) would add the two: R - G at the centre, G - R in the surround.
    """
    intensity, red_green, blue_yellow = features.opponents(features.resize(image, features.SIDE))
    count = CENTRES[-1] + SURROUNDS[-1] + 1
    light, rg, by = (features.pyramid(c, count) for c in (intensity, red_green, blue_yellow))
    coarse = range(CENTRES[0], count)
    oriented = [{s: features.orientation(light[s], a) for s in coarse} for a in features.ANGLES]
    conspicuity = (
        conspicuous(light),
        conspicuous(rg) + conspicuous(by),
        sum(promote(conspicuous(levels)) for levels in oriented),
    )
    return features.enlarge(sum(promote(map) for map in conspicuity) / 3, image)


def conspicuous(levels) -> np.ndarray:
    """levels[s] (h, w) -> sum over centres and surrounds of N(|centre - surround|), (5) to (7)."""
    height, width = levels[LEVEL].shape
    total = np.zeros((height, width), np.float32)
    for c in CENTRES:
        for s in SURROUNDS:
            surround = cv2.resize(levels[c + s], levels[c].shape[::-1])
            difference = promote(np.abs(levels[c] - surround))
            total += cv2.resize(difference, (width, height), interpolation=cv2.INTER_AREA)
    return total


def promote(map: np.ndarray) -> np.ndarray:
    """N(.): (h, w) -> (h, w), scaled to 0..1 and by (1 - mean of the other local maxima)^2.

    Promotes a map with one strong peak over one with many alike. A constant map becomes zero.
    """
    map = map - map.min()
    if map.max() <= 1e-6:
        return np.zeros_like(map)
    map = map / map.max()
    peaks = maxima(map)
    others = np.delete(peaks, peaks.argmax())
    return map * (1 - (others.mean() if others.size else 0)) ** 2


def maxima(map: np.ndarray) -> np.ndarray:
    """(h, w) in 0..1 -> (n,) values of its local maxima of at least PEAK, each plateau once.

    A plateau, of equal values that touch, is a maximum where nothing higher touches any of it. The
    paper says nothing of plateaus. Counted by the pixel, as in the authors' code, a flat patch that
    stands out would be many equal peaks and (1 - their mean)^2 would erase it.
    """
    around = np.ones((3, 3), np.uint8)
    map = np.round(map, DIGITS)
    peak = (map == cv2.dilate(map, around)) & (map >= PEAK)
    while True:  # from a higher neighbour inwards over its plateau
        beside = cv2.dilate(np.where(peak, -np.inf, map).astype(map.dtype), around)
        slope = peak & (beside >= map)
        if not slope.any():
            break
        peak &= ~slope
    _, labels = cv2.connectedComponents(np.uint8(peak), connectivity=8)
    _, first = np.unique(labels[peak], return_index=True)
    return map[peak][first]
