"""Hue, saturation and the names of colours, which several principles speak of."""

import cv2
import numpy as np

FOCAL = {
    "black": (0, 0, 0), "blue": (0, 0, 255), "brown": (139, 69, 19), "green": (0, 128, 0),
    "grey": (128, 128, 128), "orange": (255, 165, 0), "pink": (255, 192, 203),
    "purple": (128, 0, 128), "red": (255, 0, 0), "white": (255, 255, 255),
    "yellow": (255, 255, 0),
}  # fmt: skip
"""The eleven basic colour terms (Berlin and Kay 1969) and the RGB that stands for each."""


def hsv(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB -> hue in radians, saturation and value in 0..1, (H, W) float32 each."""
    h, s, v = cv2.split(cv2.cvtColor(np.float32(image) / 255, cv2.COLOR_RGB2HSV))
    return np.deg2rad(h), s, v


def names(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) index into FOCAL: the nearest one in CIELAB."""
    focal = np.uint8([list(FOCAL.values())])
    pixels, prototypes = (
        cv2.cvtColor(np.float32(rgb) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
        for rgb in (image, focal)
    )
    # |p - q|^2 without |p|^2, which is the same for all names.
    distance = (prototypes**2).sum(axis=1) - 2 * pixels @ prototypes.T
    return distance.argmin(axis=1).reshape(image.shape[:2])
