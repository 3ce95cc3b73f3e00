"""The joint loss against its equations written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsent import emotions, losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 8)).astype(np.float32)
LABELS = np.array([0, 3, 7, 2, 2], np.int32)
SIGNS = emotions.polarity(emotions.MIKELS)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


def test_cross_entropy():
    expected = [-np.log(PROBABILITIES[i, c]) for i, c in enumerate(LABELS)]
    np.testing.assert_allclose(losses.cross_entropy(LOGITS, LABELS), expected, rtol=1e-5)


def test_binary_cross_entropy_over_a_softmax_of_two_is_twice_cross_entropy():
    """Why Eq. 6 of WSIDNet is cross-entropy here (method.md)."""
    p = np.exp(LOGITS[:, :2]) / np.exp(LOGITS[:, :2]).sum(1, keepdims=True)
    y = np.eye(2)[LABELS % 2]
    eq6 = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(1)
    ours = losses.cross_entropy(LOGITS[:, :2], LABELS % 2)
    np.testing.assert_allclose(2 * ours, eq6, rtol=1e-4)


def test_polarity_loss_is_the_mass_on_the_right_side():
    polarity = np.array([0, 1, 1, 0, 1], np.int32)
    expected = [
        -np.log(sum(p for p, s in zip(row, SIGNS, strict=True) if s == y))
        for row, y in zip(PROBABILITIES, polarity, strict=True)
    ]
    ours = losses.polarity_loss(LOGITS, polarity, SIGNS)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_polarity_loss_has_finite_gradients():
    polarity = np.array([0, 1, 1, 0, 1], np.int32)
    check_grads(lambda x: losses.polarity_loss(x, polarity, SIGNS).sum(), (LOGITS,), 1, ["rev"],
                rtol=2e-2, atol=2e-2)  # fmt: skip
    extreme = jax.grad(lambda x: losses.polarity_loss(x, polarity, SIGNS).sum())(LOGITS * 200)
    assert bool(jnp.all(jnp.isfinite(extreme)))


@pytest.mark.parametrize("detect", ["cross_entropy", "polarity"])
def test_joint_loss_weighs_its_terms(detect):
    out = {"class_logits": jnp.asarray(LOGITS[:, :2]), "detect_logits": jnp.asarray(LOGITS)}
    y, z = LABELS % 2, (LABELS % 2 if detect == "polarity" else LABELS)
    kw = dict(class_weight=0.5, detect_weight=0.1, detect=detect)
    terms = losses.joint_loss(out, y, z, SIGNS, **kw)
    expected = 0.5 * terms["class_loss"] + 0.1 * terms["detect_loss"]
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-6)
    alone = losses.joint_loss({"class_logits": out["class_logits"]}, y, z, SIGNS, **kw)
    assert set(alone) == {"class_loss", "loss"}


def test_masked_mean():
    values, mask = jnp.asarray([1.0, 2.0, 6.0]), jnp.asarray([True, False, True])
    assert float(losses.masked_mean(values, mask)) == 3.5
    assert float(losses.masked_mean(values, jnp.zeros(3, bool))) == 0.0
