"""CASNet: two scales, channel weights of 1 at the start, its loss, gradient and size."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent import losses
from jaxsent.models.casnet import Context
from tests.models import heads


def test_it_begins_as_two_scales_without_context():
    model, variables = heads.made("casnet", "vgg16")
    out = heads.applied(model, variables)
    fine, _ = heads.tapped(model, variables)
    half = jax.image.resize(heads.IMAGES, (2, 32, 32, 3), "bilinear")
    coarse, _ = heads.tapped(model, variables, half)
    coarse = jax.image.resize(coarse, fine.shape, "bilinear")
    logits = np.concatenate([fine, coarse], -1) @ variables["params"]["score"]["kernel"][:, 0]
    chex.assert_trees_all_close(out["map_logits"], logits, rtol=1e-3, atol=1e-5)
    chex.assert_trees_all_close(
        out["sentiment_map"], 1 / (1 + np.exp(-out["map_logits"])), rtol=1e-5
    )
    assert set(out) == {"map_logits", "sentiment_map"}


def test_context_weighs_channels_by_its_pooled_input():
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(2 * 2 * 3, 3)).astype(np.float32)
    params = {"fc": {"kernel": kernel, "bias": np.ones(3, np.float32)}}
    outputs = Context().apply({"params": params}, x)
    blocks = x[:, :4].reshape(2, 2, 2, 2, 2, 3).max((2, 4))
    chex.assert_trees_all_close(outputs, blocks.reshape(2, -1) @ kernel + 1, rtol=1e-4)


def test_loss_is_cross_entropy_with_the_soft_map():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 4, 5)).astype(np.float32)
    truth = rng.integers(0, 256, (3, 8, 10), np.uint8)
    g = truth.reshape(3, 4, 2, 5, 2).mean((2, 4)) / 255
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = -(g * np.log(p) + (1 - g) * np.log(1 - p)).mean((1, 2))
    out = {"map_logits": jnp.asarray(logits), "sentiment_map": jnp.asarray(p, jnp.float32)}
    np.testing.assert_allclose(losses.map_loss(out, jnp.asarray(truth)), expected, rtol=1e-5)


def test_a_supervised_network_has_no_other_loss():
    out = {"map_logits": jnp.zeros((2, 3, 3)), "sentiment_map": jnp.full((2, 3, 3), 0.5)}
    terms = losses.joint_loss(
        out, None, None, None, jnp.zeros((2, 9, 9), jnp.uint8),
        class_weight=1.0, detect_weight=1.0, detect="cross_entropy",
    )  # fmt: skip
    assert set(terms) == {"loss", "map_loss"}
    np.testing.assert_allclose(terms["loss"], np.log(2), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["casnet", "fcnel"])
def test_every_layer_gets_a_gradient(name):
    model, variables = heads.made(name)
    truth = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8))

    def loss(params):
        out, _ = model.apply(
            variables | {"params": params}, heads.IMAGES, train=True, mutable=["batch_stats"]
        )
        return losses.map_loss(out, truth).mean()

    grads = jax.jit(jax.grad(loss))(variables["params"])
    for path, g in jax.tree.leaves_with_path(grads):
        assert bool(jnp.isfinite(g).all()), path
        assert bool((g != 0).any()), path


def test_parameters():
    context = 7 * 7 * 1024 * 1024 + 1024
    assert heads.count("casnet") == (14_714_688 + context + 1025, 14_714_688, context + 1025)
    # At 224 layer4 has 7×7 cells, and 3×3 after pooling.
    narrow, context = 2048 * 512 + 512, 3 * 3 * 1024 * 1024 + 1024
    assert heads.count("casnet", "resnet101")[2] == narrow + context + 1025
