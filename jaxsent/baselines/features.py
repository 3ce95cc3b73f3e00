"""Early vision: the channels that Itti–Koch and GBVS build their maps from.

Itti, Koch and Niebur, "A model of saliency-based visual attention for rapid scene analysis", TPAMI
1998 (equation numbers are theirs).
"""

import cv2
import numpy as np

SIDE = 640  # longer side, in pixels: the paper's images are 640 x 480
ANGLES = (0, 45, 90, 135)  # degrees
DARK = 0.1  # hue is not told below a tenth of the largest intensity
WAVELENGTH = 7.0  # of the Gabor filter, in pixels of its level
KERNEL = 9


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """(H, W, ...) -> the same with `side` pixels on the longer side."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how)


def enlarge(map: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(h, w) -> (H, W) float32 of the image's size, bilinear."""
    height, width = image.shape[:2]
    return cv2.resize(np.float32(map), (width, height), interpolation=cv2.INTER_LINEAR)


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float32 luma in 0..255."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def opponents(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB -> intensity, red - green, blue - yellow: (H, W) float32 each.

    Intensity in 0..1 is the channels' mean; the colours are tuned broadly and free of intensity,
    which normalises them where it is not dark. The two colour channels are equations 2 and 3 before
    their difference across scales: R - G and B - Y.
    """
    r, g, b = cv2.split(np.float32(image) / 255)
    intensity = (r + g + b) / 3
    light = intensity > DARK * intensity.max()
    r, g, b = (np.where(light, c / np.maximum(intensity, 1e-6), 0) for c in (r, g, b))
    red, green, blue = r - (g + b) / 2, g - (r + b) / 2, b - (r + g) / 2
    yellow = (r + g) / 2 - np.abs(r - g) / 2 - b
    red, green, blue, yellow = (np.maximum(c, 0) for c in (red, green, blue, yellow))
    return intensity, red - green, blue - yellow


def pyramid(map: np.ndarray, levels: int) -> list[np.ndarray]:
    """(H, W) -> Gaussian pyramid, level s of (H, W) / 2^s, s = 0..levels - 1."""
    maps = [map]
    while len(maps) < levels:
        maps.append(cv2.pyrDown(maps[-1]))
    return maps


def orientation(map: np.ndarray, angle: float) -> np.ndarray:
    """(H, W) -> (H, W) strength of edges and lines at an angle in degrees: |even| + |odd| Gabor."""
    theta, sigma = np.deg2rad(angle), WAVELENGTH / 3
    half = KERNEL // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    across = x * np.cos(theta) + y * np.sin(theta)
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    total = np.zeros_like(map)
    for phase in (0, np.pi / 2):
        kernel = envelope * np.cos(2 * np.pi * across / WAVELENGTH + phase)
        kernel -= envelope * (kernel.sum() / envelope.sum())  # even light has no orientation
        total += np.abs(cv2.filter2D(map, -1, np.float32(kernel / np.abs(kernel).sum())))
    return total
