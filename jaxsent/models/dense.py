"""A fully-connected layer, or a 1×1 convolution, whose sums stay in float32."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array


def float32_product(x: Array, kernel: Array) -> Array:
    """(..., n), (n, m) of one dtype -> (..., m) float32: products summed and kept in float32."""
    axes = (((x.ndim - 1,), (0,)), ((), ()))
    return jax.lax.dot_general(x, kernel, axes, preferred_element_type=at_least_float32(x))


def at_least_float32(x: Array) -> jnp.dtype:
    """What products of `x` are summed in: float32, or its own dtype where that is wider.

    cuBLAS refuses a float64 product with a float32 result.
    """
    return jnp.dtype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x.dtype


class Dense32(nn.Module):
    """`nn.Dense` that reads its input and its weights in `dtype` and answers in float32.

    For what a maximum is taken of. With 8 bits for a number, which is bfloat16, several places of a
    14×14 map share the highest value, and the gradient of their maximum is split between them.
    """

    width: int
    dtype: Any = jnp.float32
    kernel_init: Any = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """(..., n) -> (..., width) float32."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.width), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32)
        y = float32_product(x.astype(self.dtype), kernel.astype(self.dtype))
        return y + bias.reshape((1,) * (y.ndim - 1) + (-1,))
