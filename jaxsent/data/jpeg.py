"""A part of a JPEG, decoded without the rest of it.

OpenCV decodes whole files. TurboJPEG, libjpeg-turbo's own interface since its version 3, saves what
lies below a box and most of the work above and beside it, and gives the same pixels. The package
`turbojpeg` brings that library, which is called by ctypes as that package binds none of this;
or the system has it. Where there is none, OpenCV decodes the whole file.
"""

import contextlib
import ctypes
import ctypes.util
import functools
import importlib.util
import threading
from collections.abc import Iterator

import cv2
import numpy as np

REDUCED = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
"""OpenCV's flags that decode a JPEG at 1, 1/2, 1/4 or 1/8 of its resolution."""

# turbojpeg.h of libjpeg-turbo 3
INIT_DECOMPRESS, PARAM_SUBSAMPLING, PIXELS_RGB = 1, 4, 0
MCU_WIDTH = (8, 16, 16, 8, 8, 32, 8)  # by the subsampling: 444, 422, 420, grey, 440, 411, 441


def shape(data: bytes, stored: bool = False) -> tuple[int, int] | None:
    """(H, W) by a JPEG's header; None of another file, and of one that EXIF turns or may turn.

    `stored` asks for the size before any turn, whatever EXIF says.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        marker = data[at + 1]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        exif = marker == 0xE1 and data[at + 4 : at + 8] == b"Exif"
        if marker == 0xDA or (exif and not stored and _turns(data[at + 10 : end])):
            return None
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame's header
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        at = end
    return None


def decode_part(data: bytes, box, factor: int = 1) -> np.ndarray | None:
    """The pixels of a box at 1 / factor of the resolution -> (h, w, 3) uint8 RGB.

    Args:
      data: a JPEG of which `shape` tells the size.
      box: (y, x, h, w) in pixels of the reduced picture, inside it.
      factor: 1, 2, 4 or 8.

    Returns:
      What is in the box when OpenCV decodes the whole; None if the file does not decode.
    """
    whole = tuple(-(-side // factor) for side in shape(data))
    part = _decoder().part(data, whole, box, factor) if _turbojpeg() else None
    if part is not None:
        return part
    _threads.__dict__.clear()  # what a broken file leaves behind in a decoder is not to be trusted
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCED[factor])
    except cv2.error:  # a header that claims too much
        return None
    y, x, h, w = box
    return image[y : y + h, x : x + w] if image is not None and image.shape[:2] == whole else None


def _turns(tiff: bytes) -> bool:
    """Whether EXIF data, a TIFF, have an orientation other than upright, or are beyond us."""
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None:
        return True

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    directory = number(4, 4)
    entries = range(directory + 2, directory + 2 + 12 * number(directory, 2), 12)
    return any(number(at, 2) == 0x0112 and number(at + 8, 2) != 1 for at in entries)


class _Region(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int) for name in ("x", "y", "w", "h"))


class _Fraction(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int) for name in ("num", "denom"))


@functools.cache
def _turbojpeg() -> ctypes.CDLL | None:
    """The library, where there is one that can crop."""
    for path in _candidates():
        with contextlib.suppress(OSError, AttributeError):  # not a library, or one before 3
            return _declared(ctypes.CDLL(path))
    return None


def _candidates() -> Iterator[str]:
    package = importlib.util.find_spec("turbojpeg")
    if package and package.origin:
        yield package.origin  # it is linked to the library, whose functions are found through it
    if system := ctypes.util.find_library("turbojpeg"):
        yield system


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """With the types of what is called; AttributeError where the library lacks some of it."""
    handle, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    library.tj3Init.restype = handle
    for name, arguments in {
        "tj3Destroy": (),
        "tj3DecompressHeader": (text, ctypes.c_size_t),
        "tj3Get": (number,),
        "tj3SetScalingFactor": (_Fraction,),
        "tj3SetCroppingRegion": (_Region,),
        "tj3Decompress8": (text, ctypes.c_size_t, ctypes.c_void_p, number, number),
    }.items():
        getattr(library, name).argtypes = (handle, *arguments)
    return library


_threads = threading.local()


def _decoder() -> "_Decoder":
    """This thread's."""
    if not hasattr(_threads, "decoder"):
        _threads.decoder = _Decoder(_turbojpeg())
    return _threads.decoder


class _Decoder:
    """TurboJPEG's handle, which one thread at a time may use."""

    def __init__(self, library: ctypes.CDLL):
        self.library = library
        self.handle = library.tj3Init(INIT_DECOMPRESS)

    def __del__(self):
        self.library.tj3Destroy(self.handle)

    def part(self, data: bytes, whole, box, factor: int) -> np.ndarray | None:
        """As `decode_part`; None of files that TurboJPEG does not take, such as CMYK or broken."""
        library, handle = self.library, self.handle
        if library.tj3DecompressHeader(handle, data, len(data)):
            return None
        subsampling = library.tj3Get(handle, PARAM_SUBSAMPLING)  # -1, unknown: refused below
        y, x, h, w = box
        # The next pixels on both sides count when the colours between two samples are filled in.
        unit = max(MCU_WIDTH[subsampling] // factor, 1)
        left, right = max(x - 1, 0) // unit * unit, min(x + w + 1, whole[1])
        pixels = np.empty((h, right - left, 3), np.uint8)
        if (
            library.tj3SetScalingFactor(handle, _Fraction(1, factor))
            or library.tj3SetCroppingRegion(handle, _Region(left, y, right - left, h))
            or library.tj3Decompress8(handle, data, len(data), pixels.ctypes.data, 0, PIXELS_RGB)
        ):
            return None
        return pixels[:, x - left : x - left + w]
