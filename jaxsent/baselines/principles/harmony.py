"""Harmony: how far apart the two leading hues, and the two leading directions, of each place are.

PAEF's "rangeability" of hue and of gradient direction, over smoothed local histograms: Kass and
Solomon, "Smoothed local histogram filters", SIGGRAPH 2010.
"""

import cv2
import numpy as np

from jaxsent.baselines import features
from jaxsent.baselines.principles import colours

BINS = 16
STEP = 4  # pixels between the places whose neighbourhoods are looked at
SIGMA = 2.0  # of a neighbourhood, in steps


def harmony(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (2,): mean `range_of_peaks` of hue and of gradient direction.

    Hues count by saturation and directions by the gradient's length.
    """
    hue, saturation, _ = colours.hsv(image)
    grey = features.grey(image)
    dx, dy = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.array([
        range_of_peaks(local_histograms(angle, weight)).mean()
        for angle, weight in ((hue, saturation), (np.arctan2(dy, dx), np.hypot(dx, dy)))
    ])  # fmt: skip


def local_histograms(angle: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W) radians, (H, W) -> (H / 4, W / 4, 16) of sum 1 around each place, 0 where nothing
    weighs.

    Smoothed by a Gaussian over the image and by 1/4, 1/2, 1/4 around the circle.
    """
    bins = np.int64(np.floor(angle / (2 * np.pi) * BINS)) % BINS
    size = tuple(max(1, n // STEP) for n in angle.shape[::-1])
    blurred = []
    for k in range(BINS):
        mass = cv2.resize(np.float32(weight * (bins == k)), size, interpolation=cv2.INTER_AREA)
        blurred.append(cv2.GaussianBlur(mass, (0, 0), SIGMA))
    blurred = np.stack(blurred, axis=-1)
    smooth = blurred / 2 + (np.roll(blurred, 1, -1) + np.roll(blurred, -1, -1)) / 4
    total = smooth.sum(axis=-1, keepdims=True)
    return np.where(total > 1e-3, smooth / np.maximum(total, 1e-3), 0)


def range_of_peaks(histograms: np.ndarray) -> np.ndarray:
    """(..., 16) -> (...) exp(-|h_1 - h_2|) |i_1 - i_2| of the two highest peaks of each histogram.

    h are heights and i places around the circle, their distance a share of half of it; 0 where
    there is one peak.
    """
    before, after = np.roll(histograms, 1, -1), np.roll(histograms, -1, -1)
    peaks = np.where((histograms > before) & (histograms >= after), histograms, -1.0)
    order = np.argsort(-peaks, axis=-1, kind="stable")[..., :2]
    heights = np.take_along_axis(peaks, order, -1)
    apart = np.abs(order[..., 0] - order[..., 1])
    apart = np.minimum(apart, BINS - apart) / (BINS / 2)
    value = np.exp(-np.abs(heights[..., 0] - heights[..., 1])) * apart
    return np.where((heights > 0).all(axis=-1), value, 0)
