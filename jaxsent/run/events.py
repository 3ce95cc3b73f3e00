"""TensorBoard's file of a run. The only file that knows tensorboardX.

Written by the training itself: the thread that a SummaryWriter starts ends where a disk is full,
and the training then waits for it for ever.
"""

import contextlib
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from jaxsent.files import unwritable

FLUSHED = 30.0
"""Seconds after which TensorBoard sees what was added."""


class TensorBoard:
    """`events.*` in a run's folder.

    Args:
      workdir: folder of the run.
      start: the step that it goes on from; later steps of earlier files count no more.

    Raises:
      UserError: it cannot be written; `numbers` raises it too.
    """

    def __init__(self, workdir: Path, start: int):
        self.workdir, self.flushed = workdir, time.monotonic()
        try:
            self.writer = EventsWriter(str(workdir / "events"))
        except OSError as error:
            raise unwritable(workdir, error) from error
        if start:
            log = SessionLog(status=SessionLog.SessionStatus.Value("START"))
            self._write(Event(wall_time=time.time(), step=start + 1, session_log=log))

    def config(self, values: dict) -> None:
        """Not shown: config.json lies beside the events."""

    def numbers(self, step: int, values: dict[str, float]) -> None:
        """Adds numbers by their names."""
        for name, value in values.items():
            self._write(Event(wall_time=time.time(), step=step, summary=scalar(name, value)))
        if time.monotonic() - self.flushed > FLUSHED:
            try:
                self.writer.flush()
            except OSError as error:
                raise unwritable(self.workdir, error) from error
            self.flushed = time.monotonic()

    def close(self) -> None:
        """Closes the file; what a full disk does not take of its end is lost."""
        with contextlib.suppress(OSError):
            self.writer.close()

    def _write(self, event) -> None:
        try:
            self.writer.write_event(event)
        except OSError as error:
            raise unwritable(self.workdir, error) from error
