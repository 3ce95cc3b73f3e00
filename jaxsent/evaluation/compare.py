"""Finished runs side by side, with a paired bootstrap on the images that they share."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.errors import UserError

MEASURES = {
    "accuracy": "accuracy",
    "ten_crop_accuracy": "ten crops",
    "polarity_accuracy": "polarity",
    "detection_accuracy": "detection branch",
    "macro_f1": "macro-F1",
    "loss": "loss",
    "ece": "calibration error",
    "sentiment_map.f": "sentiment map F",
    "sentiment_map.mae": "sentiment map MAE",
    "attention.cc": "attention CC",
}


class Compared(NamedTuple):
    """How much more often the second of two runs is right than the first, on the same images.

    Attributes:
      images: N, the labelled images that both predicted.
      difference: in accuracy.
      interval: its 95 % interval, images resampled in pairs.
      p: two-sided, of a difference as large where neither is better (McNemar's exact test).
      gained, lost: images that only the second, or only the first, named right.
    """

    images: int
    difference: float
    interval: tuple[float, float]
    p: float
    gained: int
    lost: int


def read(run: Path) -> dict:
    """results.json of a run. Raises UserError where it has none."""
    path = run / "report" / "results.json"
    if not path.is_file():
        raise UserError(f"{run}: expected a finished run with report/results.json in it.")
    return json.loads(path.read_text())


def correct(run: Path) -> dict[str, bool]:
    """{file: named right} of a run's labelled test images, as report/predictions.csv has them."""
    path = run / "report" / "predictions.csv"
    if not path.is_file():
        raise UserError(f"{run}: expected a finished run with report/predictions.csv in it.")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            r["file"]: r["label"] == r["prediction"] for r in csv.DictReader(file) if r["label"]
        }


def paired(first: dict[str, bool], second: dict[str, bool], resamples=10_000, seed=0) -> Compared:
    """Two runs' right answers by file -> their difference on the shared files.

    Raises:
      UserError: they share no image.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise UserError("The runs share no test image; compare runs on the same set and split.")
    change = np.array([int(second[f]) - int(first[f]) for f in shared])
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    n = len(shared)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, [gained / n, lost / n, 1 - (gained + lost) / n], size=resamples)
    low, high = np.quantile((draws[:, 0] - draws[:, 1]) / n, [0.025, 0.975])
    return Compared(n, (gained - lost) / n, (low, high), mcnemar(gained, lost), gained, lost)


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value of the discordant pairs: a fair coin's."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def measures(results: dict) -> dict[str, float | None]:
    """results.json -> the values of MEASURES."""
    values = {}
    for path in MEASURES:
        value = results
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        values[path] = value
    return values
