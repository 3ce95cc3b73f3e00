"""Two training steps move every parameter and every batch statistic as PyTorch moves them.

The references are of benchmarks/make_training_reference.py, in float64: networks written again in
PyTorch, torch's SGD with two groups, its BatchNorm2d in training mode. Dropout's masks, which two
libraries' chance cannot make alike, are the same fixed one in both (`tests.tensors.kept`).
"""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from jaxsent import models, pretrained
from jaxsent.models.settled import compiled
from jaxsent.pretrained import Preprocessing
from jaxsent.run.state import TrainState
from jaxsent.training import optim
from jaxsent.training.step import train_step
from tests import recipe, tensors
from tests.training import cases

REFERENCE = Path(__file__).parents[1] / "reference"
TERMS = 1e-3
"""Largest relative error of a loss term. That of how far a parameter went is the case's: float32
rounds what is subtracted to find it, and now and then puts a value on a ReLU's other side."""
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] * case.slow) for name, case in cases.CASES.items()
]


def config_of(case):
    c = base.get_config()
    c.data.class_target, c.data.detect_target, c.data.map = (
        case.class_target, case.detect_target, "region",
    )  # fmt: skip
    c.loss.detect, c.loss.detect_weight = case.detect, case.detect_weight
    c.optim.lr, c.optim.backbone_lr = case.rate * cases.LR, case.rate * cases.BACKBONE_LR
    c.optim.momentum, c.optim.weight_decay = cases.MOMENTUM, cases.WEIGHT_DECAY
    c.optim.schedule = "constant"
    return c


def stepped(case):
    """Our two steps -> the state dict before, the one after, the metrics of each step."""
    options = {"detect_classes": case.detect_classes} if case.detect_classes else {}
    model = models.build(case.network, case.classes, backbone=case.backbone, **options)
    batch = tensors.batch(0, case.batch, case.size, case.classes)
    shapes = jax.eval_shape(
        model.init, jax.random.key(0), jnp.zeros((1, case.size, case.size, 3), jnp.float32)
    )
    weights = recipe.state_dict(model, shapes)
    before = {key: cases.initial(key, array) for key, array in weights.items()}
    c = config_of(case)
    factor = optim.schedule(c.optim, 10, 100)
    tx = optim.optimizer(c.optim, factor, frozen=False)
    state = TrainState.create(pretrained.from_torch(before, model, shapes), tx, ema=False)
    polarity = jnp.asarray(cases.POSITIVE)
    preprocessing = Preprocessing(mean=cases.MEAN, std=cases.STD)
    step = compiled(train_step(model, tx, factor, c, polarity, preprocessing), donate_argnums=0)
    history = []
    for _ in range(cases.STEPS):
        state, metrics = step(state, batch)
        history.append(jax.device_get(metrics))
    return before, pretrained.to_torch(model, jax.device_get(state.variables())), history


def fixed_dropout(self, inputs, deterministic=None, rng=None):
    """In place of `nn.Dropout.__call__`: it drops the same channels every time."""
    if self.deterministic if deterministic is None else deterministic:
        return inputs
    mask = jnp.asarray(tensors.kept(inputs.shape[-1], self.rate), inputs.dtype)
    return inputs * mask.reshape((1,) * (inputs.ndim - 1) + (-1,))


@pytest.mark.parametrize("name", NAMES)
def test_two_steps_are_pytorchs(name, monkeypatch):
    monkeypatch.setattr(nn.Dropout, "__call__", fixed_dropout)
    case = cases.CASES[name]
    before, after, history = stepped(case)
    with np.load(REFERENCE / f"training_{name}.npz") as file:
        expected = dict(file)
    for key in [key for key in expected if key.startswith("step/")]:
        found = [metrics[key.removeprefix("step/")] for metrics in history]
        np.testing.assert_allclose(found, expected[key], rtol=TERMS, err_msg=key)
    splits = np.cumsum(expected["lengths"])[:-1]
    sketches = dict(
        zip(expected["names"].tolist(), np.split(expected["sketches"], splits), strict=True)
    )
    assert sketches.keys() == before.keys()
    errors = {}
    for key, sketch in sketches.items():
        moved = tensors.sketch(key, after[key].astype(np.float64) - before[key])
        errors[key] = np.linalg.norm(moved - sketch) / np.linalg.norm(sketch)
    worst = sorted(errors, key=errors.get)[::-1]
    print(name, [f"{key} {errors[key]:.1e}" for key in worst[:6]])
    wrong = [f"{key} {errors[key]:.1e}" for key in worst if not errors[key] < case.moved]
    assert not wrong, f"{len(wrong)} of {len(errors)} moved otherwise: {', '.join(wrong[:8])}"
