"""Cross-spatial pooling, sentiment map and coupling against loops, and their properties."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsent.models import pooling

RNG = np.random.default_rng(0)
F_PRIME = RNG.normal(size=(2, 5, 4, 3, 2)).astype(np.float32)  # (B, h, w, C, k)
F = RNG.normal(size=(2, 5, 4, 7)).astype(np.float32)


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_cross_spatial_pooling_by_loops(kind):
    v = pooling.cross_spatial_pooling(jnp.asarray(F_PRIME), kind)
    for b in range(2):
        for c in range(3):
            per_map = [
                (max if kind == "max" else np.mean)(F_PRIME[b, :, :, c, i].ravel())
                for i in range(2)
            ]
            assert v[b, c] == pytest.approx(sum(per_map) / 2, rel=1e-5)


def test_pooling_does_not_see_where():
    shuffled = F_PRIME.reshape(2, 20, 3, 2)[:, RNG.permutation(20)].reshape(F_PRIME.shape)
    for kind in ("max", "avg"):
        chex.assert_trees_all_close(
            pooling.cross_spatial_pooling(jnp.asarray(F_PRIME), kind),
            pooling.cross_spatial_pooling(jnp.asarray(shuffled), kind),
            rtol=1e-5,
        )


def test_average_pooling_collapses_to_one_map():
    chex.assert_trees_all_close(
        pooling.cross_spatial_pooling(jnp.asarray(F_PRIME), "avg"),
        F_PRIME.mean((1, 2, 4)),
        rtol=1e-5,
    )


def test_sentiment_map_of_one_class_is_its_weighted_map():
    f = jnp.asarray(F_PRIME[..., :1, :])
    v, maps = pooling.cross_spatial_pooling(f), pooling.class_maps(f)
    m = pooling.sentiment_map(v, maps)
    chex.assert_trees_all_close(m, v[:, :, None] * maps[..., 0], rtol=1e-6)


def test_sentiment_map_options_by_loops():
    f = jnp.asarray(F_PRIME)
    v, maps = pooling.cross_spatial_pooling(f), np.asarray(pooling.class_maps(f))
    soft = np.exp(v) / np.exp(v).sum(-1, keepdims=True)
    for weights, name in ((np.asarray(v), "raw"), (soft, "softmax")):
        expected = sum(weights[:, c, None, None] * maps[..., c] for c in range(3))
        chex.assert_trees_all_close(pooling.sentiment_map(v, maps, name), expected, rtol=1e-5)
        chex.assert_trees_all_close(
            pooling.sentiment_map(v, maps, name, map_mean=True), expected / 3, rtol=1e-5
        )


def test_coupling_is_the_mean_of_what_it_never_makes():
    m = RNG.normal(size=(2, 5, 4)).astype(np.float32)
    coupled = np.concatenate([F, m[..., None] * F], -1).mean((1, 2))
    chex.assert_trees_all_close(pooling.couple(m, F), coupled, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(pooling.couple(m, F, "local"), coupled[:, 7:], rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(pooling.couple(m, F, "none"), coupled[:, :7], rtol=1e-4, atol=1e-6)


def test_nodes_are_the_mean_of_the_repeated_maps():
    maps = RNG.normal(size=(2, 5, 4, 3)).astype(np.float32)
    repeated = np.repeat(maps[..., None], 7, -1) * F[:, :, :, None]
    expected = repeated.mean((1, 2))
    chex.assert_trees_all_close(pooling.node_features(maps, F), expected, rtol=1e-4, atol=1e-6)


def test_bfloat16_features_give_float32_vectors():
    m = jnp.ones((2, 5, 4), jnp.float32)
    assert pooling.couple(m, jnp.asarray(F, jnp.bfloat16)).dtype == jnp.float32


def test_gradients_by_finite_differences():
    def loss(f, features):
        v, maps = pooling.cross_spatial_pooling(f), pooling.class_maps(f)
        m = pooling.sentiment_map(v, maps)
        return jnp.sum(pooling.couple(m, features) ** 2) + jnp.sum(
            pooling.node_features(maps, features) ** 2
        )

    with jax.enable_x64(True):
        check_grads(loss, (jnp.asarray(F_PRIME, "float64"), jnp.asarray(F, "float64")), 1, ["rev"])


def test_class_maps_are_means_over_the_detectors():
    expected = sum(F_PRIME[..., i] for i in range(2)) / 2
    chex.assert_trees_all_close(pooling.class_maps(jnp.asarray(F_PRIME)), expected, rtol=1e-5)
