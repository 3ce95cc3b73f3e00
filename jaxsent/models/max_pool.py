"""Max pooling whose gradient is elementwise: comparisons, and no scatter."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


@jax.custom_vjp
def max_pool_2x2(x: Array) -> Array:
    """(B, H, W, n) -> (B, ⌊H/2⌋, ⌊W/2⌋, n): maxima of 2×2 windows, 2 apart, without padding.

    A last odd row or column is not read, as in torch's MaxPool2d(2). As there, and in XLA's own
    reduce_window, the gradient goes to the first place of a window, row by row, that has its
    maximum; that of `jnp.max` would be split among equals. XLA scatters the gradient of its
    windows, which no platform does fast; a comparison with the maximum is fused with what is
    around it. No second derivatives.
    """
    return _windows(x).max(axis=(2, 4))


def _forward(x):
    return max_pool_2x2(x), x


def _backward(x, dy):
    windows = _windows(x)
    maximum = windows.max(axis=(2, 4))
    left, rows = dy, []  # `left`: the gradient where no place has received it yet
    for i in range(2):
        columns = []
        for j in range(2):
            here = windows[:, :, i, :, j] == maximum
            columns.append(jnp.where(here, left, 0))
            left = jnp.where(here, 0, left)
        rows.append(jnp.stack(columns, axis=3))
    dx = jnp.stack(rows, axis=2)  # (B, h, 2, w, 2, n)
    b, h, _, w, _, n = dx.shape
    odd_row, odd_column = x.shape[1] - 2 * h, x.shape[2] - 2 * w
    dx = dx.reshape(b, 2 * h, 2 * w, n)
    return (jnp.pad(dx, ((0, 0), (0, odd_row), (0, odd_column), (0, 0))),)


max_pool_2x2.defvjp(_forward, _backward)


def _windows(x: Array) -> Array:
    """(B, H, W, n) -> (B, ⌊H/2⌋, 2, ⌊W/2⌋, 2, n)."""
    b, height, width, n = x.shape
    h, w = height // 2, width // 2
    return x[:, : 2 * h, : 2 * w].reshape(b, h, 2, w, 2, n)


# --- windows that overlap ------------------------------------------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def max_pool(x: Array, k: int, stride: int, padding: int) -> Array:
    """(B, H, W, n) -> (B, h, w, n), h = ⌊(H + 2·padding − k) / stride⌋ + 1: maxima of k×k windows.

    Where compiled for a CPU the gradient is that of `input_gradient`, elsewhere XLA's scatter; both
    give it to the first of equals. No second derivatives.
    """
    return _reduced(x, k, stride, padding)


def _reduced(x, k, stride, padding):
    return nn.max_pool(x, (k, k), (stride, stride), padding=((padding, padding),) * 2)


def _overlapping_forward(x, k, stride, padding):
    return _reduced(x, k, stride, padding), x


def _overlapping_backward(k, stride, padding, x, dy):
    def by_xla(x, dy):
        return jax.vjp(partial(_reduced, k=k, stride=stride, padding=padding), x)[1](dy)[0]

    elementwise = partial(input_gradient, k=k, stride=stride, padding=padding)
    return (lax.platform_dependent(x, dy, cpu=elementwise, default=by_xla),)


max_pool.defvjp(_overlapping_forward, _overlapping_backward)


def input_gradient(x: Array, dy: Array, k: int, stride: int, padding: int) -> Array:
    """(B, H, W, n), (B, h, w, n) -> (B, H, W, n), the gradient by the input.

    Each window's place of its maximum is found first. Row stride·m + a of the padded input is row i
    of the window at m − (i − a) / stride, where that is whole, so each of the stride² phases (a, b)
    of the input is a plain sum over windows, and the phases are interleaved afterwards.
    """
    (_, height, width, _), (_, h, w, _) = x.shape, dy.shape
    bottom, right = (
        (count - 1) * stride + k - padding - side for count, side in ((h, height), (w, width))
    )
    lowest = jnp.array(-jnp.inf, x.dtype)
    around = ((0, 0, 0), (padding, bottom, 0), (padding, right, 0), (0, 0, 0))
    padded = lax.pad(x, lowest, around)
    maximum, place = None, jnp.zeros(dy.shape, jnp.uint8)
    for i in range(k):
        for j in range(k):
            rows = slice(i, i + (h - 1) * stride + 1, stride)
            view = padded[:, rows, j : j + (w - 1) * stride + 1 : stride]
            if maximum is None:
                maximum = view
                continue
            place = jnp.where(view > maximum, jnp.uint8(i * k + j), place)
            maximum = jnp.maximum(maximum, view)

    margin = (k - 1) // stride
    rows, columns = (-(-(side + padding) // stride) for side in (height, width))
    outside = ((0, 0), (margin, max(rows - h, 0)), (margin, max(columns - w, 0)), (0, 0))
    place = jnp.pad(place, outside, constant_values=k * k)  # of no window
    dy = jnp.pad(dy, outside)

    def phase(a, b):
        total = jnp.zeros((dy.shape[0], rows, columns, dy.shape[3]), dy.dtype)
        for i in range(a, k, stride):
            for j in range(b, k, stride):
                top, left = margin - (i - a) // stride, margin - (j - b) // stride
                view = (slice(None), slice(top, top + rows), slice(left, left + columns))
                total += jnp.where(place[view] == i * k + j, dy[view], 0)
        return total

    bands = [jnp.stack([phase(a, b) for b in range(stride)], axis=3) for a in range(stride)]
    dx = jnp.stack(bands, axis=2).reshape(dy.shape[0], rows * stride, columns * stride, -1)
    return dx[:, padding : padding + height, padding : padding + width]
