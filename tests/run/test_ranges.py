"""No number of a config is taken that no training could mean."""

import importlib

import pytest

from configs import base
from jaxsent.errors import UserError
from jaxsent.run import checks, ranges
from tests.test_configs import CONFIGS, OWN


def leaves(config, path=""):
    for key in config:
        if hasattr(config[key], "keys"):
            yield from leaves(config[key], f"{path}{key}.")
        else:
            yield f"{path}{key}", config[key]


PLACEHOLDERS = {
    "model.num_classes", "model.regress_mean", "model.regress_std", "input.mean", "input.std",
    "augment.randaugment", "loss.class_weights",
}  # fmt: skip
"""Numeric keys that are unset, or (), by default."""


def is_numeric(value) -> bool:
    return ranges.is_number(value) or (
        isinstance(value, tuple) and len(value) > 0 and all(map(ranges.is_number, value))
    )


def test_every_numeric_key_has_its_range():
    numeric = {key for key, value in leaves(base.get_config()) if is_numeric(value)}
    assert set(ranges.RANGES) == numeric | PLACEHOLDERS


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - OWN))
def test_every_config_is_within_them(name):
    ranges.check(importlib.import_module(f"configs.{name}").get_config())


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train.epochs", float("nan"), "above 0 to 1,000,000"),
        ("train.epochs", 0.0, "above 0"),
        ("train.log_every", 0, "from 1 to"),
        ("train.ema", 2.0, "from 0 to less than 1"),
        ("train.ema", 1.0, "less than 1"),
        ("train.batch_size", 10**9, "from 1 to 1,000,000"),
        ("train.batch_size", -8, "from 1"),
        ("optim.lr", -1.0, "from 0 to 1,000"),
        ("optim.lr", 1e30, "from 0 to 1,000"),
        ("optim.lr", float("inf"), "from 0 to 1,000"),
        ("augment.flip", 7.0, "from 0 to 1"),
        ("augment.scale", (1.0, 0.5), "2 numbers, each above 0 to 1, rising"),
        ("augment.scale", (0.5,), "2 numbers"),
        ("augment.scale", (0.0, 1.0), "above 0"),
        ("augment.ratio", (3 / 4, "x"), "expected numbers"),
        ("model.gcn_widths", (0, 0), "from 1 to"),
        ("model.regress_std", (1.0, 0.0), "above 0"),
        ("input.std", (1.0, 1.0, 0.0), "3 numbers, each above 0"),
        ("input.mean", (float("nan"),) * 3, "3 numbers"),
        ("augment.mixup", -0.2, "from 0 to 100"),
        ("loss.class_weights", (1.0, -1.0), "from 0"),
        ("loss.class_weights", ("even",), "expected numbers or balanced"),
        ("seed", -1, "from 0"),
        ("eval.examples", True, "expected numbers"),
    ],
)  # fmt: skip
def test_what_lies_outside_is_refused_with_the_range(key, value, expected):
    config = base.get_config()
    section, _, name = key.rpartition(".")
    part = config[section] if section else config
    with part.ignore_type(), part.unlocked():
        part[name] = value
    with pytest.raises(UserError, match=f"^{key}=.*{expected}"):
        checks.check(config)
