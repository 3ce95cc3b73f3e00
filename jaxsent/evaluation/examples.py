"""Which images a report shows: the best, the worst, some at random, and where detection failed."""

import heapq
import math
import zlib

import numpy as np

from jaxsent.data import augment
from jaxsent.evaluation.maps import truth_map
from jaxsent.report import Example
from jaxsent.report.pictures import shrink

WIDTH = 640  # pixels an example is kept at
KINDS = ("best", "worst", "imprecise", "incomplete", "misled", "random")


class Examples:
    """Keeps `most` images of each kind while a split streams by.

    Best: named right with the highest probability, evenly over the classes. Worst: the truth was
    given the least. Random: by a digest of seed and name, so the same for every network on a split;
    a network that names no class has these alone, among them those of unknown label. Where there
    are true regions (or fixation maps) also the failures of detection that WSCNet's Fig. 11 tells
    apart, see `failure`.
    """

    def __init__(self, classes: tuple[str, ...], most: int, seed: int):
        self.classes, self.most, self.seed = classes, most, seed
        self.heaps: dict[tuple, list] = {}

    def offer(self, batch: dict, out: dict) -> None:
        """Takes what it needs of one batch (this host's part).

        Args:
          batch: of eval_batches with `whole`.
          out: predictions of inference.predict_step on it, truth (b,) and, where the sentiment map
            was compared with a region, overlap (b, 2): precision and recall.
        """
        known = out["truth"] >= 0 if "class_probabilities" in out else True
        for i in np.flatnonzero(batch["mask"] & known):
            digest = zlib.crc32(f"{self.seed}/{batch['file'][i]}".encode())
            self._keep(("random",), -digest, self.most, batch, out, i)
            if "overlap" in out and np.isfinite(out["overlap"][i]).all():
                kind, score = failure(*out["overlap"][i])
                self._keep((kind,), -score, math.ceil(self.most / 3), batch, out, i)
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
        """The kept images by KINDS, each in its order."""
        kinds = {kind: [] for kind in KINDS}
        for (kind, *_), heap in self.heaps.items():
            if kind:
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
        def row(name):
            return out[name][i].copy() if name in out else None

        image, region = pictured(batch, i)
        truth = int(out["truth"][i])
        probabilities = row("class_probabilities")
        guess = None if probabilities is None else int(probabilities.argmax())
        return Example(
            kind=kind,
            image=image,
            sentiment_map=row("sentiment_map"),
            class_maps=row("class_maps"),
            map_probabilities=row("map_probabilities"),
            map_branch="detection branch" if "detect_probabilities" in out else "whole image",
            region=region,
            label=self.classes[truth] if truth >= 0 else "",
            prediction=None if guess is None else self.classes[guess],
            probability=None if guess is None else float(probabilities[guess]),
            probabilities=probabilities,
            overlap=row("overlap"),
            file=str(batch["file"][i]),
        )


def failure(precision: float, recall: float) -> tuple[str, float]:
    """Of one image -> how detection failed (WSCNet IV-F, Fig. 11), and the less the worse it did.

    "imprecise": over half of the region is covered, and more than it; "incomplete": most of what is
    covered is region, but half of the region or more is not; "misled": neither.
    """
    if recall > 0.5:
        return "imprecise", precision
    if precision > 0.5:
        return "incomplete", recall
    return "misled", precision + recall


def pictured(batch: dict, i: int) -> tuple[np.ndarray, np.ndarray | None]:
    """A batch's i-th photograph, at most WIDTH wide, and its true region or fixation map there."""
    photograph = augment.decode(batch["photograph"][i], str(batch["file"][i]))
    name = next((name for name in ("region", "fixation_map") if name in batch), None)
    if name is None:
        return shrink(photograph, WIDTH), None
    region = truth_map(batch, name, i, photograph.shape)
    return shrink(photograph, WIDTH), shrink(region, WIDTH)
