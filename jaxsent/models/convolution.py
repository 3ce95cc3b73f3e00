"""Convolution that is trained as fast on a CPU.

GPUs, TPUs and several devices run XLA's own convolution and gradients. XLA's CPU backend is as slow
as a tenth of itself in the gradient by the weights, a convolution with filters of the image's size;
there it is written as matrix products, and so is all of a 1×1 convolution: see
`benchmarks/convolution.py` for what that gains.
"""

from collections.abc import Callable
from functools import partial, reduce
from operator import add
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxsent.models.depthwise import matrix_product, per_platform, sum_dtype
from jaxsent.models.settled import settled

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
    if stride > 1:
        return matrix_product(x[:, ::stride, ::stride], kernel)
    return _product(x.reshape(-1, x.shape[-1]), kernel[0, 0]).reshape(*x.shape[:-1], -1)


@jax.custom_vjp
def _product(pixels, weights):
    return pixels @ weights


def _product_forward(pixels, weights):
    return pixels @ weights, (pixels, weights)


def _product_backward(residuals, dy):
    pixels, weights = residuals
    dy = settled(dy)
    return dy @ weights.T, weights_gradient(pixels, dy)


_product.defvjp(_product_forward, _product_backward)


def weights_gradient(pixels: Array, dy: Array) -> Array:
    """(p, n), (p, m) -> pixelsᵀ · dy (n, m).

    XLA's CPU backend multiplies a transposed array half as fast as one that it is made to write
    down first, of which the narrower takes less time. That does not hold for every other pixel.
    """
    if pixels.shape[1] <= dy.shape[1]:
        return lax.optimization_barrier(pixels.T) @ dy
    transposed = lax.optimization_barrier(dy.T) @ pixels
    return lax.optimization_barrier(transposed).T  # else the product is turned around again


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
    dy = settled(dy)

    def by_xla(x, dy):
        conv = partial(_plain, x, stride=stride, padding=padding)
        return jax.linear_transpose(conv, kernel)(dy)[0]

    def by_products(x, dy):
        gradient = kernel_gradient(x, dy, kernel.shape, stride, padding)
        return gradient.astype(kernel.dtype)

    def input_by_xla(dy, kernel):
        return jax.linear_transpose(lambda x: _plain(x, kernel, stride, padding), x)(dy)[0]

    def input_by_products(dy, kernel):
        return input_gradient(dy, kernel, x.shape, stride, padding).astype(x.dtype)

    if dy.size // dy.shape[3] < 2 * x.shape[3]:
        dx = lax.platform_dependent(dy, kernel, cpu=input_by_products, default=input_by_xla)
    else:
        dx = input_by_xla(dy, kernel)
    return dx, lax.platform_dependent(x, dy, cpu=by_products, default=by_xla)


_convolution.defvjp(_forward, _backward)


def input_gradient(
    dy: Array, kernel: Array, shape: tuple[int, ...], stride: int, padding: int
) -> Array:
    """(B, h, w, m), (k, k, n, m) -> the gradient by the input (B, H, W, n) = `shape`.

    One product with all weights, then a sum over the k² places that they go to: for few pixels and
    many channels, where XLA's CPU backend takes longer to write the weights down again, turned
    around, than to multiply. Sums are float32, or wider where `dy` is.
    """
    (batch, h, w, m), (k, _, n, _) = dy.shape, kernel.shape
    wide = sum_dtype(dy.dtype)
    pixels, weights = dy.reshape(-1, m), kernel.reshape(-1, m)
    products = lax.dot_general(pixels, weights, (((1,), (1,)), ((), ())), None, wide)
    products = products.reshape(batch, h, w, k, k, n)

    def placed(i, j):
        around = [
            (at - padding, side - (count - 1) * stride - 1 - at + padding, stride - 1)
            for at, side, count in ((i, shape[1], h), (j, shape[2], w))
        ]
        edges = ((0, 0, 0), *around, (0, 0, 0))
        return lax.pad(products[:, :, :, i, j], jnp.zeros((), wide), edges)

    return reduce(add, (placed(i, j) for i in range(k) for j in range(k)))


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
        return total + lax.optimization_barrier(gradients.astype(wide).T) @ columns

    total = lax.fori_loop(0, blocks, add_block, jnp.zeros((m, k * k * n), wide))
    return total.T.reshape(shape)


_PIXELS = 512
"""Most pixels of `dy` whose windows are written out at a time, unless one row has more."""
