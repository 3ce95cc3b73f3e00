"""A photograph from wherever a person has it: path, bytes, Pillow image or array."""

import io
from pathlib import Path

import numpy as np

from jaxsent import augment
from jaxsent.errors import UserError

SUFFIXES = frozenset(".jpg .jpeg .png .webp .gif .tif .tiff .bmp .avif .heic .heif".split())


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


def decode(data: bytes, name: str) -> np.ndarray:
    """The bytes of an image file -> (H, W, 3) uint8 RGB. Raises UserError naming it.

    OpenCV reads what it can, as in training; Pillow and its plugins the rest.
    """
    try:
        return augment.decode(data, name)
    except UserError as error:
        return _with_pillow(data, error)


def _from_file(path: Path) -> np.ndarray:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    return decode(data, str(path))


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


def _with_pillow(data: bytes, cause: UserError) -> np.ndarray:
    from PIL import Image

    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _from_pillow(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise cause from None
