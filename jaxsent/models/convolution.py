"""Convolution that is trained as fast on a CPU.

GPUs, TPUs and several devices run XLA's own convolution and gradients. XLA's CPU backend is as slow
as a tenth of itself in the gradient by the weights, a convolution with filters of the image's size;
there it is written as matrix products, and so is all of a 1×1 convolution: see
`benchmarks/convolution.py` for what that gains.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxsent.models.depthwise import matrix_product, per_platform, sum_dtype

Array = jax.Array


class Conv(nn.Module):
    """`nn.Conv` in two dimensions, with the same parameters, by `convolution`.

    Attributes:
      width: channels of the result.
      kernel: side k of the filters.
      padding: of the images on each side, in pixels.
      dtype: dtype of the computation; parameters are float32.
    """

    width: int
    kernel: int
    stride: int = 1
    padding: int = 0
    use_bias: bool = True
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """(B, H, W, n) -> (B, h, w, width), h = ⌊(H + 2·padding − k) / stride⌋ + 1."""
        shape = (self.kernel, self.kernel, x.shape[-1], self.width)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = convolution(x.astype(self.dtype), kernel.astype(self.dtype), self.stride, self.padding)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32)
            y = y + bias.astype(self.dtype).reshape(1, 1, 1, -1)
        return y


def convolution(x: Array, kernel: Array, stride: int = 1, padding: int = 0) -> Array:
    """(B, H, W, n), (k, k, n, m) -> (B, h, w, m), h = ⌊(H + 2·padding − k) / stride⌋ + 1.

    `x` and `kernel` share a dtype, which the result has too. On one device it has neither second
    derivatives nor forward ones.
    """
    if not _alone():
        return _plain(x, kernel, stride, padding)
    if kernel.shape[:2] == (1, 1) and padding == 0:
        plain = partial(_plain, stride=stride, padding=0)
        return per_platform(x, kernel, partial(_pixel_products, stride=stride), plain)
    return _convolution(x, kernel, stride, padding)


def _alone() -> bool:
    """Whether there is one device: several would send their part of each block's gradient."""
    return jax.device_count() == 1


def _pixel_products(x, kernel, stride):
    return matrix_product(x[:, ::stride, ::stride], kernel)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolution(x, kernel, stride, padding):
    return _plain(x, kernel, stride, padding)


def _plain(x, kernel, stride, padding):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        [(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _forward(x, kernel, stride, padding):
    return _plain(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, residuals, dy):
    x, kernel = residuals

    def by_xla(x, dy):
        conv = partial(_plain, x, stride=stride, padding=padding)
        return jax.linear_transpose(conv, kernel)(dy)[0]

    def by_products(x, dy):
        gradient = kernel_gradient(x, dy, kernel.shape, stride, padding)
        return gradient.astype(kernel.dtype)

    dx = jax.linear_transpose(lambda x: _plain(x, kernel, stride, padding), x)(dy)[0]
    return dx, lax.platform_dependent(x, dy, cpu=by_products, default=by_xla)


_convolution.defvjp(_forward, _backward)


def kernel_gradient(
    x: Array, dy: Array, shape: tuple[int, ...], stride: int, padding: int
) -> Array:
    """(B, H, W, n), (B, h, w, m) -> the gradient by the kernel (k, k, n, m) = `shape`.

    What the k²·n weights of an output channel meet is written next to each other, a few rows of
    the images at a time, so that it stays in the cache; one matrix product with the same rows of
    `dy` is then a part of the gradient. Sums are float32, or wider where the images are.
    """
    (k, _, n, m), (batch, h, w, _) = shape, dy.shape
    wide = sum_dtype(x.dtype)
    rows = max(min(_PIXELS // (batch * w), h), 1)
    blocks = -(-h // rows)
    rows = -(-h // blocks)
    missing = blocks * rows - h
    # The last row that is read may lie before the image's end, or beyond it.
    bottom = (blocks * rows - 1) * stride + k - x.shape[1] - padding
    right = (w - 1) * stride + k - x.shape[2] - padding
    zero = jnp.zeros((), x.dtype)
    padded = lax.pad(x, zero, ((0, 0, 0), (padding, bottom, 0), (padding, right, 0), (0, 0, 0)))
    dy = jnp.pad(dy, ((0, 0), (0, missing), (0, 0), (0, 0)))

    def add_block(block, total):
        band = lax.dynamic_slice_in_dim(
            padded, block * rows * stride, (rows - 1) * stride + k, axis=1
        )
        windows = [
            band[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (w - 1) * stride + 1 : stride]
            for i in range(k)
            for j in range(k)
        ]
        columns = jnp.concatenate(windows, axis=-1).reshape(-1, k * k * n).astype(wide)
        gradients = lax.dynamic_slice_in_dim(dy, block * rows, rows, axis=1).reshape(-1, m)
        return total + lax.dot_general(gradients.astype(wide), columns, (((0,), (0,)), ((), ())))

    total = lax.fori_loop(0, blocks, add_block, jnp.zeros((m, k * k * n), wide))
    return total.T.reshape(shape)


_PIXELS = 512
"""Most pixels of `dy` whose windows are written out at a time, unless one row has more."""
