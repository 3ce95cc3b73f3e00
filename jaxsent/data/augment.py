"""Decode, crop and resize images on the host: NumPy arrays, OpenCV, no global state.

An image is uint8 (H, W, 3) RGB; every geometric function takes a region (H, W) as well, so the two
stay aligned. A box is (y, x, height, width) in pixels.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from jaxsent.data import jpeg
from jaxsent.errors import UserError

Box = tuple[int, int, int, int]
CROPS = ("resized", "plain")
"""Random crops for training: `random_crop_box` and `plain_crop_box`."""


def of_an_image(settings) -> dict:
    """`config.augment` without mixup, which is of pairs: what happens to each image alone."""
    return {name: value for name, value in settings.items() if name != "mixup"}


def decode(data: bytes, name: str = "image") -> np.ndarray:
    """Decode an image file -> (H, W, 3) uint8 RGB, upright by EXIF, transparency on white.

    Raises UserError naming the file if OpenCV cannot decode it.
    """
    flag = cv2.IMREAD_UNCHANGED if has_alpha(data) else cv2.IMREAD_COLOR_RGB
    image = imdecode(data, flag, name)
    return on_white(image[..., [2, 1, 0, 3]]) if flag == cv2.IMREAD_UNCHANGED else image


def decode_crop(
    data: bytes,
    choose: Callable[[int, int], Box],
    size: int,
    name: str = "image",
    pixels: np.ndarray | None = None,
) -> tuple[np.ndarray, Box, tuple[int, int]]:
    """Decode what is inside the box `choose(H, W)` -> (h, w, 3) uint8 RGB, the box, (H, W).

    Of a JPEG, a box of at least 2, 4 or 8 times `size` on both sides is decoded at that part of
    the resolution, which saves most of the work; it then begins and ends at multiples of it.
    `pixels`, the image as `decode` gives it, save the decoding of the others and change nothing.
    Raises UserError as `decode`.
    """
    shape = jpeg.shape(data)
    if shape:
        box = choose(*shape)
        factor = max(f for f in jpeg.REDUCED if f == 1 or f * size <= min(box[2:]))
        part = tuple(v // factor for v in box)
        if pixels is None or factor > 1:
            decoded = jpeg.decode_part(data, part, factor)
        else:
            decoded = crop(pixels, box)
        if decoded is not None:
            return decoded, tuple(v * factor for v in part), shape
    image = decode(data, name) if pixels is None else pixels
    box = choose(*image.shape[:2])
    return crop(image, box), box, image.shape[:2]


def decode_region(data: bytes, name: str = "region") -> np.ndarray:
    """Decode a grey region file of 8 or 16 bits -> (H, W) uint8. Raises UserError."""
    region = imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, name)
    return region if region.dtype == np.uint8 else (region / 257.0 + 0.5).astype(np.uint8)


def has_alpha(data: bytes) -> bool:
    """Whether a file is a PNG with an alpha channel, whatever its name says."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[25:26] in (b"\x04", b"\x06")


def random_crop_box(height, width, rng, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)) -> Box:
    """A box of random area and width-to-height ratio, sampled as torchvision's RandomResizedCrop.

    `scale` bounds the area over the image's, uniformly; `ratio` bounds the ratio, uniformly in its
    logarithm. After ten boxes that do not fit: the largest centred one whose ratio is in bounds.
    """
    log_low, log_high = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        r = math.exp(rng.uniform(log_low, log_high))
        w, h = round(math.sqrt(area * r)), round(math.sqrt(area / r))
        if 0 < w <= width and 0 < h <= height:
            y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
            return int(y), int(x), h, w
    w = min(width, round(height * ratio[1]))
    h = min(height, round(width / ratio[0]))
    return (height - h) // 2, (width - w) // 2, h, w


def plain_crop_box(height, width, rng, size, resize) -> Box:
    """A square box of fixed size at a random place, every place alike.

    It becomes a plain random crop of `size` from the image whose shorter side is `resize` (WSCNet
    IV-B1: "crop a random 448 × 448 patch"), but is cut first and resized to `size` afterwards, so
    that nothing is resized that is then thrown away. `size` is at most `resize`.
    """
    side = max(round(min(height, width) * size / resize), 1)
    y, x = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return int(y), int(x), side, side


def crop(image: np.ndarray, box: Box) -> np.ndarray:
    """The part of an image (H, W, ...) inside a box: a view."""
    y, x, h, w = box
    return image[y : y + h, x : x + w]


ENLARGING = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def resize(image: np.ndarray, height: int, width: int, enlarging="bilinear") -> np.ndarray:
    """(H, W, ...) -> (height, width, ...).

    `enlarging`, "bilinear" or "bicubic", when a side grows. Else smoothed first, so that fine
    texture does not alias: to more than half of both sides as by a triangle of the width of the
    ratio, which is Pillow's and torchvision's bilinear filter; to less by area averaging.
    """
    h, w = image.shape[:2]
    if (h, w) == (height, width):
        return image
    if height > h or width > w:
        return cv2.resize(image, (width, height), interpolation=ENLARGING[enlarging])
    if h >= 2 * height or w >= 2 * width:
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    smooth = cv2.sepFilter2D(image, -1, _smoothing(w / width), _smoothing(h / height))
    return cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)


def _smoothing(ratio: float) -> np.ndarray:
    """Three weights that smooth a line before every `ratio`-th point, 1 to 2, is read between them.

    A triangle as wide as the ratio has the variance ratio² / 6, of which the reading between two
    points, itself such a triangle of ratio 1, leaves (ratio² - 1) / 6.
    """
    side = (ratio**2 - 1) / 12
    return np.array([side, 1 - 2 * side, side], np.float32)


def resize_points(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) uint8, a point where ≥ 128 -> (height, width) of 0 and 255: no point is lost.

    Each moves to the pixel that holds its place; several may meet in one.
    """
    h, w = points.shape
    y, x = np.nonzero(points >= 128)
    resized = np.zeros((height, width), np.uint8)
    resized[y * height // h, x * width // w] = 255
    return resized


def flip(image: np.ndarray) -> np.ndarray:
    """Mirror left to right."""
    return cv2.flip(image, 1)


def resize_shorter(image: np.ndarray, size: int, enlarging="bilinear") -> np.ndarray:
    """Resize so that the shorter side is `size` and the other keeps the ratio, rounded down."""
    h, w = image.shape[:2]
    short = min(h, w)
    return resize(image, size * h // short, size * w // short, enlarging)


def centre_box(image: np.ndarray, size: int) -> Box:
    """Where `centre_crop` cuts."""
    return _boxes(image, size)[-1]


def centre_crop(image: np.ndarray, size: int) -> np.ndarray:
    """The central (size, size, ...) of an image at least that large."""
    return crop(image, centre_box(image, size))


def five_crops(image: np.ndarray, size: int) -> np.ndarray:
    """Top left, top right, bottom left, bottom right, centre -> (5, size, size, ...)."""
    return np.stack([crop(image, box) for box in _boxes(image, size)])


def _boxes(image: np.ndarray, size: int) -> list[Box]:
    h, w = image.shape[:2]
    if min(h, w) < size:
        raise ValueError(f"a crop of {size} does not fit an image of {h} x {w}; resize it first")
    bottom, right = h - size, w - size
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    return [(y, x, size, size) for y, x in corners]


def imdecode(data: bytes, flag: int, name: str) -> np.ndarray:
    """cv2.imdecode with one of its flags. Raises UserError naming the file."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:  # an empty file, or a header that claims too much
        image = None
    if image is None:
        raise UserError(f"{name}: expected an image, found {len(data)} bytes that do not decode")
    return image


ROWS = 1 << 20  # pixels that are laid on white at a time, so that floats stay few


def on_white(image: np.ndarray) -> np.ndarray:
    """(H, W, 4) RGBA of 8 or 16 bits -> (H, W, 3) uint8 RGB."""
    top = np.iinfo(image.dtype).max
    opaque = np.empty((*image.shape[:2], 3), np.uint8)
    step = max(ROWS // image.shape[1], 1)
    for y in range(0, len(image), step):
        rows = image[y : y + step]
        alpha = rows[..., 3:] / top
        opaque[y : y + step] = np.round(rows[..., :3] * (255 / top) * alpha + 255 * (1 - alpha))
    return opaque
