"""What the numbers of a config may be: the range of every numeric key of configs/base.py."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from jaxsent.errors import UserError


class Range(NamedTuple):
    """From `low` to `high`, both allowed unless `above` excludes low or `below` high.

    `rising`: of a pair, the first is at most the second.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    rising: bool = False

    def __contains__(self, value: float) -> bool:
        low = self.low < value if self.above else self.low <= value
        high = value < self.high if self.below else value <= self.high
        return math.isfinite(value) and low and high

    def __str__(self) -> str:
        least = "above " if self.above else "from "
        most = " to less than " if self.below else " to "
        return f"{least}{self.low:,.10g}{most}{self.high:,.10g}" + (
            ", rising" if self.rising else ""
        )


PROBABILITY = Range(0, 1)
COUNT = Range(1, 1_000_000)
WEIGHT = Range(0, 1e6)
EPOCHS = Range(0, 1e6, above=True)
SIDE = Range(1, 8192)
RANGES = {
    "seed": Range(0, 2**32 - 1),
    "model.num_classes": Range(2, 100_000),
    "model.detect_classes": Range(1, 10_000),
    "model.maps_per_class": Range(1, 1024),
    "model.gcn_widths": Range(1, 65_536),
    "model.regress_mean": Range(-1e6, 1e6),
    "model.regress_std": Range(0, 1e6, above=True),
    "model.kmax": Range(0, 10_000, above=True),
    "model.kmin": Range(0, 10_000),
    "model.alpha": Range(0, 10),
    "model.sharpness": Range(0, 1000, above=True),
    "input.mean": Range(-1000, 1000),
    "input.std": Range(0, 1000, above=True),
    "data.workers": Range(-1, 1024),
    "data.keep": Range(0, 1e6),
    "data.crops": Range(0, 10_000),
    "data.image_size": Range(0, 8192),
    "augment.scale": Range(0, 1, above=True, rising=True),
    "augment.ratio": Range(0, 100, above=True, rising=True),
    "augment.resize": SIDE,
    "augment.flip": PROBABILITY,
    "augment.randaugment": Range(0, 30),
    "augment.mixup": Range(0, 100),
    "train.batch_size": COUNT,
    "train.epochs": EPOCHS,
    "train.steps": Range(0, 1e9),
    "train.accumulate": COUNT,
    "train.ema": Range(0, 1, below=True),
    "train.log_every": Range(1, 1e9),
    "train.validate_every": EPOCHS,
    "train.checkpoint_every": Range(1, 1e9),
    "optim.lr": Range(0, 1000),
    "optim.backbone_lr": Range(0, 1000),
    "optim.momentum": Range(0, 1, below=True),
    "optim.weight_decay": Range(0, 10),
    "optim.decay_every": EPOCHS,
    "optim.decay_rate": Range(0, 1, above=True),
    "optim.warmup": Range(0, 1e6),
    "optim.clip": Range(0, 1e9),
    "loss.class_weight": WEIGHT,
    "loss.class_weights": WEIGHT,
    "loss.detect_weight": WEIGHT,
    "loss.distribution_weight": PROBABILITY,
    "loss.distribution_sigma": Range(0, 100, above=True),
    "loss.affect_weight": WEIGHT,
    "eval.batch_size": COUNT,
    "eval.resize": SIDE,
    "eval.boxes": Range(0, 100_000),
    "eval.examples": Range(0, 1000),
}
LENGTHS = {
    "augment.scale": 2, "augment.ratio": 2, "augment.randaugment": 2, "input.mean": 3,
    "input.std": 3,
}  # fmt: skip
INSTEAD = {"augment.randaugment": [()], "loss.class_weights": [(), ("balanced",)]}
"""What a key takes in place of numbers."""


def check(config) -> None:
    """Raises UserError for a number outside its range, or a tuple that is not as long as it is."""
    for key, value in numbers(config):
        values = value if isinstance(value, tuple) else (value,)
        if not all(is_number(v) for v in values):
            words = [" or ".join(word) for word in INSTEAD.get(key, ()) if word]
            raise UserError(f"{key}={value!r}: expected {' or '.join(['numbers', *words])}.")
        length = LENGTHS.get(key, len(values))
        allowed = RANGES[key]
        rising = not allowed.rising or list(values) == sorted(values)
        if len(values) != length or not all(v in allowed for v in values) or not rising:
            many = f"{length} numbers, each " if key in LENGTHS else ""
            raise UserError(f"{key}={value}: expected {many}{allowed}.")


def numbers(config) -> Iterator[tuple[str, object]]:
    """The keys of RANGES that are set in a config, each with its number or tuple of them."""
    for key in RANGES:
        section, _, name = key.rpartition(".")
        part = config[section] if section else config
        if name in part and part[name] is not None and part[name] not in INSTEAD.get(key, ()):
            yield key, part[name]


def is_number(value) -> bool:
    """Whether it is an int or a float; True and False are neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
