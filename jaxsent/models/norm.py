"""Batch norm that keeps only its input, with a sum and a ReLU; its running variance is torch's.

The running variance is of the unbiased variance, Σ(x − mean)² / (n − 1) over the n = B·H·W values
of a channel, while the batch is normalised by the biased one: so do torch's BatchNorm2d, on which
WSCNet's code stands (IV-B1), and TensorFlow's fused one, of which EfficientNet-Lite is; Flax's
nn.BatchNorm keeps the biased one. At 32 images and 14×14 places they differ by a six-thousandth, at
4 images and 2×2 places by a fifteenth.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models.settled import settled

Array = jax.Array

LIMITS = {None: None, "relu": float("inf"), "relu6": 6.0}
"""Activations behind the norm: the highest value that they let through, None for no activation."""


@partial(jax.custom_vjp, nondiff_argnums=(4, 5))
def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    shortcut: Array | None,
    activation: str | None,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """activation(norm(x) + shortcut), by the batch's own statistics.

    For the gradient `x` is kept, and of a block that ends here (with a shortcut) the result, which
    the next convolution keeps anyway; the rest is computed again. Autodiff would keep x − mean, the
    norm and what the activation reads too, and on a CPU first use of that memory takes a third of
    a training step.

    Args:
      x: (B, H, W, C).
      scale, bias: (C,) float32.
      shortcut: (B, H, W, C) that is added before the activation, or None.
      activation: one of LIMITS.
      epsilon: added to the variance.

    Returns:
      (B, H, W, C) in the dtype of `x`; mean (C,) and biased variance (C,) in float32, through
      which no gradient flows.
    """
    return _batch_norm_forward(x, scale, bias, shortcut, activation, epsilon)[0]


def _batch_norm_forward(x, scale, bias, shortcut, activation, epsilon):
    wide = x.astype(jnp.float32)
    mean = wide.mean(axis=(0, 1, 2))
    var = jnp.maximum((wide * wide).mean(axis=(0, 1, 2)) - mean * mean, 0.0)
    y = finish(wide, mean, scale * jax.lax.rsqrt(var + epsilon), bias, shortcut, activation)
    y = settled(y.astype(x.dtype))
    return (y, mean, var), (x, mean, var, scale, bias, None if shortcut is None else y)


def _batch_norm_backward(activation, epsilon, residuals, cotangents):
    x, mean, var, scale, bias, result = residuals
    x = jax.lax.optimization_barrier(x)  # else XLA finds `y` computed before and keeps it after all
    dy = cotangents[0].astype(jnp.float32)
    wide = x.astype(jnp.float32)
    deviation = jax.lax.rsqrt(var + epsilon)  # 1 / σ
    if activation is not None:
        y = _affine(wide, mean, scale * deviation, bias) if result is None else result
        y = y.astype(jnp.float32)
        dy = jnp.where((y > 0.0) & (y < LIMITS[activation]), dy, 0.0)
    count = x.size // x.shape[-1]
    dbias = dy.sum(axis=(0, 1, 2))
    dscale = (dy * (wide - _row(mean))).sum(axis=(0, 1, 2)) * deviation
    centred = _affine(wide, mean, deviation * dscale / count, dbias / count)
    dx = settled(((dy - centred) * _row(scale * deviation)).astype(x.dtype))
    return dx, dscale, dbias, None if result is None else dy.astype(x.dtype)


batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


def finish(
    wide: Array,
    mean: Array,
    scale: Array,
    bias: Array,
    shortcut: Array | None,
    activation: str | None,
) -> Array:
    """activation((x − mean) · scale + bias + shortcut), (B, H, W, C) float32."""
    y = _affine(wide, mean, scale, bias)
    if shortcut is not None:
        y = y + shortcut.astype(jnp.float32)
    if activation is None:
        return y
    return nn.relu(y) if activation == "relu" else nn.relu6(y)


def _affine(x: Array, mean: Array, scale: Array, bias: Array) -> Array:
    # Not (x − mean) · scale + bias: XLA would keep x − mean, half as much memory again.
    return x * _row(scale) + _row(bias - mean * scale)


def _row(channels: Array) -> Array:
    """(C,) -> (1, 1, 1, C)."""
    return channels.reshape(1, 1, 1, -1)


def unbiased(var: Array, x: Array) -> Array:
    """The biased variance (C,) over all but the last axis of x -> the unbiased one."""
    count = x.size // x.shape[-1]
    return var * (count / max(count - 1, 1))


class BatchNorm(nn.Module):
    """`nn.BatchNorm`, then perhaps a sum and an activation, by `batch_norm` in training.

    Attributes:
      activation: one of LIMITS.
      momentum: share of the running statistics that stays.
      epsilon: added to the variance.
      scale_init: of the scale, before training.
    """

    activation: str | None = None
    momentum: float = 0.99
    epsilon: float = 1e-3
    scale_init: Callable = nn.initializers.ones

    @nn.compact
    def __call__(self, x: Array, train: bool, shortcut: Array | None = None) -> Array:
        """(B, H, W, C), perhaps the like to add before the activation -> the same."""
        shape = (x.shape[-1],)
        scale = self.param("scale", self.scale_init, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        if not train:
            factor = scale * jax.lax.rsqrt(var.value + self.epsilon)
            wide = x.astype(jnp.float32)
            y = finish(wide, mean.value, factor, bias, shortcut, self.activation)
            return y.astype(x.dtype)
        y, of_batch, biased = batch_norm(x, scale, bias, shortcut, self.activation, self.epsilon)
        if not self.is_initializing():
            for running, new in ((mean, of_batch), (var, unbiased(biased, x))):
                running.value = self.momentum * running.value + (1.0 - self.momentum) * new
        return y
