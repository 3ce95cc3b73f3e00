"""Which images a report shows: the best, the worst and some at random."""

import heapq
import math
import zlib

import numpy as np

from jaxsent.report import Example


class Examples:
    """Keeps `most` images of each kind while a split streams by.

    Best: named right with the highest probability, evenly over the classes. Worst: the truth was
    given the least. Random: by a digest of seed and name, so the same for every network on a split;
    a network that names no class has these alone.
    """

    def __init__(self, classes: tuple[str, ...], most: int, seed: int):
        self.classes, self.most, self.seed = classes, most, seed
        self.heaps: dict[tuple, list] = {}

    def offer(self, batch: dict, out: dict) -> None:
        """Takes what it needs of one batch (this host's part)."""
        for i in np.flatnonzero(batch["mask"] & (out["truth"] >= 0)):
            digest = zlib.crc32(f"{self.seed}/{batch['file'][i]}".encode())
            self._keep(("random",), -digest, self.most, batch, out, i)
            if "class_probabilities" not in out:
                continue
            truth, probabilities = int(out["truth"][i]), out["class_probabilities"][i]
            given = float(probabilities[truth])
            if probabilities.argmax() == truth:
                share = math.ceil(self.most / len(self.classes))
                self._keep(("best", truth), given, share, batch, out, i)
            else:
                self._keep(("worst",), -given, self.most, batch, out, i)

    def chosen(self) -> list[Example]:
        """The kept images: best, worst, random, each in its order."""
        kinds = {"best": [], "worst": [], "random": []}
        for (kind, *_), heap in self.heaps.items():
            kinds[kind] += heap
        return [
            example
            for kept in kinds.values()
            for *_, example in sorted(kept, key=lambda k: k[:2], reverse=True)[: self.most]
        ]

    def _keep(self, kind: tuple, score: float, most: int, batch, out, i) -> None:
        heap = self.heaps.setdefault(kind, [])
        key = (score, str(batch["file"][i]))  # a name never ties, so examples are not compared
        if len(heap) < most:
            heapq.heappush(heap, (*key, self._example(kind[0], batch, out, i)))
        elif most and heap[0][:2] < key:
            heapq.heapreplace(heap, (*key, self._example(kind[0], batch, out, i)))

    def _example(self, kind: str, batch, out, i) -> Example:
        image = batch["image"][i, -1] if batch["image"].ndim == 5 else batch["image"][i]

        def row(values, name):
            return values[name][i].copy() if name in values else None

        probabilities = row(out, "class_probabilities")
        guess = None if probabilities is None else int(probabilities.argmax())
        region = row(batch, "region")
        return Example(
            kind=kind,
            image=image.copy(),
            sentiment_map=row(out, "sentiment_map"),
            class_maps=row(out, "class_maps"),
            region=row(batch, "fixation_map") if region is None else region,
            label=self.classes[int(out["truth"][i])],
            prediction=None if guess is None else self.classes[guess],
            probability=None if guess is None else float(probabilities[guess]),
            probabilities=probabilities,
            file=str(batch["file"][i]),
        )
