"""Schedules by their definition; SGD against torch's update rule written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from jaxsent.training import optim

PARAMS = {"backbone": {"w": jnp.asarray([1.0, -2.0])}, "head": {"w": jnp.asarray([3.0])}}
GRADS = {"backbone": {"w": jnp.asarray([0.5, 0.25])}, "head": {"w": jnp.asarray([-1.0])}}


def config(**values):
    c = base.get_config().optim
    c.update(values)
    return c


def test_step_schedule_counts_epochs():
    factor = optim.schedule(config(schedule="step", decay_every=2.0), 10, 60)
    expected = [0.1 ** (s // 20) for s in range(60)]
    np.testing.assert_allclose([factor(s) for s in range(60)], expected, rtol=1e-5)


def test_warm_up_then_the_same_steps():
    factor = optim.schedule(config(schedule="step", decay_every=2.0, warmup=0.5), 10, 60)
    values = [float(factor(s)) for s in range(60)]
    np.testing.assert_allclose(values[:5], [0, 0.2, 0.4, 0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(values[5:], [0.1 ** (s // 20) for s in range(5, 60)], rtol=1e-5)


def test_cosine_and_constant():
    factor = optim.schedule(config(schedule="cosine", warmup=1.0), 10, 110)
    expected = [0.5 * (1 + np.cos(np.pi * (s - 10) / 100)) for s in range(10, 110)]
    np.testing.assert_allclose([factor(s) for s in range(10, 110)], expected, atol=1e-5)
    assert float(optim.schedule(config(schedule="constant"), 10, 60)(59)) == 1


def test_unknown_schedule():
    with pytest.raises(ValueError, match="expected one of step"):
        optim.schedule(config(schedule="poly"), 10, 60)


@pytest.mark.parametrize("frozen", [False, True])
def test_sgd_is_torchs(frozen):
    c = config(lr=0.1, backbone_lr=0.01, momentum=0.9, weight_decay=0.05, schedule="constant")
    tx = optim.optimizer(c, optim.schedule(c, 10, 100), frozen)
    params, state = PARAMS, tx.init(PARAMS)
    velocity = {k: np.zeros_like(v["w"]) for k, v in PARAMS.items()}
    expected = {k: np.asarray(v["w"]) for k, v in PARAMS.items()}
    for _ in range(3):
        updates, state = tx.update(GRADS, state, params)
        params = jax.tree.map(lambda p, u: p + u, params, updates)
        for name, rate in (("backbone", 0.0 if frozen else 0.01), ("head", 0.1)):
            gradient = np.asarray(GRADS[name]["w"]) + 0.05 * expected[name]
            velocity[name] = 0.9 * velocity[name] + gradient
            expected[name] = expected[name] - rate * velocity[name]
    for name in PARAMS:
        np.testing.assert_allclose(params[name]["w"], expected[name], rtol=1e-5)


def test_clipping_bounds_the_whole_gradient():
    c = config(lr=1.0, backbone_lr=1.0, momentum=0.0, weight_decay=0.0, clip=0.5)
    tx = optim.optimizer(c, lambda _: 1.0, False)
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    norm = np.sqrt(sum(float((u**2).sum()) for u in jax.tree.leaves(updates)))
    assert norm == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_adamw_is_torchs(frozen):
    """torch.optim.AdamW's rule, written out: decay by the rate, not among the gradients."""
    c = config(name="adamw", lr=0.1, backbone_lr=0.01, momentum=0.8, weight_decay=0.05,
               schedule="constant")  # fmt: skip
    tx = optim.optimizer(c, optim.schedule(c, 10, 100), frozen)
    params, state = PARAMS, tx.init(PARAMS)
    expected = {k: np.asarray(v["w"], np.float64) for k, v in PARAMS.items()}
    first = {k: np.zeros(len(v)) for k, v in expected.items()}
    second = {k: np.zeros(len(v)) for k, v in expected.items()}
    for step in range(1, 4):
        gradients = jax.tree.map(lambda g, step=step: g * step, GRADS)
        updates, state = tx.update(gradients, state, params)
        params = jax.tree.map(lambda p, u: p + u, params, updates)
        for name, rate in (("backbone", 0.0 if frozen else 0.01), ("head", 0.1)):
            g = np.asarray(GRADS[name]["w"], np.float64) * step
            first[name] = 0.8 * first[name] + 0.2 * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            m, v = first[name] / (1 - 0.8**step), second[name] / (1 - 0.999**step)
            old = expected[name]
            expected[name] = old - rate * 0.05 * old - rate * m / (np.sqrt(v) + 1e-8)
    for name, values in expected.items():
        np.testing.assert_allclose(params[name]["w"], values, rtol=1e-5)
