"""Depthwise and pointwise convolution in forms that are also fast on a CPU.

GPUs and TPUs run the plain XLA convolution and its ordinary gradients. XLA's CPU backend has no
vectorised depthwise convolution, and its gradient of a 1×1 convolution transposes the images, so
there the same sums are written out: see `benchmarks/depthwise.py` for what that gains.

Sums are kept in float32 (or wider) whatever the inputs' dtype. No second derivatives.
"""

from collections.abc import Callable
from functools import partial, reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def depthwise_conv(x: Array, kernel: Array, stride: int) -> Array:
    """(B, H, W, C), (k, k, 1, C) -> (B, ⌈H/stride⌉, ⌈W/stride⌉, C).

    Each channel is filtered by its own k×k weights, padded like TensorFlow's "SAME". `x` and
    `kernel` share a dtype, which the result has too.
    """
    return per_platform(
        x,
        kernel,
        partial(_shifted_products, stride=stride),
        partial(_convolution, stride=stride, groups=x.shape[-1]),
    )


def pointwise_conv(x: Array, kernel: Array) -> Array:
    """(B, H, W, n), (1, 1, n, m) -> (B, H, W, m): one matrix product over all pixels."""
    return per_platform(x, kernel, matrix_product, partial(_convolution, stride=1, groups=1))


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def per_platform(x: Array, kernel: Array, cpu: Callable, default: Callable) -> Array:
    """`cpu(x, kernel)` where compiled for a CPU, `default(x, kernel)` elsewhere.

    Differentiating `platform_dependent` itself would keep the residuals of both forms.
    """
    return lax.platform_dependent(x, kernel, cpu=cpu, default=default)


def _forward(x, kernel, cpu, default):
    return per_platform(x, kernel, cpu, default), (x, kernel)


def _backward(cpu, default, residuals, dy):
    def gradients(function, x, kernel, dy):
        return jax.vjp(function, x, kernel)[1](dy)

    return lax.platform_dependent(
        *residuals, dy, cpu=partial(gradients, cpu), default=partial(gradients, default)
    )


per_platform.defvjp(_forward, _backward)


def _convolution(x: Array, kernel: Array, *, stride: int, groups: int) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def matrix_product(x: Array, kernel: Array) -> Array:
    """(B, H, W, n), (1, 1, n, m) -> (B, H, W, m)."""
    pixels = x.reshape(-1, x.shape[-1])  # (B·H·W, n)
    return (pixels @ kernel[0, 0]).reshape(*x.shape[:-1], kernel.shape[-1])


# --- depthwise convolution as k² shifted products ------------------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _shifted_products(x: Array, kernel: Array, stride: int) -> Array:
    k = kernel.shape[0]
    h, w = (-(-n // stride) for n in x.shape[1:3])
    padded = jnp.pad(x, ((0, 0), *_same_pads(x.shape, k, stride), (0, 0)))
    taps = [(i, j, kernel[i, j, 0]) for i in range(k) for j in range(k)]
    return _sum_of_products(padded, taps, stride, h, w).astype(x.dtype)


def _shifted_forward(x, kernel, stride):
    return _shifted_products(x, kernel, stride), (x, kernel)


def _shifted_backward(stride, residuals, dy):
    x, kernel = residuals
    return input_gradient(dy, kernel, stride, x.shape), kernel_gradient(x, dy, kernel, stride)


_shifted_products.defvjp(_shifted_forward, _shifted_backward)


def input_gradient(dy: Array, kernel: Array, stride: int, shape: tuple[int, ...]) -> Array:
    """(B, h, w, C), (k, k, 1, C) -> (B, H, W, C) = `shape`, the gradient by the input.

    Row stride·m + a of the input meets filter row i in output row m + (a + top − i) / stride, where
    that is whole. So each of the stride² phases (a, b) of the input is a plain sum of products of
    `dy` with every stride-th weight, and the phases are interleaved afterwards.
    """
    k, (h, w) = kernel.shape[0], dy.shape[1:3]
    (top, _), (left, _) = _same_pads(shape, k, stride)
    margin = k // stride + 1
    padded = jnp.pad(dy, ((0, 0), (margin, margin), (margin, margin), (0, 0)))

    def phase(a, b):
        taps = [
            (margin + (a + top - i) // stride, margin + (b + left - j) // stride, kernel[i, j, 0])
            for i in range((a + top) % stride, k, stride)
            for j in range((b + left) % stride, k, stride)
        ]
        return _sum_of_products(padded, taps, 1, h, w).astype(dy.dtype)

    if stride == 1:
        return phase(0, 0)
    rows = [jnp.stack([phase(a, b) for b in range(stride)], axis=3) for a in range(stride)]
    interleaved = jnp.stack(rows, axis=2)  # (B, h, stride, w, stride, C)
    return interleaved.reshape(-1, h * stride, w * stride, shape[3])[:, : shape[1], : shape[2]]


def kernel_gradient(x: Array, dy: Array, kernel: Array, stride: int) -> Array:
    """(B, H, W, C), (B, h, w, C) -> the gradient by `kernel` (k, k, 1, C).

    XLA's CPU backend sums a product over leading axes a channel at a time, with strided reads; only
    sums written as additions of whole rows become vector instructions. So a few images at a time
    are cut into blocks of rows that stay in the cache for all k² weights, and each weight's sum
    over a block's rows is one written-out sum, added to (w, C).
    """
    k, (batch, h, w, c) = kernel.shape[0], dy.shape
    wide = sum_dtype(x.dtype)
    rows = next((r for r in range(_TERMS, _TERMS // 2, -1) if h % r == 0), min(h, _TERMS))
    images = next(m for m in range(max(_TERMS // rows, 1), 0, -1) if batch % m == 0)
    blocks = -(-h // rows)
    missing = blocks * rows - h
    (top, bottom), across = _same_pads(x.shape, k, stride)
    pads = ((0, 0), (top, bottom + missing * stride), across, (0, 0))

    def add_block(block, sums, x, dy):
        x = lax.dynamic_slice_in_dim(x, block * rows * stride, (rows - 1) * stride + k, axis=1)
        dy = lax.dynamic_slice_in_dim(dy, block * rows, rows, axis=1)
        x, dy = (a.astype(wide) for a in lax.optimization_barrier((x, dy)))
        sources = [(m, r) for m in range(images) for r in range(rows)]

        def add_products(total, i, j):
            columns = slice(j, j + (w - 1) * stride + 1, stride)
            products = [x[m, i + r * stride, columns] * dy[m, r] for m, r in sources]
            return reduce(add, products, total)

        taps = [(i, j) for i in range(k) for j in range(k)]
        return [add_products(total, *tap) for total, tap in zip(sums, taps, strict=True)]

    def add_images(n, sums):
        some_x = jnp.pad(lax.dynamic_slice_in_dim(x, n * images, images), pads)
        some_dy = lax.dynamic_slice_in_dim(dy, n * images, images)
        some_dy = jnp.pad(some_dy, ((0, 0), (0, missing), (0, 0), (0, 0)))
        # Without the barrier the padding is recomputed inside each of the sums.
        padded = lax.optimization_barrier((some_x, some_dy))
        return lax.fori_loop(0, blocks, lambda n, sums: add_block(n, sums, *padded), sums)

    sums = lax.fori_loop(0, batch // images, add_images, [jnp.zeros((w, c), wide)] * k**2)
    total = lax.optimization_barrier(jnp.stack(sums)).sum(axis=1)
    return total.reshape(kernel.shape).astype(kernel.dtype)


_TERMS = 28
"""Most terms of a written-out sum. Measured on 224's layers: 16 to 42 terms are two to three times
as fast as 14 or fewer; more only take longer to compile."""


def sum_dtype(dtype: jnp.dtype) -> jnp.dtype:
    """What sums are kept in."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype


def _same_pads(shape: tuple[int, ...], k: int, stride: int) -> list[tuple[int, int]]:
    """((top, bottom), (left, right)) of TensorFlow's "SAME" for (B, H, W, C)."""
    return lax.padtype_to_pads(shape[1:3], (k, k), (stride, stride), "SAME")


def _window(padded: Array, i: int, j: int, stride: int, h: int, w: int) -> Array:
    """The (B, h, w, C) pixels, `stride` apart, of which (i, j) is the first."""
    return padded[:, i : i + (h - 1) * stride + 1 : stride, j : j + (w - 1) * stride + 1 : stride]


def _sum_of_products(padded: Array, taps: list, stride: int, h: int, w: int) -> Array:
    """Σ window(i, j) · weights over the taps (i, j, weights (C,)) -> (B, h, w, C), wide."""
    wide = sum_dtype(padded.dtype)
    terms = [
        _window(padded, i, j, stride, h, w).astype(wide) * weights.astype(wide).reshape(1, 1, 1, -1)
        for i, j, weights in taps
    ]
    if not terms:  # a stride beyond the filter leaves pixels unread
        return jnp.zeros((padded.shape[0], h, w, padded.shape[3]), wide)
    return reduce(add, terms)
