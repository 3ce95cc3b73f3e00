"""2×2 max pooling: values and gradients, ties included, are those of XLA's windows and torch's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsent.models.max_pool import max_pool_2x2

RNG = np.random.default_rng(0)


def windows(x):
    return nn.max_pool(x, (2, 2), (2, 2))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("size", [(6, 4), (7, 5), (2, 9), (3, 3)])
def test_values_and_gradients_are_those_of_windows(size, dtype):
    # Of five values there are many ties, of which ReLU's zeros are one.
    x = jnp.asarray(RNG.integers(0, 5, (2, *size, 3)), dtype)
    y, pullback = jax.vjp(max_pool_2x2, x)
    expected, expected_pullback = jax.vjp(windows, x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, expected)
    dy = jnp.asarray(RNG.normal(size=y.shape), dtype)
    np.testing.assert_array_equal(pullback(dy)[0], expected_pullback(dy)[0])


def test_the_first_of_equals_takes_the_gradient():
    x = jnp.asarray([[1, 3, 0, 0], [3, 3, 0, 0]], jnp.float32).reshape(1, 2, 4, 1)
    dx = jax.grad(lambda x: max_pool_2x2(x).sum())(x)
    # By hand: torch 2.13's max_pool2d gives the same.
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 1, 1, 0], [0, 0, 0, 0]])


def test_gradients_are_differences():
    x = RNG.permutation(2 * 5 * 4 * 3).reshape(2, 5, 4, 3).astype(np.float32)  # without ties
    check_grads(max_pool_2x2, (x,), order=1, modes="rev", atol=1e-2, rtol=1e-2, eps=1e-1)


def test_nothing_is_scattered():
    def lowered(pool):
        gradient = jax.jit(jax.grad(lambda x: (pool(x) ** 2).sum()))
        return gradient.lower(jnp.zeros((1, 8, 8, 4))).as_text()

    assert "stablehlo.select_and_scatter" in lowered(windows)
    assert "stablehlo.select_and_scatter" not in lowered(max_pool_2x2)
