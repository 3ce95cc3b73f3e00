"""Batch norm whose running variance is torch's; and one with ReLU6 that keeps only its input.

The running variance is of the unbiased variance, Σ(x − mean)² / (n − 1) over the n = B·H·W values
of a channel, while the batch is normalised by the biased one: so do torch's BatchNorm2d, on which
WSCNet's code stands (IV-B1), and TensorFlow's fused one, of which EfficientNet-Lite is; Flax's
nn.BatchNorm keeps the biased one. At 32 images and 14×14 places they differ by a six-thousandth, at
4 images and 2×2 places by a fifteenth.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array

_EPSILON = 1e-3
_MOMENTUM = 0.99


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def batch_norm(x: Array, scale: Array, bias: Array, relu6: bool) -> tuple[Array, Array, Array]:
    """Batch norm by the batch's own statistics, then perhaps ReLU6.

    Only `x` is kept for the gradient, which computes the rest again: autodiff would keep two more
    arrays of its size, and on a CPU first use of that memory takes a third of a training step.

    Args:
      x: (B, H, W, C).
      scale, bias: (C,) float32.
      relu6: whether to limit the result to 0 … 6.

    Returns:
      (B, H, W, C) in the dtype of `x`; mean (C,) and biased variance (C,) in float32, through
      which no gradient flows.
    """
    return _batch_norm_forward(x, scale, bias, relu6)[0]


def _batch_norm_forward(x, scale, bias, relu6):
    wide = x.astype(jnp.float32)
    mean = wide.mean(axis=(0, 1, 2))
    var = jnp.maximum((wide * wide).mean(axis=(0, 1, 2)) - mean * mean, 0.0)
    y = _affine(wide, mean, scale * jax.lax.rsqrt(var + _EPSILON), bias)
    if relu6:
        y = nn.relu6(y)
    return (y.astype(x.dtype), mean, var), (x, mean, var, scale, bias)


def _batch_norm_backward(relu6, residuals, cotangents):
    x, mean, var, scale, bias = residuals
    x = jax.lax.optimization_barrier(x)  # else XLA finds `y` computed before and keeps it after all
    dy = cotangents[0].astype(jnp.float32)
    wide = x.astype(jnp.float32)
    deviation = jax.lax.rsqrt(var + _EPSILON)  # 1 / σ
    if relu6:
        y = _affine(wide, mean, scale * deviation, bias)
        dy = jnp.where((y > 0.0) & (y < 6.0), dy, 0.0)
    count = x.size // x.shape[-1]
    dbias = dy.sum(axis=(0, 1, 2))
    dscale = (dy * (wide - _row(mean))).sum(axis=(0, 1, 2)) * deviation
    centred = _affine(wide, mean, deviation * dscale / count, dbias / count)
    dx = (dy - centred) * _row(scale * deviation)
    return dx.astype(x.dtype), dscale, dbias


batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


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


class UnbiasedBatchNorm(nn.BatchNorm):
    """`nn.BatchNorm` but for its running variance, which is of the unbiased one."""

    def __call__(self, x: Array, use_running_average: bool | None = None) -> Array:
        """(B, H, W, C) -> the same."""
        stored = nn.merge_param(
            "use_running_average", self.use_running_average, use_running_average
        )
        if stored or self.is_initializing():
            return super().__call__(x, use_running_average)
        before = self.momentum * self.get_variable("batch_stats", "var")
        y = super().__call__(x, use_running_average)
        moved = self.get_variable("batch_stats", "var")
        self.put_variable("batch_stats", "var", before + unbiased(moved - before, x))
        return y


class BatchNorm(nn.Module):
    """`nn.BatchNorm` with an optional ReLU6, by `batch_norm` in training: (B, H, W, C) -> same."""

    relu6: bool

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        shape = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        if not train:
            factor = scale * jax.lax.rsqrt(var.value + _EPSILON)
            y = _affine(x.astype(jnp.float32), mean.value, factor, bias)
            return (nn.relu6(y) if self.relu6 else y).astype(x.dtype)
        y, of_batch, biased = batch_norm(x, scale, bias, self.relu6)
        if not self.is_initializing():
            for running, new in ((mean, of_batch), (var, unbiased(biased, x))):
                running.value = _MOMENTUM * running.value + (1.0 - _MOMENTUM) * new
        return y
