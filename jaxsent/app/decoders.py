"""The server's side of its decoders: asks them, ends those that hang, starts others."""

import concurrent.futures
import contextlib
import os
import queue
import socket
import subprocess
import sys

import numpy as np

from jaxsent.app import frames
from jaxsent.app.decoding import PHOTO, TALLEST, Geometry, Sight, too_much
from jaxsent.app.limits import Limits, Refused

STARTING = 60  # seconds that a process may take for its imports
COUNT = 2  # so that a photograph that takes its time holds up no other
PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from jaxsent.app import decoding; "
    "decoding.serve({descriptor})"
)
SECRETS = ("JAXSENT_AUTH",)  # not for a process that reads what strangers send
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Decoder:
    """One process of app.decoding. Not for several threads at once.

    Args:
      geometry: of the model.
      limits: of a photograph; `seconds` is also how long a silent process is waited for.
    """

    def __init__(self, geometry: Geometry, limits: Limits):
        self.geometry, self.limits = geometry, limits
        self.process: subprocess.Popen | None = None
        self.channel: socket.socket | None = None
        self.ready = self.closed = False
        self.start()

    def start(self) -> None:
        """Starts the process, and does not wait until it has."""
        self.ready = False
        self.channel, other = socket.socketpair()
        environment = {k: v for k, v in os.environ.items() if k not in SECRETS} | ENVIRONMENT
        program = PROGRAM.format(path=sys.path, descriptor=other.fileno())
        with other:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=(other.fileno(),),
                env=environment,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the server's
            )  # fmt: skip
        settings = {"geometry": self.geometry, "limits": self.limits, "memory": self.limits.memory}
        frames.send(self.channel, settings)

    def look(self, data: bytes, picture: bool) -> Sight:
        """Has a photograph decoded.

        Args:
          data: of its file.
          picture: whether `Sight.shown` is wanted.

        Raises:
          Refused: 413, 415 and 422 as decoding.answered; 422 too where the process ended over it,
            or had to be ended.
          OSError: it does not start.
        """
        if self.process.poll() is not None:
            self.restart()
        if not self.ready:
            frames.receive(self.channel, 2, STARTING)
            self.ready = True
        side = self.geometry.image_size
        largest = 3 * side * side + 3 * TALLEST * PHOTO * PHOTO + (1 << 20)
        try:
            self.channel.settimeout(self.limits.seconds)
            frames.send(self.channel, {"picture": picture}, data)
            fields, pixels = frames.receive(self.channel, largest, self.limits.seconds)
            return self._sight(fields, pixels)
        except (OSError, ValueError, KeyError, TypeError):  # whatever a broken process may say
            self.restart()
            raise Refused(422, too_much(self.limits)) from None

    def restart(self) -> None:
        """Another process instead of this one."""
        self._end()
        if not self.closed:
            self.start()

    def close(self) -> None:
        """Ends the process, whatever it is at."""
        self.closed = True
        self._end()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.channel.close()

    def _sight(self, fields: dict, pixels: bytearray) -> Sight:
        if "error" in fields:
            raise Refused(fields["code"], fields["error"])
        side = self.geometry.image_size
        view, photo = pixels[: 3 * side * side], pixels[3 * side * side :]
        shown = None
        if fields["shown"] is not None:
            shown = np.frombuffer(photo, np.uint8).reshape(*fields["shown"], 3)
        array = np.frombuffer(view, np.uint8).reshape(side, side, 3)
        return Sight(array, shown, tuple(fields["box"]), float(fields["seconds"]))


class Decoders:
    """COUNT of them side by side.

    Args:
      geometry: of the model.
      limits: of a photograph.
    """

    def __init__(self, geometry: Geometry, limits: Limits):
        self.all = [Decoder(geometry, limits) for _ in range(COUNT)]
        self._idle: queue.SimpleQueue[Decoder] = queue.SimpleQueue()
        for decoder in self.all:
            self._idle.put(decoder)
        self._threads = concurrent.futures.ThreadPoolExecutor(COUNT, "decoder")

    def submit(self, data: bytes, picture: bool) -> concurrent.futures.Future[Sight]:
        """As Decoder.look, by the next that is free."""
        return self._threads.submit(self._look, data, picture)

    def close(self) -> None:
        """Ends all of them; who waits for one is refused."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for decoder in self.all:
            with contextlib.suppress(OSError):
                decoder.close()

    def _look(self, data: bytes, picture: bool) -> Sight:
        decoder = self._idle.get()
        try:
            return decoder.look(data, picture)
        finally:
            self._idle.put(decoder)
