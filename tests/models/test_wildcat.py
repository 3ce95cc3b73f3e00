"""WILDCAT's pooling by sorting, its maps and its size."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsent.models import wildcat
from tests.models import heads

MAPS = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("kmax", "kmin", "alpha", "high", "low"),
    [
        (1, 1, 1.0, 1, 1),
        (3, 2, 0.5, 3, 2),
        (0.2, 0.2, 0.7, 4, 4),
        (0.13, 0.0, 0.7, 3, 0),
        (0.001, 0.001, 0.7, 1, 0),
        (500, 500, -1.0, 20, 20),
    ],
)
def test_spatial_pooling_by_sorting(kmax, kmin, alpha, high, low):
    pooled = wildcat.spatial_pooling(jnp.asarray(MAPS), kmax, kmin, alpha)
    for b in range(2):
        for c in range(3):
            places = sorted(MAPS[b, :, :, c].astype(np.float64).ravel())
            expected = sum(places[-high:]) / high
            if low:
                expected += alpha * sum(places[:low]) / low
            assert pooled[b, c] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_all_places_without_the_lowest_are_the_average():
    pooled = wildcat.spatial_pooling(jnp.asarray(MAPS), 20, 0, 0.7)
    chex.assert_trees_all_close(pooled, MAPS.mean((1, 2)), rtol=1e-5, atol=1e-6)


def test_gradients_by_finite_differences():
    with jax.enable_x64(True):
        check_grads(
            lambda m: (wildcat.spatial_pooling(m, 0.2, 0.2, 0.7) ** 2).sum(),
            (jnp.asarray(MAPS, "float64"),), 1, ["rev"],
        )  # fmt: skip


def test_network_by_hand():
    model, variables = heads.made("wildcat", maps_per_class=2, kmax=1, kmin=1, alpha=0.5)
    out = heads.applied(model, variables)
    conv = variables["params"]["conv"]
    f = heads.tapped(model, variables)[0] @ conv["kernel"] + conv["bias"]
    maps = (f[..., 0::2] + f[..., 1::2]) / 2
    logits = maps.max((1, 2)) + 0.5 * maps.min((1, 2))
    chex.assert_trees_all_close(out["class_maps"], maps, rtol=1e-3, atol=1e-5)
    chex.assert_trees_all_close(out["class_logits"], logits, rtol=1e-3, atol=1e-5)
    for b in range(2):
        np.testing.assert_array_equal(
            out["sentiment_map"][b], out["class_maps"][b, ..., out["class_logits"][b].argmax()]
        )


def test_parameters():
    resnet101 = 44_549_160 - 2_049_000
    assert heads.count("wildcat") == (42_631_296, resnet101, 2048 * 64 + 64)
    assert heads.count("wildcat", "vgg16", maps_per_class=4)[2] == 512 * 32 + 32
