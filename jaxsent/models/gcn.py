"""Stacked graph convolution over the sentiment graph (WSIDNet Eq. 4–5)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxsent.models.dense import Dense32

Array = jax.Array


def propagate(a: Array, h: Array) -> Array:
    """(C, C) normalised adjacency, (B, C, n) -> (B, C, n): Â H."""
    return jnp.einsum("cd,bdn->bcn", a, h)


def read_out(h: Array, readout: str = "mean") -> Array:
    """(B, C, m) -> F_s: (B, m) for "mean" and "max" over nodes, (B, C·m) node-major for "flatten".

    With regular graphs, as Mikels' is, "mean" after a linear layer cannot see the graph
    (method.md); "flatten" and "max" can.
    """
    if readout == "flatten":
        return h.reshape(h.shape[0], -1)
    return {"mean": jnp.mean, "max": jnp.max}[readout](h, axis=1)


class StackedGCN(nn.Module):
    """H^{l+1} = ReLU(Â H^l W^l + b) for each of `widths` (WSIDNet Eq. 4).

    Attributes:
      adjacency: (C, C) normalised adjacency Â, a constant.
      widths: output width of each layer.
    """

    adjacency: Any
    widths: tuple[int, ...] = (512, 2048)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, nodes: Array) -> Array:
        """(B, C, n) -> (B, C, widths[-1]) float32."""
        h = nodes
        a = jnp.asarray(np.array(self.adjacency), self.dtype)
        for i, width in enumerate(self.widths):
            # Â (H W) = (Â H) W: propagate first, where the nodes are narrow.
            layer = Dense32(width, self.dtype, name=f"layer{i}")
            h = nn.relu(layer(propagate(a, h.astype(self.dtype))))
        return h
