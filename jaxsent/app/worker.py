"""The queue, the decoders, and the one thread that asks the network."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeVar

import cv2
import numpy as np

from jaxsent.app.decoders import Decoders
from jaxsent.app.decoding import Geometry, Sight
from jaxsent.app.limits import Limits, Refused
from jaxsent.prediction.prediction import Prediction
from jaxsent.prediction.predictor import Predictor

Answer = TypeVar("Answer")


class Worker:
    """Looks at photographs one after another, so that many visitors slow but do not stop it.

    Args:
      predictor: whose network answers.
      limits: of the photographs and of the queue.
    """

    def __init__(self, predictor: Predictor, limits: Limits):
        card = predictor.card
        self.limits = limits
        self.geometry = Geometry(card.resize, card.image_size, card.interpolation)
        # Decoders cut out what the network sees; nothing is left to resize or crop here.
        self.predictor = Predictor(card._replace(resize=0), predictor.network)
        self.waiting = 0

    def start(self) -> None:
        """Starts the decoders and compiles the network, before anyone waits for either."""
        self._decoders = Decoders(self.geometry, self.limits)
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "network")
        _, black = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))
        self._answer(self._decoders.submit(black.tobytes(), False).result(), Prediction.to_dict)

    def check_room(self, places: int | None = None) -> None:
        """Raises Refused, 503, where so many wait already; by default a queue's."""
        if self.waiting >= (self.limits.waiting if places is None else places):
            raise Refused(503, f"{self.waiting} photographs are waiting already. Try again soon.")

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, for a photograph that has arrived.

        There are twice as many as are promised: who was let in, and took a while to send, is not
        sent away because others were quicker.

        Raises:
          Refused: 503, there is none.
        """
        self.check_room(2 * self.limits.waiting)
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def ask(
        self, data: bytes, tell: Callable[[Prediction], Answer], picture: bool = False
    ) -> Answer:
        """What `tell` makes of the prediction, in the network's thread as well: it draws maps.

        Args:
          data: of a photograph's file.
          tell: what to make of the prediction.
          picture: whether it needs the photograph too.

        Raises:
          Refused: as Decoder.look.
        """
        # Who stops waiting takes either off its queue.
        sight = await asyncio.wrap_future(self._decoders.submit(data, picture))
        return await asyncio.wrap_future(self._thread.submit(self._answer, sight, tell))

    def close(self) -> None:
        """Lets what waits go."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._decoders.close()

    def _answer(self, sight: Sight, tell: Callable[[Prediction], Answer]) -> Answer:
        prediction = self.predictor(sight.pixels)
        shown = sight.pixels if sight.shown is None else sight.shown
        seconds = prediction.seconds + sight.seconds
        return tell(dataclasses.replace(prediction, photo=shown, box=sight.box, seconds=seconds))
