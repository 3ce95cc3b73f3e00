"""bfloat16: what a maximum is taken of, and what is coupled, is summed and kept in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent import models
from jaxsent.models import pooling
from jaxsent.models.gcn import StackedGCN, read_out
from jaxsent.models.network import Detector
from jaxsent.models.wildcat import Wildcat
from tests.models import heads

RNG = np.random.default_rng(0)
LOW = jnp.asarray(RNG.gamma(1.0, size=(4, 14, 14, 64)), jnp.bfloat16)
"""Features as a backbone in bfloat16 gives them: the same numbers for either precision."""


def detector(dtype, classes=32):
    """F -> logits and class maps, one map a class; the same weights for either precision."""
    module = Detector(classes, 1, "max", dtype)
    kernel = RNG.permuted(np.linspace(-1, 1, 64 * classes)).astype(np.float32)
    params = {"conv": {"kernel": kernel.reshape(64, classes), "bias": jnp.zeros(classes)}}
    return lambda features: module.apply({"params": params}, features)


def highest(maps):
    """(B, h, w, C) -> (B, C): how many places share the highest value."""
    return np.sum(maps == np.max(maps, axis=(1, 2), keepdims=True), axis=(1, 2))


def test_bfloat16_maps_tie_no_more_than_float32s():
    low, full = (detector(d)(LOW.astype(d))[1] for d in (jnp.bfloat16, jnp.float32))
    assert low.dtype == full.dtype == jnp.float32
    np.testing.assert_array_equal(highest(low), highest(full))
    rounded = jnp.asarray(low, jnp.bfloat16)  # what they would be
    assert highest(np.asarray(rounded, np.float32)).max() > 1


def test_the_gradient_of_the_maximum_reaches_one_place():
    jacobian = jax.jit(jax.jacrev(lambda x: detector(jnp.bfloat16)(x)[0].sum(0)))(LOW)
    places = jnp.any(jacobian != 0, axis=-1).sum((2, 3))  # (C, B)
    np.testing.assert_array_equal(places, 1)


def test_bfloat16_answers_stay_near():
    kernels = RNG.permuted(np.linspace(-1, 1, 64 * 32)).astype(np.float32).reshape(64, 32)
    params = {"conv": {"kernel": kernels, "bias": jnp.zeros(32)}}
    logits, maps = Detector(32, 1, "max", jnp.bfloat16).apply({"params": params}, LOW)
    # By NumPy, from weights of eight bits.
    rounded = np.asarray(jnp.asarray(kernels, jnp.bfloat16), np.float64)
    expected = np.asarray(LOW, np.float64) @ rounded
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(logits, expected.max((1, 2)), rtol=1e-5, atol=1e-4)
    exact = np.asarray(LOW, np.float64) @ kernels
    assert np.linalg.norm(maps - exact) < 4e-3 * np.linalg.norm(exact)


def test_coupling_does_not_round_the_map():
    m = RNG.normal(size=(4, 14, 14)).astype(np.float32)
    wide = np.asarray(LOW, np.float64)
    expected = np.concatenate([wide, m[..., None] * wide], -1).mean((1, 2))
    np.testing.assert_allclose(pooling.couple(m, LOW), expected, rtol=1e-4, atol=1e-6)


def test_nodes_do_not_round_the_maps():
    maps = RNG.normal(size=(4, 14, 14, 3)).astype(np.float32)
    expected = np.einsum("bhwc,bhwn->bcn", maps, np.asarray(LOW, np.float64)) / 196
    np.testing.assert_allclose(pooling.node_features(maps, LOW), expected, rtol=1e-4, atol=1e-6)


def test_wildcats_maps_tie_no_more_than_float32s():
    backbone = models.build("wildcat", 32, backbone="vgg16").backbone
    features = jax.random.normal(jax.random.key(0), (2, 14, 14, 512))
    low = jnp.asarray(features, jnp.bfloat16)

    class Read(Wildcat):
        def tapped(self, images, train, beyond):
            return images.astype(self.dtype), {}

    ties = []
    for dtype in (jnp.bfloat16, jnp.float32):
        model = Read(backbone, 32, maps_per_class=1, dtype=dtype)
        variables = model.init(jax.random.key(1), low)
        ties.append(highest(model.apply(variables, low)["class_maps"]))
    np.testing.assert_array_equal(*ties)


def test_the_nodes_maximum_has_one_winner():
    model = StackedGCN(np.eye(8), (16, 512), jnp.bfloat16)
    nodes = jnp.asarray(RNG.normal(size=(4, 8, 32)), jnp.float32)
    variables = model.init(jax.random.key(0), nodes)
    h = np.asarray(model.apply(variables, nodes))
    alive = h.max(1) > 0  # ReLU's zeros are alike in any precision
    winners = (h == h.max(1, keepdims=True)).sum(1)
    np.testing.assert_array_equal(winners[alive], 1)
    np.testing.assert_array_equal(read_out(h, "max"), h.max(1))


@pytest.mark.parametrize("name", ["wscnet", "wsidnet", "wildcat", "spn"])
def test_a_network_in_bfloat16_stays_near(name):
    options = {"backbone": "vgg16"} if name == "spn" else {"backbone": "alexnet"}
    model, variables = heads.made(name, **options)
    exact = heads.applied(model, variables)
    low = heads.applied(models.build(name, 3, dtype=jnp.bfloat16, **options), variables)
    for key in ("class_logits", "class_maps"):
        error = np.linalg.norm(low[key] - exact[key]) / np.linalg.norm(exact[key])
        assert 0 < error < 0.05, f"{key}: {error:.3f}"
