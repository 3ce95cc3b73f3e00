"""Mixup against soft targets written out; class weights against torch's weighted mean."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from jaxsent.errors import UserError
from jaxsent.models.inference import normalise
from jaxsent.run import checks, experiment
from jaxsent.run.state import TrainState
from jaxsent.training import loop, mixup, optim
from jaxsent.training.step import train_step
from tests import tiny
from tests.training.test_step import BATCH, INPUT

WEIGHTS = np.array([0.5, 3.0], np.float32)
SHARE, PARTNERS = 0.3, np.array([3, 0, 1, 2, 7, 6, 5, 4])


class Two(nn.Module):
    """Both branches, linear in the mean colours."""

    @nn.compact
    def __call__(self, images, train=False):
        colours = images.mean(1).reshape(len(images), -1)
        return {
            "class_logits": nn.Dense(2, name="classifier")(colours),
            "detect_logits": nn.Dense(2, name="detector")(colours),
        }


def settings(**augment):
    c = base.get_config()
    c.augment.update(augment)
    c.data.class_target, c.data.detect_target = "label", "polarity"
    c.loss.class_weight, c.loss.detect_weight = 0.7, 0.4
    return c


def stepped(c, class_weights=None, steps=1):
    model = Two()
    factor = optim.schedule(c.optim, 10, 100)
    tx = optim.optimizer(c.optim, factor, False)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 6, 6, 3)))
    state = TrainState.create(variables, tx, False)
    step = jax.jit(train_step(model, tx, factor, c, None, INPUT, None, class_weights))
    for _ in range(steps):
        state, metrics = step(state, BATCH)
    return variables, state, metrics


def soft(labels):
    """One-hot targets, mixed as the images are."""
    one_hot = np.eye(2, dtype=np.float32)[labels]
    return SHARE * one_hot + (1 - SHARE) * one_hot[PARTNERS]


def test_both_branches_learn_mixed_images_by_soft_targets(monkeypatch):
    monkeypatch.setattr(mixup, "pairs", lambda *_: (jnp.float32(SHARE), jnp.asarray(PARTNERS)))
    variables, _, metrics = stepped(settings(mixup=0.2))

    images = normalise(BATCH["image"], INPUT.mean, INPUT.std)
    images = SHARE * images + (1 - SHARE) * images[PARTNERS]

    def expected(variables):
        out = Two().apply(variables, images)
        terms = [
            optax.softmax_cross_entropy(out[name], soft(BATCH[target])).mean()
            for name, target in (("class_logits", "label"), ("detect_logits", "polarity"))
        ]
        return 0.7 * terms[0] + 0.4 * terms[1], terms

    gradients, terms = jax.grad(expected, has_aux=True)(variables)
    np.testing.assert_allclose(metrics["class_loss"], terms[0], rtol=1e-5)
    np.testing.assert_allclose(metrics["detect_loss"], terms[1], rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], 0.7 * terms[0] + 0.4 * terms[1], rtol=1e-5)
    np.testing.assert_allclose(metrics["gradient_norm"], optax.tree.norm(gradients), rtol=1e-4)


def test_pairs_are_of_beta_and_a_permutation():
    keys = jax.random.split(jax.random.key(0), 4000)
    shares, partners = jax.vmap(lambda key: mixup.pairs(key, 0.4, 6))(keys)
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(shares.var()) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.05)
    np.testing.assert_array_equal(np.sort(partners), np.tile(np.arange(6), (4000, 1)))
    assert np.bincount(np.asarray(partners)[:, 0]).min() > 500  # of 667


def test_pairs_hang_on_seed_and_step_alone():
    """Two steps at once equal the second from a state restored, and another seed's differ."""
    c = settings(mixup=1.0)
    _, twice, metrics = stepped(c, steps=2)
    _, again, _ = stepped(c, steps=2)
    chex.assert_trees_all_equal(twice.params, again.params)
    _, once, first = stepped(c)
    assert float(first["loss"]) != float(metrics["loss"])
    c.seed = 1
    _, other, _ = stepped(c)
    assert float(optax.tree.norm(jax.tree.map(jnp.subtract, other.params, once.params))) > 0


def test_none_by_default():
    _, plain, _ = stepped(settings())
    _, mixed, _ = stepped(settings(mixup=0.2))
    assert float(optax.tree.norm(jax.tree.map(jnp.subtract, plain.params, mixed.params))) > 0


def weighted(variables, labels):
    """CrossEntropyLoss(weight) as torch documents it: Σ w_y · l / Σ w_y."""
    images = normalise(BATCH["image"], INPUT.mean, INPUT.std)
    logits = np.asarray(Two().apply(variables, images)["class_logits"], np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    losses = -np.log(p[np.arange(len(labels)), labels])
    return np.sum(WEIGHTS[labels] * losses) / np.sum(WEIGHTS[labels])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_weighted_classes_are_torchs_weighted_mean(accumulate):
    c = settings()
    c.train.accumulate = accumulate
    variables, _, metrics = stepped(c, WEIGHTS)
    expected = weighted(variables, BATCH["label"])
    assert abs(expected - weighted(variables, 1 - BATCH["label"])) > 1e-3
    np.testing.assert_allclose(metrics["class_loss"], expected, rtol=1e-5)
    total = 0.7 * metrics["class_loss"] + 0.4 * metrics["detect_loss"]
    np.testing.assert_allclose(metrics["loss"], total, rtol=1e-5)


def test_rare_classes_weigh_as_much_as_common_ones(tiny_config):
    from jaxsent.data.records import source

    c = tiny_config
    c.data.class_target, c.model.num_classes = "polarity", 2
    assert experiment.make(c).class_weights is None
    c.loss.class_weights = ("balanced",)
    task = experiment.make(c)
    labels = np.array([raw["polarity"] for raw in source(task.builder, "train")])
    counts = [np.sum(labels == k) for k in (0, 1)]
    expected = [len(labels) / (2 * count) for count in counts]
    np.testing.assert_allclose(task.class_weights, expected, rtol=1e-6)
    c.loss.class_weights = (1.0, 2.5)
    np.testing.assert_array_equal(experiment.make(c).class_weights, [1, 2.5])
    c.loss.class_weights = (1.0, 2.5, 1.0)
    with pytest.raises(UserError, match=r"expected balanced or 2 numbers, .*negative, positive"):
        experiment.make(c)


class Handed(Exception):
    """What the loop hands on, before anything is compiled."""


def test_a_run_hands_its_weights_and_its_operations_on(tiny_config, tmp_path, monkeypatch):
    tiny_config.augment.mixup, tiny_config.augment.randaugment = 0.2, (1, 3)
    tiny_config.loss.class_weights = tuple(range(8))
    handed = {}

    def step(*arguments):
        raise Handed(arguments[-1])

    def batches(*_, **options):
        handed.update(options)
        return iter(())

    monkeypatch.setattr(loop, "train_step", step)
    monkeypatch.setattr(loop, "train_batches", batches)
    with pytest.raises(Handed) as weights:
        loop.train(tiny_config, tmp_path)
    np.testing.assert_array_equal(weights.value.args[0], np.arange(8))
    assert handed["randaugment"] == (1, 3) and handed["flip"] == 0.5


@pytest.mark.slow
def test_a_run_learns_with_all_of_it(tiny_config, tmp_path):
    tiny_config.model.name = "mil"
    tiny_config.augment.mixup, tiny_config.augment.randaugment = 0.2, (1, 3)
    tiny_config.loss.class_weights = ("balanced",)
    results = tiny.learnt(tiny_config, tmp_path)
    assert results["accuracy_interval"][0] > 1 / 8


def test_what_cannot_be_mixed(tiny_config):
    tiny_config.augment.mixup, tiny_config.data.crops = 0.2, 2
    with pytest.raises(UserError, match=r"set augment.mixup=0 or data.crops=0"):
        checks.check(tiny_config)
    tiny_config.data.crops, tiny_config.model.name, tiny_config.data.map = 0, "fcnel", "region"
    with pytest.raises(UserError, match=r"augment.mixup is of classes"):
        checks.check(tiny_config)
    tiny_config.augment.mixup, tiny_config.loss.class_weights = 0.0, (1.0, 2.0)
    with pytest.raises(UserError, match=r"loss.class_weights is of classes"):
        checks.check(tiny_config)
