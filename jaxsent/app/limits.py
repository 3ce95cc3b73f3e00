"""What is looked at and what is refused, before a pixel is decoded."""

import io
import warnings
from typing import NamedTuple

from PIL import Image

from jaxsent.data.photograph import formats
from jaxsent.errors import UserError

LARGEST = int(Image.MAX_IMAGE_PIXELS / 1e6)
"""Megapixels from which on Pillow itself takes an image for an attack."""


class Limits(NamedTuple):
    """How much a stranger may ask for.

    Attributes:
      megabytes: of a file, 10⁶ bytes each.
      megapixels: of an image, by its header; at most LARGEST.
      seconds: from a photograph's arrival to its answer, waiting included.
      waiting: photographs in the queue, the one that is looked at included.
      decoding: seconds of the processor that decoding one may take.
    """

    megabytes: float = 20
    megapixels: float = 50
    seconds: float = 30
    waiting: int = 16
    decoding: float = 10

    @property
    def bytes(self) -> int:
        return int(self.megabytes * 1e6)

    @property
    def memory(self) -> int:
        """Bytes that decoding one may take: the hungriest format was measured at 22 a pixel."""
        return int(256e6 + 32e6 * self.megapixels + self.bytes)


class Refused(UserError):
    """A request that gets no answer; `code` is the HTTP status that says why."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


def admit(data: bytes, limits: Limits) -> None:
    """Judges a file by its header; what it calls itself counts for nothing.

    Raises:
      Refused: 413 where it is too large, in bytes or in pixels; 415 where it is no photograph.
    """
    if len(data) > limits.bytes:
        raise too_heavy(limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=formats()) as image:
                width, height = image.size
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refused(413, f"Expected at most {limits.megapixels:g} megapixels.") from None
    except (OSError, ValueError, SyntaxError, TypeError):
        raise Refused(
            415,
            f"Expected a photograph as {', '.join(formats())}; found {len(data):,} bytes of "
            "something else.",
        ) from None
    megapixels = width * height / 1e6
    if megapixels > limits.megapixels:
        raise Refused(
            413,
            f"Expected at most {limits.megapixels:g} megapixels; found {width:,} × {height:,}, "
            f"which is {megapixels:.1f}. Make it smaller.",
        )


def too_heavy(limits: Limits) -> Refused:
    """For bytes, which are counted in more than one place."""
    return Refused(413, f"Expected at most {limits.megabytes:g} MB. Make the photograph smaller.")
