"""A photograph and a region of it: which one is affective, and how the two are taken together.

Sun et al., "Discovering affective regions in deep convolutional neural networks for visual
sentiment prediction", ICME 2016; Yang et al., "Visual sentiment prediction based on automatic
discovery of affective regions", TMM 2018; Wu et al., "Visual sentiment analysis by combining global
and local information", Neural Processing Letters 2020. None of the three could be read here:
docs/baselines.md says what is from memory and what is ours.
"""

import cv2
import numpy as np

from jaxsent.baselines.boxes import Boxes
from jaxsent.metrics import detection

FEATURES = "features"
"""The fusion that an SVM learns, of both views' features one behind the other."""


def sentiment(probabilities: np.ndarray) -> np.ndarray:
    """(n, K) class probabilities -> (n,) in 0..1: the highest less the second highest.

    Of two classes |p_positive - p_negative|: 0 for a region that is neutral to the network.
    """
    highest = np.sort(probabilities, axis=-1)
    return highest[..., -1] - highest[..., -2]


def affective(boxes: Boxes, probabilities: np.ndarray) -> Boxes:
    """Boxes (n, 5) with objectness, (n, K) -> (n, 5) with objectness times sentiment score."""
    scores = boxes[:, 4] * sentiment(probabilities)
    return np.column_stack([boxes[:, :4], scores])


def average(whole: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(…, K), (…, K) class probabilities -> (…, K), their mean."""
    return (whole + region) / 2


def product(whole: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(…, K), (…, K) -> (…, K), their product, scaled to a sum of 1."""
    both = whole * region
    return both / np.maximum(both.sum(axis=-1, keepdims=True), 1e-30)


def maximum(whole: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(…, K), (…, K) -> (…, K), the larger of each class, scaled to a sum of 1."""
    both = np.maximum(whole, region)
    return both / both.sum(axis=-1, keepdims=True)


FUSIONS = {"average": average, "product": product, "max": maximum}


def salient_box(map: np.ndarray, shape: tuple[int, int]) -> Boxes:
    """(h, w), (H, W) -> (1, 5): the smallest box around the largest area above Otsu's threshold.

    Its objectness is 1. (0, 5) where nothing stands out: the map is constant.
    """
    salient = detection.binarise(detection.resize_map(map, shape))
    count, _, areas, _ = cv2.connectedComponentsWithStats(np.uint8(salient))
    if count < 2:
        return np.zeros((0, 5))
    x, y, width, height, _ = max(areas[1:].tolist(), key=lambda area: area[4])
    return np.array([[x, y, x + width, y + height, 1.0]])
