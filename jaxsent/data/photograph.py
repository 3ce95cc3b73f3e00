"""A photograph from wherever a person has it: path, bytes, open file, Pillow image or array.

One reader for predict, the page and data sets, so that all see the same pixels.
"""

import contextlib
import functools
import io
import struct
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from jaxsent.data import augment, header, jpeg
from jaxsent.errors import UserError, shown

# What is read, by predict and of data sets.
SUFFIXES = frozenset(".jpg .jpeg .png .webp .gif .tif .tiff .bmp .avif .heic .heif".split())
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
AVIF_BRANDS = frozenset((b"avif", b"avis"))
FTYP = b"ftyp"  # how the files of both begin, from the fifth byte on
TIFF = (b"II*\0", b"MM\0*")
LARGE = 4_000_000  # pixels
_one_at_a_time = threading.Lock()  # large pictures of many threads would not fit into memory


class ExtraNeeded(UserError):
    """A photograph that an optional package would read."""


class Header(NamedTuple):
    """What a file's header told.

    Attributes:
      form: Pillow's name of the format.
      plain: 8-bit grey or RGB, opaque, one frame, upright: every reader sees the same.
      lossy: the format loses.
      turn: the EXIF orientation, 1 to 8; 1 where the decoder has turned it.
    """

    form: str
    plain: bool
    lossy: bool
    turn: int


def read(photo) -> np.ndarray:
    """-> (H, W, 3) uint8 RGB, upright by EXIF, transparency on white, the first frame.

    Args:
      photo: a path; the bytes of a file, or one that is open for them; a Pillow image; a uint8
        array (H, W), (H, W, 3) RGB or (H, W, 4) RGBA.

    Raises:
      UserError: it is none of these, is not there, is refused by header.check or does not decode.
    """
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    if hasattr(photo, "getbands"):  # Pillow's
        return _from_pillow(photo)
    return decode(*_bytes_of(photo))


def is_one(photos) -> bool:
    """Whether it is one photograph, as `read` takes it, and no collection of them."""
    if isinstance(photos, np.ndarray):
        return photos.ndim in (2, 3)
    single = str, Path, bytes, bytearray, memoryview
    return isinstance(photos, single) or hasattr(photos, "getbands") or hasattr(photos, "read")


def read_near(photo, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """`read`, but a JPEG from LARGE on perhaps at a half, a quarter or an eighth -> image, (H, W).

    Decoding takes about half as long. The shorter side stays at least twice `side`, so that after
    the resize by area to `side` that follows, pixels differ by less than 1 of 255 in the mean.
    Smaller photographs, as data sets have them, are those of evaluation bit for bit.

    Returns:
      The image, and height and width of the whole.

    Raises:
      UserError: as `read`.
    """
    if isinstance(photo, np.ndarray) or hasattr(photo, "getbands"):
        image = read(photo)
        return image, image.shape[:2]
    data, name = _bytes_of(photo)
    stored = jpeg.shape(data, stored=True)
    factor = _factor(stored, side) if stored else 1
    if factor > 1:
        header.check(data, name)
        flags = jpeg.REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        with contextlib.suppress(Exception), _opened(data) as picture:
            turn = _header(picture, data).turn
            if image is not None and image.shape[:2] == tuple(v // factor for v in stored):
                return turned(image, turn), stored[::-1] if turn >= 5 else stored
    image = decode(data, name)
    return image, image.shape[:2]


def _factor(shape: tuple[int, int], side: int) -> int:
    """By how much (H, W) may be reduced, see `read_near`."""
    if shape[0] * shape[1] < LARGE:
        return 1
    # Only sides without a remainder: the last pixel would stand for less than the others.
    whole = [f for f in jpeg.REDUCED if not (shape[0] % f or shape[1] % f)]
    return max((f for f in whole if min(shape) >= 2 * side * f), default=1)


def decode(data: bytes, name: str) -> np.ndarray:
    """The bytes of an image file -> (H, W, 3) uint8 RGB.

    Raises:
      UserError: naming it, where header.check refuses it or it does not decode; ExtraNeeded for a
        HEIC without the extra.
    """
    return decoded(data, name)[0]


def decoded(data: bytes, name: str) -> tuple[np.ndarray, Header]:
    """`decode`, and what the file's header told.

    OpenCV reads JPEGs, twice as fast as Pillow, and TIFFs that Pillow does not, of 16-bit colour;
    Pillow and its plugins all else.

    Raises:
      UserError: as `decode`.
    """
    header.check(data, name)
    if is_heic(data):
        _register_heic(name)
    try:
        with _opened(data) as picture:
            header.check_size(*picture.size, name)
            large = picture.width * picture.height >= LARGE
            with _one_at_a_time if large else contextlib.nullcontext():
                return _pixels(picture, data, name)
    except UserError:
        raise
    except Exception as error:  # decoders raise whatever a broken file leads them to
        if data[:4] in TIFF:
            return augment.decode(data, name), Header("TIFF", plain=False, lossy=False, turn=1)
        known = not isinstance(error, UnidentifiedImageError)
        cause = shown(error, 200) if known else "no known format"
        raise UserError(
            f"{name}: expected an image, found {len(data):,} bytes that do not decode ({cause})."
        ) from None


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


def is_heic(data: bytes) -> bool:
    """Whether a file is a HEIC (or HEIF) by its first bytes, whatever its name says; no AVIF."""
    if data[4:8] != FTYP:
        return False
    end = min(int.from_bytes(data[:4]), 256)
    brands = {data[i : i + 4] for i in (8, *range(16, end, 4))}
    return bool(brands & HEIC_BRANDS) and not brands & AVIF_BRANDS


@functools.cache
def formats() -> tuple[str, ...]:
    """Of FORMATS, what this machine reads: AVIF and HEIF depend on what is installed."""
    with contextlib.suppress(ImportError):
        _register_heif()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=formats())


def _pixels(picture: Image.Image, data: bytes, name: str) -> tuple[np.ndarray, Header]:
    told = _header(picture, data)
    if told.form in ("JPEG", "MPO") and picture.mode in ("RGB", "L"):
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        return turned(augment.imdecode(data, flags, name), told.turn), told
    if told.form in ("AVIF", "HEIF"):
        return _opaque(ImageOps.exif_transpose(picture), name), told._replace(turn=1)
    return turned(_opaque(picture, name), told.turn), told


def _header(picture: Image.Image, data: bytes) -> Header:
    form = picture.format
    jpeg_file = form in ("JPEG", "MPO")  # MPO: JPEGs in a row, of which readers see the first
    try:
        turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
        readable = True
    except (SyntaxError, struct.error, ValueError, KeyError, TypeError):  # broken metadata
        turn, readable = 1, False
    turn = turn if turn in range(1, 9) else 1
    eight_bits = jpeg_file or (form == "PNG" and data[24] == 8)
    still = jpeg_file or getattr(picture, "n_frames", 1) == 1
    opaque = picture.mode in ("RGB", "L") and not picture.has_transparency_data
    plain = eight_bits and still and opaque and readable and turn == 1
    return Header(form, plain, jpeg_file or form == "WEBP", turn)


def _opaque(picture: Image.Image, name: str = "Pillow image") -> np.ndarray:
    """The first frame on white, (H, W, 3) uint8 RGB, not yet turned.

    Raises UserError for numbers that say no brightness: floats, and integers of 32 bits.
    """
    if picture.mode == "F" or picture.mode.startswith("I"):  # which Pillow would clip
        values = np.asarray(picture)
        if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise UserError(
                f"{name}: its values, {values.min():g} to {values.max():g}, are no brightness from "
                "0 to 255; scale them and save it with 8 bits."
            )
        grey = np.round(values / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        return augment.on_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("RGB"))


def _bytes_of(photo) -> tuple[bytes, str]:
    """The bytes of a file, and what to call it."""
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo), "photograph"
    if hasattr(photo, "read"):
        name = str(getattr(photo, "name", "photograph"))
        data = photo.read()
        if not isinstance(data, bytes):
            raise UserError(f"{name}: expected a file open for bytes; open it with mode 'rb'.")
        return data, name
    if not isinstance(photo, (str, Path)):
        raise UserError(
            "Expected a path, bytes, an open file, a Pillow image or an array; found "
            f"{type(photo).__name__}."
        )
    path = Path(photo).expanduser()
    try:
        if path.exists() and not path.is_file():  # a pipe, a device: reading might never end
            raise UserError(f"{path}: expected a photograph's file, found another kind.")
        header.check_bytes(path.stat().st_size, str(path))
        return path.read_bytes(), str(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}).") from None
    except ValueError:  # a null character
        raise UserError(f"{str(photo)!r}: cannot be a path.") from None


def _from_array(array: np.ndarray) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if array.dtype != np.uint8 or channels not in (1, 3, 4) or not array.size:
        raise UserError(
            "Expected a uint8 array (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; found "
            f"{array.dtype} {array.shape}{_remedy(array)}."
        )
    header.check_size(array.shape[1], array.shape[0], "array")
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return augment.on_white(array) if channels == 4 else array


def _remedy(array: np.ndarray) -> str:
    """What to do with an array of floats, of 16 bits or with its channels first."""
    steps = []
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        steps.append("transpose it, .transpose(1, 2, 0)")
    if np.issubdtype(array.dtype, np.floating) and array.size:
        whole = "(255 * array).round()" if np.nanmax(array) <= 1 else "array.round()"
        steps.append(f"make its values 0 to 255, {whole}.astype(np.uint8)")
    elif array.dtype == np.uint16:
        steps.append("keep 8 of its bits, (array / 257).round().astype(np.uint8)")
    elif array.ndim == 4:
        steps.append("give a batch as a list, list(array)")
    return "; " + " and ".join(steps) if steps else ""


def _from_pillow(image) -> np.ndarray:
    header.check_size(*image.size, "Pillow image")
    return _opaque(ImageOps.exif_transpose(image))


def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


def _register_heic(name: str) -> None:
    """Let Pillow read HEIC. Raises ExtraNeeded where the package is not installed."""
    try:
        _register_heif()
    except ImportError:
        raise ExtraNeeded(
            f"{name}: a HEIC photograph; pip install 'jaxsent[heic]' reads it, or save it as JPEG."
        ) from None
