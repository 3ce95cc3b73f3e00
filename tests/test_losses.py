"""The joint loss against its equations written out."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.stats import entropy

from jaxsent import emotions, losses
from jaxsent.errors import UserError
from jaxsent.run import experiment
from tests import tiny

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
    rated = losses.joint_loss(out | {"affect": jnp.ones((5, 2))}, y, z, SIGNS, **kw)
    np.testing.assert_array_equal(rated["loss"], terms["loss"])


@pytest.mark.parametrize("over", ["polarity", "wheel"])
@pytest.mark.parametrize("sigma", [0.45, 2.0])
def test_label_distributions_by_hand(sigma, over):
    """Steps counted on the wheel as it is drawn: fear, excitement, awe, contentment, …"""
    ours = emotions.label_distributions(emotions.MIKELS, sigma, over)
    positive = ["excitement", "awe", "contentment", "amusement"]
    negative = ["anger", "disgust", "sadness", "fear"]
    ring = positive + negative
    for i, label in enumerate(emotions.MIKELS):
        heights = {}
        for name in emotions.MIKELS:
            away = abs(ring.index(name) - ring.index(label))
            same = (name in positive) == (label in positive)
            heights[name] = math.exp(-(min(away, 8 - away) ** 2) / (2 * sigma**2))
            heights[name] *= same or over == "wheel"
        expected = [heights[name] / sum(heights.values()) for name in emotions.MIKELS]
        np.testing.assert_allclose(ours[i], expected, rtol=1e-5)
    six = emotions.label_distributions(emotions.EMOTIONROI, 0.45)
    joy, surprise = (emotions.EMOTIONROI.index(name) for name in ("joy", "surprise"))
    assert set(np.flatnonzero(six[joy])) == {joy, surprise}
    with pytest.raises(UserError, match="negative, positive are on no wheel"):
        emotions.label_distributions(emotions.POLARITY, 0.45)


def test_distribution_loss_is_kl():
    truth = RNG.dirichlet(np.ones(8), 5).astype(np.float32)
    truth[:, 3] = 0  # as the other polarity has
    truth /= truth.sum(1, keepdims=True)
    expected = [entropy(row, p) for row, p in zip(truth, PROBABILITIES, strict=True)]
    ours = losses.distribution_loss(jnp.asarray(LOGITS), jnp.asarray(truth))
    np.testing.assert_allclose(ours, expected, rtol=1e-4)
    gradient = jax.grad(lambda x: losses.distribution_loss(x, jnp.asarray(truth)).sum())(LOGITS)
    np.testing.assert_allclose(gradient, PROBABILITIES - truth, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_cross_entropy_and_distribution_share_the_class_loss(share):
    out = {"class_logits": jnp.asarray(LOGITS)}
    table = emotions.label_distributions(emotions.MIKELS, 1.0)
    kw = dict(class_weight=0.5, detect_weight=0.0, detect="cross_entropy")
    terms = losses.joint_loss(
        out, LABELS, LABELS, SIGNS, None, jnp.asarray(table), distribution_weight=share, **kw
    )
    kl = [entropy(table[y], p) for y, p in zip(LABELS, PROBABILITIES, strict=True)]
    ce = [-np.log(PROBABILITIES[i, c]) for i, c in enumerate(LABELS)]
    expected = 0.5 * ((1 - share) * np.array(ce) + share * np.array(kl))
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_votes_stand_in_for_the_distribution_where_they_are_known(share):
    logits = LOGITS[:4, :2]
    out, labels = {"class_logits": jnp.asarray(logits)}, np.array([1, 0, 1, 0])
    votes = np.array([0.8, 0.0, np.nan, 0.35], np.float32)
    kw = dict(class_weight=1.0, detect_weight=0.0, detect="cross_entropy")

    def total(x):
        return losses.joint_loss(
            {"class_logits": x}, labels, labels, SIGNS, votes=jnp.asarray(votes),
            distribution_weight=share, **kw,
        )["loss"]  # fmt: skip

    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = []
    for row, label, vote in zip(p, labels, votes, strict=True):
        cross_entropy = -np.log(row[label])
        if np.isnan(vote):
            expected.append(cross_entropy)
        else:
            expected.append((1 - share) * cross_entropy + share * entropy([1 - vote, vote], row))
    np.testing.assert_allclose(total(out["class_logits"]), expected, rtol=1e-4)
    assert np.isfinite(jax.grad(lambda x: total(x).sum())(out["class_logits"])).all()


def test_a_network_learns_distributions(tiny_config, tmp_path):
    tiny_config.model.name, tiny_config.loss.distribution_weight = "mil", 1.0
    results = tiny.learnt(tiny_config, tmp_path)
    assert results["accuracy_interval"][0] > 1 / 8
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["distribution_loss"] < last["class_loss"]  # which sharpness would turn round


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("distribution_weight", 1.5, "expected from 0 to 1"),
        ("distribution_over", "all", "expected polarity or wheel"),
    ],
)
def test_distributions_that_cannot_be(key, value, message, tiny_config):
    tiny_config.loss[key] = value
    with pytest.raises(UserError, match=message):
        experiment.make(tiny_config)


def test_distributions_of_classes_on_no_wheel(tiny_config):
    tiny_config.loss.distribution_weight = 0.5
    tiny_config.data.class_target, tiny_config.model.num_classes = "polarity", 2
    with pytest.raises(UserError, match="on no wheel of emotions"):
        experiment.make(tiny_config)
    experiment.make(tiny_config, training=False)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_weights_multiply_both_parts_of_the_class_loss(share):
    out = {"class_logits": jnp.asarray(LOGITS), "detect_logits": jnp.asarray(LOGITS)}
    table = jnp.asarray(emotions.label_distributions(emotions.MIKELS, 1.0))
    weights = jnp.arange(1.0, 6.0)

    def terms(image_weights):
        return losses.joint_loss(
            out, LABELS, LABELS, SIGNS, None, table, image_weights=image_weights, class_weight=0.5,
            detect_weight=0.2, detect="cross_entropy", distribution_weight=share,
        )  # fmt: skip

    plain, weighted = terms(None), terms(weights)
    detected = 0.2 * plain["detect_loss"]
    expected = weights * (plain["loss"] - detected) + detected
    np.testing.assert_allclose(weighted["loss"], expected, rtol=1e-5)
    np.testing.assert_array_equal(weighted["detect_loss"], plain["detect_loss"])


def test_balanced_weights_by_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.repeat([0, 1, 2], [3, 10, 27])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(losses.balanced_weights(np.bincount(labels)), expected)
    with_none = losses.balanced_weights(np.array([3, 0, 10, 27]))
    np.testing.assert_allclose(with_none, np.insert(expected, 1, 0))
    np.testing.assert_allclose(losses.balanced_weights(np.array([1, 3])), [2, 2 / 3])


def test_weights_of_images_have_the_mean_1_where_they_count():
    mask = np.array([True, True, True, False, True])
    weights = losses.weights_of_images(LABELS, jnp.arange(8.0), mask)
    np.testing.assert_allclose(weights, LABELS / (12 / 4), rtol=1e-6)
    light = losses.weights_of_images(LABELS, jnp.arange(8.0) / 100, mask)
    np.testing.assert_allclose(light, weights, rtol=1e-6)
    assert np.all(losses.weights_of_images(LABELS, jnp.zeros(8), mask) == 0)


def test_masked_mean():
    values, mask = jnp.asarray([1.0, 2.0, 6.0]), jnp.asarray([True, False, True])
    assert float(losses.masked_mean(values, mask)) == 3.5
    assert float(losses.masked_mean(values, jnp.asarray([False, False, True]))) == 6.0
    assert float(losses.masked_mean(values, jnp.zeros(3, bool))) == 0.0
