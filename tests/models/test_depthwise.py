"""Depthwise and pointwise convolution against XLA's own, and what other platforms compile."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.test_util import check_grads

from jaxsent.models.depthwise import depthwise_conv, pointwise_conv


def plain(x, kernel, stride=1, groups=1):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=dimensions,
        feature_group_count=groups,
    )


def arrays(*shapes, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=s), dtype) for s in shapes]


def value_and_gradients(function, x, kernel):
    y, pullback = jax.vjp(function, x, kernel)
    (dy,) = arrays(y.shape, dtype=y.dtype)
    return y, *pullback(dy)


@pytest.mark.parametrize("size", [(12, 10), (7, 16), (33, 5), (1, 2)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("k", [3, 5])
def test_depthwise_equals_xla(k, stride, size):
    x, kernel = arrays((2, *size, 4), (k, k, 1, 4))
    compiled = jax.jit(partial(value_and_gradients, partial(depthwise_conv, stride=stride)))
    reference = jax.jit(partial(value_and_gradients, partial(plain, stride=stride, groups=4)))
    chex.assert_trees_all_close(compiled(x, kernel), reference(x, kernel), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("k", "stride"), [(1, 2), (2, 3), (5, 3)])
def test_depthwise_of_unusual_strides(k, stride):
    x, kernel = arrays((2, 11, 9, 3), (k, k, 1, 3))
    outputs = value_and_gradients(partial(depthwise_conv, stride=stride), x, kernel)
    expected_output = value_and_gradients(partial(plain, stride=stride, groups=3), x, kernel)
    chex.assert_trees_all_close(outputs, expected_output, rtol=1e-4, atol=1e-4)


def test_pointwise_equals_xla():
    x, kernel = arrays((2, 5, 6, 4), (1, 1, 4, 7))
    outputs = value_and_gradients(pointwise_conv, x, kernel)
    chex.assert_trees_all_close(
        outputs, value_and_gradients(plain, x, kernel), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_are_differences(stride):
    x, kernel = arrays((2, 5, 6, 3), (3, 3, 1, 3))
    conv = partial(depthwise_conv, stride=stride)
    check_grads(conv, (x, kernel), order=1, modes="rev", atol=2e-2, rtol=2e-2)


def test_bfloat16_sums_are_kept_in_float32():
    x, kernel = arrays((2, 40, 40, 4), (5, 5, 1, 4), dtype=jnp.bfloat16)
    conv = jax.jit(partial(depthwise_conv, stride=2))
    y, dx, dkernel = value_and_gradients(conv, x, kernel)
    assert y.dtype == dx.dtype == dkernel.dtype == jnp.bfloat16
    wide = jax.vjp(conv, x.astype(jnp.float32), kernel.astype(jnp.float32))
    (dy,) = arrays(y.shape, dtype=y.dtype)
    expected = (wide[0], *wide[1](dy.astype(jnp.float32)))
    for outputs, expected_output in zip((y, dx, dkernel), expected, strict=True):
        chex.assert_trees_all_close(
            outputs.astype(jnp.float32), expected_output, rtol=8e-3, atol=1e-6
        )


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_other_platforms_get_the_plain_convolution(platform):
    def loss(conv, x, kernel):
        return (conv(x, kernel) ** 2).sum()

    def operations(conv):
        """StableHLO operations of the value and both gradients, counted, less a case's frame."""
        step = jax.jit(jax.value_and_grad(partial(loss, conv), argnums=(0, 1)))
        text = jax.export.export(step, platforms=[platform])(x, kernel).mlir_module()
        words = [w for w in text.replace("(", " ").split() if w.startswith("stablehlo.")]
        return {w: words.count(w) for w in set(words) - {"stablehlo.constant", "stablehlo.return"}}

    x, kernel = arrays((2, 12, 12, 4), (3, 3, 1, 4))
    assert operations(partial(depthwise_conv, stride=2)) == operations(
        partial(plain, stride=2, groups=4)
    )
    x, kernel = arrays((2, 12, 12, 4), (1, 1, 4, 8))
    assert operations(pointwise_conv) == operations(plain)
