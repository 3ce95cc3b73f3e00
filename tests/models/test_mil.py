"""MIL's three bags by loops, its maps and its size."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsent.errors import UserError
from jaxsent.models import build, mil
from tests import tiny
from tests.models import heads

MAPS = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
BAGS = ("max", "lse", "noisy_or")


def bag_by_loops(instances, bag, r):
    """Scores of a bag's instances -> its score, in Python's numbers."""
    if bag == "max":
        return sorted(instances)[-1]
    if bag == "lse":
        return math.log(sum(math.exp(r * f) for f in instances) / len(instances)) / r
    none = 1.0
    for f in instances:
        none *= 1 - 1 / (1 + math.exp(-f))
    return math.log((1 - none) / none)


@pytest.mark.parametrize("bag", BAGS)
@pytest.mark.parametrize("scale", [1.0, 0.1, 3.0])
def test_bags_by_loops(bag, scale):
    maps = MAPS * np.float32(scale) - np.float32(1)
    scores = mil.bag_scores(jnp.asarray(maps), bag, 4.0)
    for b in range(2):
        for c in range(3):
            expected = bag_by_loops(maps[b, :, :, c].astype(float).ravel().tolist(), bag, 4.0)
            assert scores[b, c] == pytest.approx(expected, rel=2e-5, abs=1e-5)


def test_lse_lies_between_the_mean_and_the_maximum():
    maps = jnp.asarray(MAPS)
    chex.assert_trees_all_close(mil.bag_scores(maps, "lse", 1e-3), MAPS.mean((1, 2)), atol=2e-3)
    chex.assert_trees_all_close(mil.bag_scores(maps, "lse", 1e3), MAPS.max((1, 2)), atol=5e-3)


@pytest.mark.parametrize("bag", BAGS)
def test_gradients_by_finite_differences_and_far_out(bag):
    with jax.enable_x64(True):
        maps = jnp.asarray(MAPS, "float64")
        check_grads(lambda m: (mil.bag_scores(m, bag) ** 2).sum(), (maps,), 1, ["rev"])
    for scale in (30, -30):  # features of a backbone reach there
        far = jax.grad(lambda m: mil.bag_scores(m, bag).sum())(jnp.asarray(MAPS + scale))
        assert bool(jnp.all(jnp.isfinite(far)))
        assert float(jnp.abs(far).sum()) > 0.5


def test_network_by_hand():
    bag = "noisy_or"
    model, variables = heads.made("mil", bag=bag)
    out = heads.applied(model, variables)
    conv = variables["params"]["conv"]
    maps = heads.tapped(model, variables)[0] @ conv["kernel"] + conv["bias"]
    chex.assert_trees_all_close(out["class_maps"], maps, rtol=1e-3, atol=1e-5)
    for b in range(2):
        for c in range(3):
            expected = bag_by_loops(maps[b, :, :, c].astype(float).ravel().tolist(), bag, 5.0)
            assert out["class_logits"][b, c] == pytest.approx(expected, rel=1e-3, abs=1e-4)
        predicted = out["class_logits"][b].argmax()
        np.testing.assert_array_equal(out["sentiment_map"][b], out["class_maps"][b, ..., predicted])


def test_parameters_and_a_bag_that_does_not_exist():
    resnet101 = 44_549_160 - 2_049_000
    assert heads.count("mil") == (42_516_552, resnet101, 2048 * 8 + 8)
    with pytest.raises(UserError, match="expected one of max, lse, noisy_or"):
        build("mil", 8, bag="mean")


@pytest.mark.parametrize("bag", BAGS)
def test_it_learns_above_chance(bag, tiny_config, tmp_path):
    tiny_config.model.name, tiny_config.model.bag = "mil", bag
    results = tiny.learnt(tiny_config, tmp_path, 100)
    assert results["accuracy_interval"][0] > 1 / 8
    assert results["sentiment_map"]["count"]
