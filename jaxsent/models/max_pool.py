"""2×2 max pooling whose gradient is elementwise: one comparison, and no scatter."""

import jax
import jax.numpy as jnp

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
