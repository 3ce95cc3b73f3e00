"""Photographs on their way here: they hold no place in the queue, and little memory for long."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

from fastapi import Request

from jaxsent.app.limits import Limits, Refused, too_heavy


@dataclasses.dataclass(eq=False)
class Upload:
    """One that has begun: when its time is up, and the bytes that it has brought."""

    time: asyncio.Timeout
    size: int = 0


class Uploads:
    """All of them. Together with those that wait for an answer they hold a queue full of memory.

    Args:
      limits: of one photograph; `waiting` times its bytes are those of all.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.room = limits.waiting * limits.bytes
        self._arriving: dict[Upload, None] = {}  # the oldest first

    @contextlib.asynccontextmanager
    async def body(self, request: Request, deadline: float) -> AsyncIterator[bytearray]:
        """The whole body, counted for as long as the context is open.

        Args:
          request: of a client.
          deadline: by the loop's clock.

        Raises:
          Refused: 413 where it is too large; 408 where it does not arrive in time; 503 where there
            is no memory for it.
          ClientDisconnect: nobody is there any more.
        """
        upload, data = Upload(asyncio.timeout_at(deadline)), bytearray()
        try:
            try:
                async with upload.time:
                    self._arriving[upload] = None
                    async for part in request.stream():
                        if len(data) + len(part) > self.limits.bytes:
                            raise too_heavy(self.limits)
                        self._take(upload, len(part))
                        data += part
            except TimeoutError:
                raise Refused(408, "The photograph did not arrive in time.") from None
            finally:
                self._arriving.pop(upload, None)
            yield data
        finally:
            self.room += upload.size

    def _take(self, upload: Upload, size: int) -> None:
        """Counts bytes. The oldest that still arrive make room: else a few that never end would
        keep everybody out. Raises Refused, 503, where there are none.
        """
        while self.room < size:
            oldest = next(iter(self._arriving))
            if oldest is upload:
                raise Refused(503, "Too many photographs arrive at once. Try again soon.")
            del self._arriving[oldest]
            oldest.time.reschedule(0)
            self.room, oldest.size = self.room + oldest.size, 0
        self.room -= size
        upload.size += size


def check_headers(request: Request, limits: Limits) -> None:
    """Raises Refused, before a byte arrives: 415 for a form, 413 for a body that is too large."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Refused(
            415,
            "Expected the bytes of a photograph as the body, found a form. With curl: "
            "--data-binary @photo.jpg",
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.bytes:
        raise too_heavy(limits)
