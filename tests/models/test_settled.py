"""What is settled is computed once, in programs for CPUs and nowhere else."""

import re

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxsent.models import build
from jaxsent.models.settled import compiled, settled


def residuals(x, weights):
    for w in weights:
        x = settled(jax.nn.relu(x + x @ w))
    return x


def operands(program: str) -> list[int]:
    """Of each fusion of a compiled program's main computation."""
    entry = program[program.index("\nENTRY") :]
    return [len(found.split(", ")) for found in re.findall(r" fusion\((.*?)\), kind", entry)]


@pytest.fixture
def chain():
    x = jax.random.normal(jax.random.key(0), (256, 256))
    return x, [0.05 * jax.random.normal(jax.random.key(i), (256, 256)) for i in range(1, 7)]


def plain(x, weights):
    for w in weights:
        x = jax.nn.relu(x + x @ w)
    return x


def test_a_block_reads_the_one_before_and_not_all(chain):
    assert max(operands(compiled(residuals).lower(*chain).compile().as_text())) <= 3
    assert max(operands(compiled(plain).lower(*chain).compile().as_text())) > 5


def test_values_and_gradients_are_the_same(chain):
    def loss(function):
        return jax.grad(lambda x, weights: (function(x, weights) ** 2).mean(), (0, 1))

    chex.assert_trees_all_close(compiled(residuals)(*chain), plain(*chain), rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(
        compiled(loss(residuals))(*chain), loss(plain)(*chain), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_platforms_have_no_barrier(platform, chain):
    lowered = jax.jit(residuals).trace(*chain).lower(lowering_platforms=(platform,))
    assert "optimization_barrier" not in lowered.as_text()


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_no_block_of_a_network_adds_up_those_before(backbone):
    model = build("classifier", num_classes=2, backbone=backbone)
    images = jnp.zeros((1, 64, 64, 3))
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    program = compiled(model.apply).lower(variables, images).compile().as_text()
    assert max(operands(program)) <= 12  # two norms of four vectors, and what they are of
