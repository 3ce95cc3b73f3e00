"""Images of the report: sentiment maps as heat over a photograph, outlines, data URIs."""

import base64
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np

from jaxsent.metrics import binarise, min_max, resize_map

COLOURS = matplotlib.colormaps["inferno"]  # perceptually uniform, ordered also in grey
LARGEST_ALPHA = 0.8
WIDTH = 320  # pixels an embedded image is shrunk to: twice what a card shows


@dataclass(frozen=True)
class Example:
    """One image of the gallery with what the network said about it."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, the whole photograph, which the maps are of."""
    sentiment_map: np.ndarray | None
    """(h, w) of any range."""
    class_maps: np.ndarray | None
    """(h, w, C), one map for each class of the detection branch, or (h, w, K) without one."""
    region: np.ndarray | None
    """(H, W) uint8, the true region: soft, 0..255."""
    label: str
    prediction: str | None
    """None of a network that names no class."""
    probability: float | None
    """The predicted class's."""
    probabilities: np.ndarray | None
    """(K,) of the classification branch."""
    file: str
    kind: str = "random"
    """Why it is shown, of gallery.KINDS."""
    map_probabilities: np.ndarray | None = None
    """(C,) of the branch that the class maps belong to, for the whole photograph."""
    map_branch: str = "detection branch"
    overlap: np.ndarray | None = None
    """(2,) precision and recall of the sentiment map, where there is a region."""


def overlay(image, map, *, limits: tuple[float, float] | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, (h, w) -> (H, W, 3) uint8 RGB with the map laid over it as heat.

    The map is resized bilinearly and scaled to 0..1, from its own extremes or from `limits`;
    where it is low the photograph shows, where it is high the colour does.
    """
    image = np.asarray(image)
    map = resize_map(map, image.shape[:2])
    if limits is None:
        value = min_max(map)
    else:
        low, high = limits
        value = np.clip((map - low) / max(high - low, np.finfo(np.float64).tiny), 0, 1)
    alpha = LARGEST_ALPHA * value[..., None]
    mixed = (1 - alpha) * image + alpha * 255 * COLOURS(value)[..., :3]
    return np.rint(mixed).astype(np.uint8)


def outline(image, region) -> np.ndarray:
    """(H, W, 3) uint8, (H, W) -> a copy with the region's border in white on black."""
    region = binarise(region).astype(np.uint8)
    borders, _ = cv2.findContours(region, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    image = np.ascontiguousarray(image).copy()
    for colour, part in ((0, 100), (255, 200)):  # the halo first, twice the line's width
        thickness = max(1, round(max(image.shape) / part))
        cv2.drawContours(image, borders, -1, (colour,) * 3, thickness, cv2.LINE_AA)
    return image


def shrink(image, width: int = WIDTH) -> np.ndarray:
    """(H, W) or (H, W, 3) -> the same, at most `width` pixels wide."""
    scale = width / image.shape[1]
    if scale >= 1:
        return image
    size = (width, max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def jpeg_uri(image, quality: int = 82) -> str:
    """(H, W, 3) uint8 RGB -> a data URI that an <img> shows without any file."""
    bgr = cv2.cvtColor(np.asarray(image, np.uint8), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
