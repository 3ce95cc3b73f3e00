"""SIGTERM and Ctrl-C: a training saves its state and ends; the same command goes on from there."""

import signal
import time

import jax
import numpy as np

from jaxsent.console import console
from jaxsent.run import sharding

ASKED = 2.0
"""Seconds between two times that many hosts ask each other whether one was told to stop."""


class Interrupted(Exception):
    """Training stopped on request, after its state was saved: `signal`'s number, after `step`."""

    def __init__(self, number: int, step: int):
        super().__init__(
            f"Stopped by {signal.Signals(number).name} at step {step}; all is saved, "
            "the same command goes on from there."
        )
        self.signal, self.step = number, step


class StopSignal:
    """Turns SIGINT and SIGTERM into a question, asked between two steps, and between two batches of
    a validation.

    A second signal ends the program as usual. So does one before `listen`: Python calls no handler
    while XLA compiles, and there is nothing to save yet.
    """

    def __init__(self):
        self.number, self.before = 0, {}
        self.next, self.asked = 0, (0, 0.0)  # on many hosts: when to ask, and when they were asked

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._restore()

    def listen(self) -> None:
        """Takes signals from now on; called again, it changes nothing."""
        if not self.before:
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._note)

    def _note(self, number, frame):
        self.number = number
        console.print(f"{signal.Signals(number).name}: saving after this step.")
        self._restore()

    def _restore(self):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def agreed(self) -> bool:
        """Whether to stop now; all hosts ask, and get the same answer."""
        self.number = int(sharding.gather(np.int32([[self.number]])).max())
        return self.number != 0

    def requested(self, step: int, every: int) -> bool:
        """Whether to stop after `step`.

        Hosts agree: they ask each other about every ASKED seconds, by the slowest one's clock, and
        after `every` steps at the latest.
        """
        if jax.process_count() == 1:
            return self.number != 0
        if step < self.next:
            return False
        (before, then), now = self.asked, time.monotonic()
        pace = (now - then) / (step - before)  # seconds a step
        numbers, paces = sharding.gather(np.float32([[self.number, pace]])).T
        self.number, self.asked = int(numbers.max()), (step, now)
        self.next = step + int(np.clip(ASKED / max(paces.max(), 1e-6), 1, every))
        return self.number != 0
