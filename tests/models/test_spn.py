"""Soft proposals against eigenvectors and the paper's iteration; SPN's maps and size."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent.models import spn
from tests.models import heads

F = np.random.default_rng(0).gamma(1.0, size=(2, 5, 4, 7)).astype(np.float32)


def transitions(features, epsilon=0.15):
    """(h, w, n) -> D (N, N) of section 3.1, columns of sum 1, by loops."""
    h, w, _ = features.shape
    cells = [(y, x) for y in range(h) for x in range(w)]
    d = np.zeros((len(cells), len(cells)))
    for i, (y, x) in enumerate(cells):
        for j, (v, u) in enumerate(cells):
            far = ((y - v) ** 2 + (x - u) ** 2) / (2 * (epsilon * np.sqrt(h * w)) ** 2)
            difference = features[y, x].astype(np.float64) - features[v, u]
            d[i, j] = np.sqrt((difference**2).sum()) * np.exp(-far)
    return d / d.sum(0)


@pytest.mark.parametrize("epsilon", [0.15, 0.5])
def test_proposal_is_the_eigenvector(epsilon):
    proposal = spn.soft_proposal(jnp.asarray(F), epsilon)
    for b in range(2):
        values, vectors = np.linalg.eig(transitions(F[b], epsilon))
        first = vectors[:, np.argmax(values.real)].real
        np.testing.assert_allclose(proposal[b].ravel(), first / first.sum(), rtol=1e-4)


def test_proposal_is_where_the_papers_iteration_ends():
    d, m = transitions(F[0]), np.full(20, 1 / 20)
    for _ in range(2000):
        m = d @ m
        m /= m.sum()
    np.testing.assert_allclose(spn.soft_proposal(jnp.asarray(F))[0].ravel(), m, rtol=1e-4)


def test_a_map_without_differences_proposes_everywhere():
    same = jnp.ones((1, 5, 4, 7))
    chex.assert_trees_all_close(spn.soft_proposal(same), jnp.full((1, 5, 4), 1 / 20), rtol=1e-6)


def test_large_features_are_not_rounded_away():
    shifted = spn.soft_proposal(jnp.asarray(F) + 100.0)
    chex.assert_trees_all_close(shifted, spn.soft_proposal(jnp.asarray(F)), rtol=1e-3)


def test_what_stands_out_is_proposed():
    plain = np.zeros((1, 7, 7, 3), np.float32)
    plain[0, 2, 5] = 1
    proposal = spn.soft_proposal(jnp.asarray(plain))[0]
    assert np.unravel_index(proposal.argmax(), proposal.shape) == (2, 5)


@pytest.mark.parametrize("backbone", ["resnet18", "vgg16"])
def test_network_by_hand(backbone):
    model, variables = heads.made("spn", backbone)
    variables["params"]["classifier"]["bias"] += 1
    out = heads.applied(model, variables)
    f, _ = heads.tapped(model, variables)
    if backbone == "vgg16":
        widen = jax.jit(lambda v, x: model.apply(v, x, method=lambda m, x: m.widened(x)))
        f = np.asarray(widen(variables, f))
    classifier = variables["params"]["classifier"]
    steps = np.stack([np.linalg.matrix_power(transitions(x), 4096) for x in f])
    proposal = steps.mean(-1).reshape(f.shape[:3])
    maps = (proposal[..., None] * f) @ classifier["kernel"]
    logits = maps.sum((1, 2)) + classifier["bias"]
    np.testing.assert_allclose(out["proposal"], proposal, rtol=1e-3)
    np.testing.assert_allclose(out["class_maps"], maps, rtol=1e-2, atol=1e-4 * np.abs(maps).max())
    np.testing.assert_allclose(out["class_logits"], logits, rtol=1e-3)


def test_no_gradient_flows_into_the_proposal():
    """∂y_c/∂F is M · w_c alone. Through M, the root of a place's distance to itself gives NaN."""
    model, variables = heads.made("spn")
    out, (f, _) = heads.applied(model, variables), heads.tapped(model, variables)

    def score(change):
        perturbed = variables | {"perturbations": {"backbone": {"layer4": change}}}
        return model.apply(perturbed, heads.IMAGES)["class_logits"][:, 1].sum()

    gradient = jax.jit(jax.grad(score))(jnp.zeros_like(f))
    weights = variables["params"]["classifier"]["kernel"][:, 1]
    expected = out["proposal"][..., None] * weights[None, None, None]
    chex.assert_trees_all_close(gradient, expected, rtol=1e-4, atol=1e-7)


def test_half_of_what_the_classifier_reads_is_dropped_in_training():
    """A classifier that hands its inputs through: each is 0 or twice what it is in use."""
    model, variables = heads.made("spn", num_classes=512, freeze="statistics")
    variables["params"]["classifier"]["kernel"] = np.eye(512, dtype=np.float32)
    read = heads.applied(model, variables)["class_logits"]
    train = jax.jit(lambda v, key: model.apply(v, heads.IMAGES, train=True, rngs={"dropout": key}))
    for seed in range(2):
        found = np.asarray(train(variables, jax.random.key(seed))["class_logits"])
        kept = found != 0
        np.testing.assert_allclose(found[kept], 2 * read[kept], rtol=1e-4)
        assert 0.4 < kept[read != 0].mean() < 0.6


def test_parameters():
    resnet101 = 44_549_160 - 2_049_000
    assert heads.count("spn") == (42_516_552, resnet101, 2048 * 8 + 8)
    vgg = 14_714_688  # its convolutions
    widened = 9 * 256 * 1024 + 1024
    assert heads.count("spn", "vgg16") == (
        vgg + widened + 8200, vgg, widened + 1024 * 8 + 8
    )  # fmt: skip
