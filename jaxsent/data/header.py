"""What an image file says of itself, judged before a pixel of it is decoded.

A few bytes may ask for gigabytes or minutes: of pixels that are not there, chunks longer than the
file, scan after scan of a progressive JPEG. Formats other than PNG and JPEG are left to Pillow,
which judges their headers itself; the size that it finds is held against the same bounds.
"""

import os
import re
import struct
from typing import NamedTuple

from jaxsent.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
DEFLATE = 1032  # times that a byte of a PNG can grow, at most
SCANS = 100  # of a JPEG; encoders write about ten
LONGEST = 100  # times as long as wide: the shorter side is what a network's input is measured by
CHUNKS = 20_000  # of a PNG, segments of a JPEG
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # none of those inside a scan's data
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END = 0xDA, 0xD9


class Bounds(NamedTuple):
    """How much one photograph may ask for.

    Attributes:
      megabytes: of its file, 10⁶ bytes each; JAXSENT_MEGABYTES raises it.
      megapixels: of its picture; JAXSENT_MEGAPIXELS raises it.
    """

    megabytes: float = 200
    megapixels: float = 110


def bounds() -> Bounds:
    """Those of this process. Raises UserError where an environment variable is no number."""
    stated = {}
    for name, default in Bounds._field_defaults.items():
        variable = f"JAXSENT_{name.upper()}"
        try:
            stated[name] = float(os.environ.get(variable, default))
        except ValueError:
            raise UserError(
                f"{variable}={os.environ[variable]!r}: expected a number, as {default}."
            ) from None
    return Bounds(**stated)


def check(data: bytes, name: str) -> None:
    """Judges a file of any format by its bytes.

    Raises:
      UserError: naming it: too many bytes, pixels or scans, too narrow, or cut short.
    """
    check_bytes(len(data), name)
    if data.startswith(PNG):
        _png(data, name)
    elif data.startswith(JPEG):
        _jpeg(data, name)


def check_bytes(size: int, name: str) -> None:
    """Raises UserError for a file of more than Bounds.megabytes."""
    largest = bounds().megabytes
    if size > largest * 1e6:
        raise UserError(
            f"{name}: expected at most {largest:g} MB, found {size / 1e6:.0f}; "
            "JAXSENT_MEGABYTES raises the limit."
        )


def check_size(width: int, height: int, name: str) -> None:
    """Raises UserError for a picture that is too large, or so narrow that it is no photograph."""
    largest = bounds().megapixels
    shape = f"{width:,} × {height:,} pixels"
    if width * height > largest * 1e6:
        raise UserError(
            f"{name}: expected at most {largest:g} megapixels, found {shape}; make it smaller, or "
            "JAXSENT_MEGAPIXELS raises the limit."
        )
    if max(width, height) > LONGEST * min(width, height):
        raise UserError(
            f"{name}: expected a photograph at most {LONGEST} times as long as wide, found {shape}."
        )


def _png(data: bytes, name: str) -> None:
    at = len(PNG)
    for number in range(CHUNKS):
        if at + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if number == 0:
            if kind != b"IHDR" or length != 13:
                break
            width, height, bits, colour = struct.unpack_from(">IIBB", data, at + 8)
            channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
            if channels is None or not width or not height:
                raise UserError(f"{name}: expected an image, found a broken PNG header.")
            check_size(width, height, name)
            if height * (width * channels * bits // 8) > DEFLATE * len(data):
                break
        if kind == b"IEND":
            return
        at += 12 + length
    raise cut_short(name)


def _jpeg(data: bytes, name: str) -> None:
    at, scans = len(JPEG), 0
    for _ in range(CHUNKS):
        marker = _MARKER.search(data, at)
        if not marker:
            break
        kind, at = data[marker.end() - 1], marker.end()
        if kind == _END:
            return
        if kind in (0x01, 0xD8):  # markers that stand alone
            continue
        if kind in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 3 : at + 7].ljust(4, b"\0"))
            check_size(width, height, name)
        scans += kind == _START_OF_SCAN
        if scans > SCANS:
            raise UserError(
                f"{name}: expected a JPEG of at most {SCANS} scans, found more; save it anew."
            )
        at += int.from_bytes(data[at : at + 2])
    raise cut_short(name)


def cut_short(name: str) -> UserError:
    """Of a file that ends before its picture does."""
    return UserError(f"{name}: cut short, without its end; restore or remove it.")
