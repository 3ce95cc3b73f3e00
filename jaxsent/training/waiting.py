"""What share of the time the devices had nothing to do, because the next batch was not there."""

import concurrent.futures
import contextlib
import time
from collections.abc import Iterable, Iterator

import jax


class Waiting:
    """Counts the seconds in which the loop waited for a batch and the step before was done.

    The loop reads ahead while a step runs, so its own waiting alone means nothing.
    """

    def __init__(self):
        self.seconds = 0.0
        self._watcher = concurrent.futures.ThreadPoolExecutor(1, "step")
        self._done = None  # when the last step is, as a future

    def over(self, batches: Iterable[dict]) -> Iterator[dict]:
        """The batches, those timed that follow a step."""
        batches = iter(batches)
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            if self._done is not None and self._done.done():
                self.seconds += time.perf_counter() - max(asked, self._done.result())
            yield batch

    def stepped(self, metrics) -> None:
        """Takes what the step that was just started will give."""
        self._done = self._watcher.submit(_when_ready, metrics)

    def restart(self) -> None:
        """Forgets the seconds."""
        self.seconds = 0.0

    def close(self) -> None:
        """Ends the thread that looks at the steps."""
        self._watcher.shutdown()


def _when_ready(metrics) -> float:
    with contextlib.suppress(Exception):  # the loop, which reads them too, tells of it
        jax.block_until_ready(metrics)
    return time.perf_counter()


def advice(workers: int, count: int, accelerator: bool) -> str:
    """What to set where `workers` processes, 0 for threads, of `count` cores are too slow."""
    more = min(max(2 * workers, 4), count - 1)
    if accelerator and more > workers:
        return f"data.workers={more}"
    return "a higher data.keep, or smaller photographs"
