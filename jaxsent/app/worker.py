"""One thread that asks the network, and the queue before it."""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from jaxsent.app.limits import Limits, Refused, admit
from jaxsent.data import photograph
from jaxsent.errors import UserError
from jaxsent.prediction.prediction import Prediction

Answer = TypeVar("Answer")


class Worker:
    """Looks at photographs one after another, so that many visitors slow but do not stop it.

    Args:
      predictor: (H, W, 3) uint8 -> Prediction.
      limits: of the photographs and of the queue.
    """

    def __init__(self, predictor: Callable[[np.ndarray], Prediction], limits: Limits):
        self.predictor, self.limits = predictor, limits
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "network")
        self.waiting = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, held from a request's first byte to its answer.

        Raises:
          Refused: 503, there is none.
        """
        if self.waiting >= self.limits.waiting:
            raise Refused(503, f"{self.waiting} photographs are waiting already. Try again soon.")
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    def warm_up(self) -> None:
        """Compiles the network, which takes seconds, before anyone waits for it."""
        self.predictor(np.zeros((64, 64, 3), np.uint8))

    async def ask(self, data: bytes, tell: Callable[[Prediction], Answer]) -> Answer:
        """What `tell` makes of the prediction, in the thread as well: it draws maps.

        Raises:
          Refused: 413 and 415 as `admit`; 422 where the photograph does not decode.
        """
        answer = self._thread.submit(self._answer, data, tell)
        return await asyncio.wrap_future(answer)  # who stops waiting takes it off the queue

    def close(self) -> None:
        """Lets what waits go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, data, tell):
        admit(data, self.limits)
        try:
            return tell(self.predictor(photograph.decode(data, "The photograph")))
        except UserError as error:
            raise Refused(422, str(error)) from None
