"""Max pooling: values and gradients, ties included, are those of XLA's windows and torch's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsent.models.max_pool import max_pool, max_pool_2x2

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


# k, stride, padding, size: those of ResNet and AlexNet on odd and even sizes, and others.
OVERLAPPING = [
    (3, 2, 1, (8, 8)), (3, 2, 1, (9, 6)), (3, 2, 0, (13, 8)), (3, 2, 0, (7, 10)),
    (3, 1, 1, (5, 4)), (2, 3, 0, (7, 11)), (5, 2, 2, (11, 9)), (4, 3, 1, (12, 10)),
]  # fmt: skip


@pytest.mark.parametrize(("k", "stride", "padding", "size"), OVERLAPPING)
def test_overlapping_windows_are_xlas(k, stride, padding, size):
    x = jnp.asarray(RNG.integers(0, 5, (2, *size, 3)), jnp.float32)  # with many ties

    def plain(x):
        return nn.max_pool(x, (k, k), (stride, stride), padding=((padding, padding),) * 2)

    y, pullback = jax.vjp(lambda x: max_pool(x, k, stride, padding), x)
    expected, expected_pullback = jax.vjp(plain, x)
    np.testing.assert_array_equal(y, expected)
    dy = jnp.asarray(RNG.normal(size=y.shape), jnp.float32)
    np.testing.assert_allclose(pullback(dy)[0], expected_pullback(dy)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("platform", "scatters"), [("cpu", 0), ("cuda", 1), ("tpu", 1)])
def test_only_cpus_go_without_a_scatter(platform, scatters):
    gradient = jax.jit(jax.grad(lambda x: (max_pool(x, 3, 2, 1) ** 2).sum()))
    text = jax.export.export(gradient, platforms=[platform])(jnp.zeros((1, 8, 8, 4))).mlir_module()
    assert text.count("stablehlo.select_and_scatter") == scatters
