"""A photograph from wherever a person has it: path, bytes, Pillow image or array."""

import io
from pathlib import Path

import cv2
import numpy as np

from jaxsent.data import augment, jpeg
from jaxsent.errors import UserError

# What is read, by predict and of data sets.
SUFFIXES = frozenset(".jpg .jpeg .png .webp .gif .tif .tiff .bmp .avif .heic .heif".split())
HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
AVIF_BRANDS = frozenset((b"avif", b"avis"))
FTYP = b"ftyp"  # how the files of both begin, from the fifth byte on
LARGE = 4_000_000  # pixels


class ExtraNeeded(UserError):
    """A photograph that an optional package would read."""


def read(photo) -> np.ndarray:
    """-> (H, W, 3) uint8 RGB, upright by EXIF, transparency on white, the first frame.

    Args:
      photo: a path; the bytes of a file; a Pillow image; a uint8 array (H, W), (H, W, 3) RGB or
        (H, W, 4) RGBA.

    Raises:
      UserError: it is none of these, is not there, or does not decode.
    """
    if isinstance(photo, (str, Path)):
        return _from_file(Path(photo).expanduser())
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return decode(bytes(photo), "photograph")
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    if hasattr(photo, "getbands"):  # Pillow's, without importing it
        return _from_pillow(photo)
    raise UserError(
        f"Expected a path, bytes, a Pillow image or an array; found {type(photo).__name__}."
    )


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
    if isinstance(photo, (str, Path)):
        photo = Path(photo).expanduser()
        data, name = _bytes_of(photo), str(photo)
    elif isinstance(photo, (bytes, bytearray, memoryview)):
        data, name = bytes(photo), "photograph"
    else:
        image = read(photo)
        return image, image.shape[:2]
    stored = jpeg.shape(data, stored=True)
    factor = _factor(stored, side) if stored else 1
    if factor > 1:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), jpeg.REDUCED[factor])
        for whole in (stored, stored[::-1]):  # EXIF may turn it
            if image is not None and image.shape[:2] == (whole[0] // factor, whole[1] // factor):
                return image, whole
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

    OpenCV reads what it can, as in training, Pillow and its plugins the rest, and HEIC and AVIF,
    whose rotation OpenCV forgets.

    Raises:
      UserError: naming it, where it does not decode; ExtraNeeded for a HEIC without the extra.
    """
    if is_heic(data):
        _register_heic(name)
    if data[4:8] == FTYP and (image := _with_pillow(data)) is not None:
        return image
    try:
        return augment.decode(data, name)
    except UserError:
        if (image := _with_pillow(data)) is None:
            raise
        return image


def is_heic(data: bytes) -> bool:
    """Whether a file is a HEIC (or HEIF) by its first bytes, whatever its name says; no AVIF."""
    if data[4:8] != FTYP:
        return False
    end = min(int.from_bytes(data[:4]), 256)
    brands = {data[i : i + 4] for i in (8, *range(16, end, 4))}
    return bool(brands & HEIC_BRANDS) and not brands & AVIF_BRANDS


def _from_file(path: Path) -> np.ndarray:
    return decode(_bytes_of(path), str(path))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None


def _from_array(array: np.ndarray) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if array.dtype != np.uint8 or channels not in (1, 3, 4) or not array.size:
        raise UserError(
            "Expected a uint8 array (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; found "
            f"{array.dtype} {array.shape}."
        )
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if channels == 4:
        return augment.on_white(array[..., [2, 1, 0, 3]])
    return array


def _from_pillow(image) -> np.ndarray:
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    transparent = "A" in image.getbands() or "transparency" in image.info
    return _from_array(np.array(image.convert("RGBA" if transparent else "RGB")))


def _with_pillow(data: bytes) -> np.ndarray | None:
    """None where Pillow does not decode it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return _from_pillow(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    except (EOFError, RuntimeError):  # of pillow_heif
        return None


def _register_heic(name: str) -> None:
    """Let Pillow read HEIC. Raises ExtraNeeded where the package is not installed."""
    try:
        import pillow_heif
    except ImportError:
        raise ExtraNeeded(
            f"{name}: a HEIC photograph; pip install 'jaxsent[heic]' reads it, or save it as JPEG."
        ) from None
    pillow_heif.register_heif_opener()
