"""A photograph's file as it is stored: what every reader sees alike, upright, opaque, one frame."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from jaxsent.data import photograph
from jaxsent.data.augment import decode
from jaxsent.errors import UserError

SUFFIXES = photograph.SUFFIXES
# Pictures of kinds that nothing here reads: whoever has them among photographs should hear of it.
UNREAD_SUFFIXES = frozenset(
    ".arw .cr2 .cr3 .dng .hif .ico .j2k .jfif .jp2 .jpe .jxl .nef .orf .pgm .ppm .psd .raf .rw2 "
    ".svg .tga .xcf".split()
)
LARGE = 1 << 20  # pixels from which a lossy picture that must be encoded again becomes a JPEG


class Looked(NamedTuple):
    """What a look at an image found: `turn` is its EXIF orientation, 1 where it was upright.

    `height` and `width` are those of the upright picture, `plain` says that the file is stored as
    it is, and `digest` tells pictures apart by their pixels.
    """

    digest: str
    height: int
    width: int
    turn: int
    plain: bool


def encoded(path: Path, root: Path) -> bytes:
    """The file as it is if every reader agrees on it, else its upright picture on white as PNG.

    Readers agree on 8-bit RGB and grey JPEGs and PNGs without alpha or rotation. A lossy file of
    more than a megapixel that must be encoded again becomes a JPEG of quality 95; HEIC and AVIF
    become a PNG of the very pixels that photograph.decode, and so predict, reads.

    Raises UserError naming the file: it does not decode or is cut short, is no regular file, or
    is a symbolic link that leads out of `root`; ExtraNeeded for a HEIC without its extra.
    """
    data = read(path, root)
    pixels, header = photograph.decoded(data, str(path))
    return data if header.plain else _encode(pixels, lossy=header.lossy)


def digest(data: bytes) -> str:
    """Of the decoded pixels: files of one picture share it though their metadata differ."""
    return _digest(decode(data))


def look(path: Path, root: Path) -> Looked:
    """Decode a file once and tell what `encoded` would store. Raises UserError as it does."""
    pixels, header = photograph.decoded(read(path, root), str(path))
    return Looked(_digest(pixels), *pixels.shape[:2], header.turn, header.plain)


def read(path: Path, root: Path) -> bytes:
    """A regular file's bytes. Raises UserError for a link out of `root` and whatever is no file."""
    if not inside(path, root):
        raise UserError(f"{path}: a symbolic link that leads out of {root}; copy the file there")
    try:
        if path.is_file():  # a pipe would never end
            return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    raise UserError(f"{path}: expected a file")


def inside(path: Path, root: Path) -> bool:
    """Whether a file lies in `root` when links are followed."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def grey(path: Path, root: Path) -> tuple[np.ndarray, int]:
    """A map's upright pixels, (H, W) uint8, and the EXIF orientation that its file had.

    Raises UserError as `encoded` does.
    """
    pixels, header = photograph.decoded(read(path, root), str(path))
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), header.turn


def _digest(pixels: np.ndarray) -> str:
    # In two parts: to join them copies the picture while other threads wait for Python's lock.
    whole = hashlib.sha256(repr(pixels.shape).encode())
    whole.update(np.ascontiguousarray(pixels))
    return whole.hexdigest()


def _encode(pixels: np.ndarray, lossy: bool) -> bytes:
    if lossy and pixels.shape[0] * pixels.shape[1] > LARGE:
        full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
        return cv2.imencode(".jpg", pixels[..., ::-1], options)[1].tobytes()
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
