"""RandAugment (Cubuk et al., "RandAugment", NeurIPS 2020): N of 14 operations, all of strength M.

Images are uint8 (S, S, 3) RGB, M is from 0 (nothing) to 30. The strengths are torchvision's; what
an operation does to pixels is Pillow's (`ImageOps`, `ImageEnhance`), of which these are NumPy's and
OpenCV's. A geometric operation moves the maps of an image along with it: what comes from outside is
grey in an image, and nothing in a map.
"""

import math

import cv2
import numpy as np

STRONGEST = 30
OUTSIDE = (128, 128, 128)
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
LEVELS = np.arange(256)


def randaugment(
    image: np.ndarray,
    maps: dict[str, np.ndarray],
    count: int,
    strength: float,
    rng: np.random.Generator,
    points: frozenset[str] = frozenset(),
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """`count` operations, drawn with replacement, on an image and its maps (S, S) uint8.

    Maps of the names in `points` are single pixels of 255: they move and are never blended.
    """
    for operation in rng.integers(len(OPERATIONS), size=count):
        signed = strength / STRONGEST * (2 * rng.integers(2) - 1)
        name = OPERATIONS[operation]
        if name in PIXELS:
            image = PIXELS[name](image, signed)
        elif name in GEOMETRY:
            matrix = GEOMETRY[name](signed, len(image))
            image = warp(image, matrix, OUTSIDE)
            maps = {
                key: move_points(values, matrix) if key in points else warp(values, matrix)
                for key, values in maps.items()
            }
    return image, maps


def brightness(image: np.ndarray, signed: float) -> np.ndarray:
    """Towards black (-1 -> a tenth) or away from it (1 -> times 1.9)."""
    return _looked_up(image, [_blend(0, LEVELS, 1 + 0.9 * signed)] * 3)


def contrast(image: np.ndarray, signed: float) -> np.ndarray:
    """Towards the mean grey, or away from it."""
    mean = int(grey(image).mean() + 0.5)
    return _looked_up(image, [_blend(mean, LEVELS, 1 + 0.9 * signed)] * 3)


def colour(image: np.ndarray, signed: float) -> np.ndarray:
    """Towards the grey image, or away from it."""
    return _blend(grey(image)[..., None], image, 1 + 0.9 * signed)


def sharpness(image: np.ndarray, signed: float) -> np.ndarray:
    """Towards the smoothed image, or away from it; the outermost pixels stay."""
    smooth = image.copy()
    filtered = np.floor(cv2.filter2D(image.astype(np.float32), -1, SMOOTH) + 0.5)
    smooth[1:-1, 1:-1] = filtered[1:-1, 1:-1]
    return _blend(smooth, image, 1 + 0.9 * signed)


def posterize(image: np.ndarray, signed: float) -> np.ndarray:
    """Fewer bits: 8 down to 4."""
    dropped = round(4 * abs(signed))
    return image & np.uint8(0xFF << dropped & 0xFF)


def solarize(image: np.ndarray, signed: float) -> np.ndarray:
    """Inverts what is at least a threshold, 256 down to 0."""
    threshold = 256 * (1 - abs(signed))
    return _looked_up(image, [np.where(threshold > LEVELS, LEVELS, 255 - LEVELS)] * 3)


def autocontrast(image: np.ndarray, signed: float) -> np.ndarray:
    """Stretches every channel to 0..255, whatever the strength."""
    del signed

    def table(channel):
        low, high = int(channel.min()), int(channel.max())
        if high <= low:
            return LEVELS
        scale = 255 / (high - low)
        return np.clip(np.trunc(LEVELS * scale - low * scale), 0, 255)

    return _looked_up(image, [table(image[..., c]) for c in range(3)])


def equalize(image: np.ndarray, signed: float) -> np.ndarray:
    """Makes the histogram of every channel flat, whatever the strength."""
    del signed

    def table(channel):
        counts = np.bincount(channel.ravel(), minlength=256)
        step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
        if not step:
            return LEVELS
        return np.minimum((step // 2 + np.cumsum(counts) - counts) // step, 255)

    return _looked_up(image, [table(image[..., c]) for c in range(3)])


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W) uint8, ITU-R 601 in 16 bits."""
    return ((image.astype(np.int64) @ (19595, 38470, 7471) + 0x8000) >> 16).astype(np.uint8)


def _blend(zero, one, factor: float) -> np.ndarray:
    """zero + factor · (one − zero), cut off at whole numbers from 0 to 255."""
    zero = np.asarray(zero, np.float32)
    mixed = zero + np.float32(factor) * (np.asarray(one, np.float32) - zero)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _looked_up(image: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    """Every channel by its table of 256."""
    return cv2.LUT(image, np.stack(tables, -1)[None].astype(np.uint8))


def shear_x(signed: float, side: int) -> np.ndarray:
    """(2, 3) from places (x, y) in the new image to those in the old: 0.3 at most."""
    del side
    return np.array([[1, 0.3 * signed, 0], [0, 1, 0]])


def shear_y(signed: float, side: int) -> np.ndarray:
    """As `shear_x`."""
    del side
    return np.array([[1, 0, 0], [0.3 * signed, 1, 0]])


def translate_x(signed: float, side: int) -> np.ndarray:
    """By 150/331 of the side at most."""
    return np.array([[1, 0, side * 150 / 331 * signed], [0, 1, 0]])


def translate_y(signed: float, side: int) -> np.ndarray:
    """As `translate_x`."""
    return np.array([[1, 0, 0], [0, 1, side * 150 / 331 * signed]])


def rotate(signed: float, side: int) -> np.ndarray:
    """About the centre, by 30 degrees at most, anticlockwise where `signed` is positive."""
    angle, centre = math.radians(-30 * signed), side / 2
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, s, centre * (1 - c - s)], [-s, c, centre * (1 + s - c)]])


def warp(image: np.ndarray, matrix: np.ndarray, outside=0) -> np.ndarray:
    """Bilinear, `matrix` between coordinates in which the first pixel's centre is (0.5, 0.5)."""
    inverse_map = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shape = image.shape[1::-1]
    return cv2.warpAffine(
        image, _of_indices(matrix), shape, flags=inverse_map, borderValue=outside
    )  # fmt: skip


def move_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(S, S) uint8, points where ≥ 128 -> the same of 0 and 255; those that leave it are lost."""
    forward = cv2.invertAffineTransform(_of_indices(matrix))
    y, x = np.nonzero(points >= 128)
    places = np.rint(forward @ np.stack([x, y, np.ones_like(x)])).astype(int)
    inside = ((places >= 0) & (places < len(points))).all(0)
    moved = np.zeros_like(points)
    moved[places[1, inside], places[0, inside]] = 255
    return moved


def _of_indices(matrix: np.ndarray) -> np.ndarray:
    """The same map between coordinates in which the first pixel's centre is (0, 0)."""
    shifted = matrix.astype(float).copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return shifted


PIXELS = {
    "autocontrast": autocontrast, "equalize": equalize, "solarize": solarize, "colour": colour,
    "posterize": posterize, "contrast": contrast, "brightness": brightness, "sharpness": sharpness,
}  # fmt: skip
GEOMETRY = {
    "rotate": rotate, "shear_x": shear_x, "shear_y": shear_y, "translate_x": translate_x,
    "translate_y": translate_y,
}  # fmt: skip
OPERATIONS = ("identity", *PIXELS, *GEOMETRY)
