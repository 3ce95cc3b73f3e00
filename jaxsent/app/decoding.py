"""The process that decodes what strangers send: bounded in memory and time, and expendable.

Decoders are large C programs that read hostile bytes. Nothing of them runs in the server: a
photograph that makes one hang, crash or fill the memory ends this process, and another is started.
"""

import contextlib
import io
import signal
import socket
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import AvifImagePlugin

from jaxsent.app import frames
from jaxsent.app.limits import Limits, Refused, admit
from jaxsent.data import photograph
from jaxsent.errors import UserError
from jaxsent.prediction.predictor import look

PHOTO = 960  # pixels across, of the photograph that the page shows
TALLEST = 4  # times as high as PHOTO


class Geometry(NamedTuple):
    """What the card of a model says of the part that its network sees, see run.card.Card."""

    resize: int
    image_size: int
    interpolation: str


class Sight(NamedTuple):
    """What is left of a photograph once it is decoded.

    Attributes:
      pixels: (S, S, 3) uint8, what the network sees.
      shown: (h, w, 3) uint8, the whole, shrunk for the page; None where nobody looks at it.
      box: (y, x, height, width) of `pixels` in `shown`; without meaning where that is None.
      seconds: what reading it took.
    """

    pixels: np.ndarray
    shown: np.ndarray | None
    box: tuple[int, int, int, int]
    seconds: float


def serve(descriptor: int) -> None:
    """Answers over an inherited socket until the server closes it."""
    channel = socket.socket(fileno=descriptor)
    with contextlib.suppress(OSError):
        settings, _ = frames.receive(channel, 1 << 20)
        geometry, limits = Geometry(*settings["geometry"]), Limits(*settings["limits"])
        confine(settings["memory"])
        frames.send(channel, {})  # ready
        while True:
            fields, data = frames.receive(channel, limits.bytes)
            allow_processor(limits.decoding)
            frames.send(channel, *answered(bytes(data), geometry, limits, fields["picture"]))


def answered(data: bytes, geometry: Geometry, limits: Limits, picture: bool) -> tuple[dict, bytes]:
    """The frame that says what `sight` found, or why it found nothing."""
    try:
        pixels, shown, box, seconds = sight(data, geometry, limits, picture)
    except Refused as error:
        return {"code": error.code, "error": str(error)}, b""
    except UserError as error:
        return {"code": 422, "error": str(error)}, b""
    except MemoryError:
        return {"code": 422, "error": too_much(limits)}, b""
    fields = {"box": list(map(int, box)), "seconds": seconds}
    fields["shown"] = None if shown is None else list(shown.shape[:2])
    return fields, pixels.tobytes() + (b"" if shown is None else shown.tobytes())


def sight(data: bytes, geometry: Geometry, limits: Limits, picture: bool) -> Sight:
    """A file's bytes -> what network and page need of it: the pixels that `jaxsent predict` sees.

    Raises:
      Refused: as `admit`.
      UserError: it does not decode.
    """
    began = time.perf_counter()
    admit(data, limits)
    image, whole = photograph.read_near(_named(data), geometry.resize or geometry.image_size)
    view = look(image, geometry)
    seconds = time.perf_counter() - began
    if not picture:
        return Sight(view.pixels, None, view.box, seconds)
    shown = image
    if image.shape[:2] != whole:  # decoded at a part of its size, perhaps too small a part
        shown, _ = photograph.read_near(_named(data), PHOTO // 2)
    height, width = shown.shape[:2]
    across = min(PHOTO, width, max(TALLEST * PHOTO * width // height, 1))
    if width > across:
        size = across, max(round(height * across / width), 1)
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
    scale = shown.shape[1] / image.shape[1]
    box = tuple(round(value * scale) for value in view.box)
    return Sight(view.pixels, np.ascontiguousarray(shown), box, seconds)


def too_much(limits: Limits) -> str:
    """For a person whose photograph was given up."""
    return (
        f"The photograph: decoding it takes more than {limits.memory / 1e6:,.0f} MB or "
        f"{limits.decoding:g} seconds, or breaks the decoder. Save it anew, or smaller."
    )


def confine(memory: int) -> None:
    """Bounds this process: `memory` bytes beside its libraries, and no byte to any file.

    One thread a library, since each thread reserves memory; processes decode side by side. Systems
    without such limits are left with the time that the server allows.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with contextlib.suppress(ImportError):
        from pillow_heif import options

        options.DECODE_THREADS = 1
    photograph.formats()  # loads what it needs of libraries
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def allow_processor(seconds: float) -> None:
    """Lets the kernel end this process after that many more seconds of the processor."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = usage.ru_utime + usage.ru_stime
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent + seconds) + 1, hard))


def _named(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = "The photograph"  # what messages call it
    return file
