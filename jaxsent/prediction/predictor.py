"""A trained network for photographs: one, a list, or a stream of them."""

import collections
import concurrent.futures
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.data import augment, photograph
from jaxsent.errors import UserError
from jaxsent.prediction import engines
from jaxsent.prediction.prediction import Prediction, polarity_of
from jaxsent.run.card import Card

SHIPPED = Path(__file__).parents[1] / "assets" / "photographs" / "model.safetensors"
"""The model that answers where none is named; its card is beside it (docs/photographs.md)."""
BATCH = 32  # photographs at a time in a stream


class Predictor:
    """Callable on photographs, and a scikit-learn classifier in its names.

    A photograph is whatever photograph.read takes: a path, bytes, a Pillow image or an array.

    Args:
      card: names and geometry.
      network: (B, S, S, 3) uint8 -> predictions of inference.predict_step, as NumPy arrays.
    """

    def __init__(self, card: Card, network: Callable[[np.ndarray], dict[str, np.ndarray]]):
        self.card, self.network = card, network
        self.classes_ = np.array(card.classes)

    def __call__(self, photos) -> Prediction | list[Prediction]:
        """A photograph -> Prediction; a list or tuple of them -> list. Raises UserError."""
        if not isinstance(photos, (list, tuple)):
            return next(self._batch([look(photos, self.card)]))
        results = [result for _, result in self.stream(photos)]
        for result in results:
            if isinstance(result, UserError):
                raise result
        return results

    def stream(self, photos: Iterable) -> Iterator[tuple[object, Prediction | UserError]]:
        """Pairs of photograph and what is said of it, in order, in constant memory.

        A photograph that cannot be read comes with its UserError, and the rest go on.
        """
        for batch in self._ahead(photos):
            predictions = self._batch([view for _, view in batch if isinstance(view, View)])
            for photo, view in batch:
                yield photo, next(predictions) if isinstance(view, View) else view

    def predict(self, photos) -> np.ndarray:
        """N photographs, or one -> (N,) most probable classes (scikit-learn's name)."""
        return np.array([p.label for p in self(_several(photos))])

    def predict_proba(self, photos) -> np.ndarray:
        """N photographs, or one -> (N, K) float32, columns in the order of `classes_`."""
        photos = _several(photos)
        order = {name: i for i, name in enumerate(self.card.classes)}
        rows = np.zeros((len(photos), len(order)), np.float32)
        for row, p in zip(rows, self(photos), strict=True):
            row[[order[name] for name in p.labels]] = p.probabilities
        return rows

    def embed(self, photos) -> np.ndarray:
        """N photographs, or one -> (N, n) float32, what the classifier reads: for search and plots.

        Raises:
          UserError: one cannot be read, or the model is an ONNX or StableHLO file: it has none.
        """
        parts = []
        for batch in self._ahead(_several(photos)):
            for _, view in batch:
                if isinstance(view, UserError):
                    raise view
            out = self.network(_stacked([view for _, view in batch]))
            if "embedding" not in out:
                raise UserError("This file keeps no embeddings; ask the run that it was made from.")
            parts.append(out["embedding"][: len(batch)])
        if not parts:
            raise UserError("Expected photographs; found none.")
        return np.concatenate(parts)

    def _ahead(self, photos: Iterable) -> Iterator[list[tuple]]:
        """Batches of (photograph, View or UserError), the next read while one is used."""
        photos, waiting = iter(photos), collections.deque()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            while True:
                while len(waiting) < 2 and (chunk := list(itertools.islice(photos, BATCH))):
                    waiting.append([(photo, pool.submit(self._look, photo)) for photo in chunk])
                if not waiting:
                    return
                yield [(photo, future.result()) for photo, future in waiting.popleft()]

    def _look(self, photo) -> "View | UserError":
        try:
            return look(photo, self.card)
        except UserError as error:
            return error

    def _batch(self, views: list["View"]) -> Iterator[Prediction]:
        if not views:
            return
        pixels = _stacked(views)
        began = time.perf_counter()
        out = self.network(pixels)
        share = (time.perf_counter() - began) / len(views)
        self._check(out, len(views))
        for i, view in enumerate(views):
            yield self._prediction({name: array[i] for name, array in out.items()}, view, share)

    def _check(self, out: dict[str, np.ndarray], count: int) -> None:
        """Raises UserError for answers that no whole network gives."""
        probabilities, card = out["class_probabilities"][:count], self.card
        detected = out.get("detect_probabilities", np.zeros((count, len(card.emotions))))
        counts = probabilities.shape[-1], detected.shape[-1]
        if counts != (len(card.classes), len(card.emotions)):
            raise UserError(
                f"The model names {len(card.classes)} classes and {len(card.emotions)} emotions, "
                f"and its network answers with {counts[0]} and {counts[1]}: it is damaged."
            )
        if not all(np.isfinite(values[:count]).all() for values in (probabilities, detected)):
            raise UserError("The network's answer is no finite number: its weights are damaged.")

    def _prediction(self, out: dict[str, np.ndarray], view: "View", seconds: float) -> Prediction:
        """One row of the network's predictions, by names."""
        classes, emotions = self.card.classes, self.card.emotions
        probabilities = out["class_probabilities"]
        order = np.argsort(-probabilities, kind="stable")
        maps = np.moveaxis(out["class_maps"], -1, 0) if "class_maps" in out else ()
        mapped = emotions or classes  # without a detection branch maps are of the classes
        rules = self.card.rules
        strangeness = float(out["strangeness"]) if "strangeness" in out else None
        measured = rules.strangeness is not None and strangeness is not None
        familiar = strangeness <= rules.strangeness if measured else None
        sure = None
        if rules.sure is not None:
            sure = bool(probabilities[order[0]] >= rules.sure) and familiar is not False
        return Prediction(
            labels=tuple(classes[i] for i in order),
            probabilities=probabilities[order],
            polarity=polarity_of(classes, probabilities),
            sentiment_map=out.get("sentiment_map"),
            class_maps=dict(zip(mapped, maps)),
            emotions=dict(zip(emotions, map(float, out.get("detect_probabilities", ())))),
            photo=view.photo,
            box=view.box,
            seconds=view.seconds + seconds,
            ratings=dict(zip(self.card.ratings, map(float, out.get("affect", ())))),
            strangeness=strangeness,
            familiar=familiar,
            sure=sure,
        )


def _stacked(views: list["View"]) -> np.ndarray:
    """(1 or BATCH, S, S, 3): two sizes only, since every other would be compiled anew."""
    size = 1 if len(views) == 1 else BATCH
    pixels = np.zeros((size, *views[0].pixels.shape), np.uint8)
    pixels[: len(views)] = [view.pixels for view in views]
    return pixels


def _several(photos) -> list:
    """A path is one photograph, though Python would take its letters for many."""
    return [photos] if photograph.is_one(photos) else list(photos)


class View(NamedTuple):
    """The part of a photograph that a network sees.

    Attributes:
      photo: the photograph as given.
      pixels: (S, S, 3) uint8.
      box: where that is in the photograph, in its pixels.
      seconds: what reading it took.
    """

    photo: object
    pixels: np.ndarray
    box: augment.Box
    seconds: float


def look(photo, card: Card) -> View:
    """Reads a photograph and cuts out what the network sees, as evaluation does.

    Where the card's `resize` is 0, that is all of it, whatever its shape.

    Raises:
      UserError: it cannot be read.
    """
    began = time.perf_counter()
    if hasattr(photo, "read"):
        photo = photo.read()  # once only, and the prediction's image is read again
    image, (h, w) = photograph.read_near(photo, card.resize or card.image_size)
    if not card.resize:
        side = card.image_size
        pixels = augment.resize(image, side, side, card.interpolation)
        return View(photo, pixels, (0, 0, h, w), time.perf_counter() - began)
    short = min(h, w)
    resized = augment.resize(
        image, card.resize * h // short, card.resize * w // short, card.interpolation
    )
    scale = short / card.resize
    box = tuple(round(v * scale) for v in augment.centre_box(resized, card.image_size))
    pixels = augment.centre_crop(resized, card.image_size)
    return View(photo, pixels, box, time.perf_counter() - began)


def load(model: str | Path | None = None, engine: str = "auto") -> Predictor:
    """A predictor of a trained network. Programs that JAX compiles for it are kept for next time.

    Args:
      model: None for the model of photographs that comes with jaxsent; a run's folder, for its
        best checkpoint; a `.jaxexport`, `.onnx` or `.safetensors` that `jaxsent export` wrote; a
        folder that `jaxsent push` wrote; or "hf:OWNER/NAME".
      engine: "auto", "jax" or "onnx", see engines.start.

    Raises:
      UserError: there is no such model, it is damaged, or the engine cannot run it.
    """
    started = engines.start(SHIPPED if model is None else model, engine)
    return Predictor(started.card, started.network)
