"""Read a photograph so that every reader will see the same: upright, 8-bit, opaque, one frame.

Pillow reads headers and the odd files, OpenCV the ordinary JPEGs, which it does twice as fast.
"""

import hashlib
import io
import struct
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

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
    pixels, header = _pixels(data, path)
    return data if header.plain else _encode(pixels, lossy=header.lossy)


def digest(data: bytes) -> str:
    """Of the decoded pixels: files of one picture share it though their metadata differ."""
    return _digest(decode(data))


def look(path: Path, root: Path) -> Looked:
    """Decode a file once and tell what `encoded` would store. Raises UserError as it does."""
    pixels, header = _pixels(read(path, root), path)
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
    pixels, header = _pixels(read(path, root), path)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), header.turn


def turned(image: np.ndarray, turn: int) -> np.ndarray:
    """(H, W, ...) turned as the EXIF orientation `turn`, 1 to 8, says."""
    if turn >= 5:
        image = image.swapaxes(0, 1)
    # Which axes then run backwards: 5 is the transposition itself, 6 clockwise, 8 the other way.
    if turn in (3, 4, 7, 8):
        image = image[::-1]
    if turn in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


class _Header(NamedTuple):
    plain: bool
    lossy: bool
    turn: int


def _pixels(data: bytes, path: Path) -> tuple[np.ndarray, _Header]:
    """(H, W, 3) uint8 RGB, upright and on white, and what the header says."""
    if data[4:8] == photograph.FTYP:
        return photograph.decode(data, str(path)), _Header(plain=False, lossy=False, turn=1)
    try:
        picture = Image.open(io.BytesIO(data))
        header = _header(picture, data)
        if not _ends(data):
            raise UserError(f"{path}: cut short, without its end marker; restore or remove it")
        if header.plain and header.lossy:
            return decode(data, str(path)), header
        return turned(_opaque(picture), header.turn), header
    except UserError:
        raise
    except Exception as error:  # decoders raise whatever a broken file leads them to
        cause = "no known format" if isinstance(error, UnidentifiedImageError) else error
        content = f"{len(data)} bytes that do not decode ({cause})"
        raise UserError(f"{path}: expected an image, found {content}") from None


def _header(picture: Image.Image, data: bytes) -> _Header:
    jpeg = picture.format in ("JPEG", "MPO")  # MPO: JPEGs in a row, of which readers see the first
    try:
        turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
        readable = True
    except (SyntaxError, struct.error, ValueError, KeyError, TypeError):  # broken metadata
        turn, readable = 1, False
    turn = turn if turn in range(1, 9) else 1
    eight_bits = jpeg or (picture.format == "PNG" and data[24] == 8)
    still = jpeg or getattr(picture, "n_frames", 1) == 1
    opaque = picture.mode in ("RGB", "L") and not picture.has_transparency_data
    plain = eight_bits and still and opaque and readable and turn == 1
    return _Header(plain, jpeg or picture.format == "WEBP", turn)


def _opaque(picture: Image.Image) -> np.ndarray:
    """The first frame on white, (H, W, 3) uint8 RGB, not yet turned."""
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip
        picture = Image.fromarray(np.round(np.asarray(picture) / 257).astype(np.uint8))
    elif picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return np.asarray(picture.convert("RGB"))


def _ends(data: bytes) -> bool:
    """Whether a JPEG or PNG has its end marker; decoders differ on those that are cut short.

    A JPEG's follows its first scan: that of a thumbnail lies in a segment before it.
    """
    if data.startswith(b"\x89PNG"):
        return b"IEND\xaeB`\x82" in data
    if not data.startswith(b"\xff\xd8"):
        return True
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return data.find(b"\xff\xd9", at) >= 0


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _encode(pixels: np.ndarray, lossy: bool) -> bytes:
    if lossy and pixels.shape[0] * pixels.shape[1] > LARGE:
        full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
        return cv2.imencode(".jpg", pixels[..., ::-1], options)[1].tobytes()
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
