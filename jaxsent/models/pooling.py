"""The maths of the detection branch and of the coupling, as functions of arrays (method.md).

Notation: f (B, h, w, C, k) are the responses of k detectors for each of C emotion classes,
F (B, h, w, n) the backbone's feature map.
"""

import jax
import jax.numpy as jnp

from jaxsent.models.dense import at_least_float32

Array = jax.Array


def cross_spatial_pooling(f: Array, pooling: str = "max") -> Array:
    """(B, h, w, C, k) -> (B, C): v_c = mean_i max_xy f_ci (WSCNet Eq. 1, WSIDNet Eq. 1).

    `pooling` "avg" takes the mean over places instead, as the first author's notebook does.
    """
    pooled = {"max": jnp.max, "avg": jnp.mean}[pooling](f, axis=(1, 2))
    return pooled.mean(axis=-1)


def class_maps(f: Array) -> Array:
    """(B, h, w, C, k) -> (B, h, w, C): H_c = mean_i f_ci."""
    return f.mean(axis=-1)


def sentiment_map(
    detect_logits: Array, maps: Array, map_weights: str = "raw", map_mean: bool = False
) -> Array:
    """(B, C), (B, h, w, C) -> (B, h, w): M = Σ_c v_c · H_c (WSCNet Eq. 3).

    `map_weights` "softmax" weighs by softmax(v); `map_mean` divides by C, as the first author's
    notebook does.
    """
    weights = jax.nn.softmax(detect_logits) if map_weights == "softmax" else detect_logits
    m = jnp.einsum("bc,bhwc->bhw", weights, maps)
    return m / maps.shape[-1] if map_mean else m


def activation_maps(features: Array, kernel: Array) -> Array:
    """(B, h, w, n), (n, K) -> (B, h, w, K) float32: Σ_n F_n · w_nc (Zhou et al. 2016, Eq. 2).

    The kernel is of a linear classifier that reads mean_xy F; its bias is left out, as there.
    """
    return jnp.einsum(
        "bhwn,nc->bhwc",
        features,
        kernel.astype(features.dtype),
        preferred_element_type=at_least_float32(features),
    )


def map_of(classes: Array, maps: Array) -> Array:
    """(B,), (B, h, w, K) -> (B, h, w): the map of each image's class."""
    return jnp.take_along_axis(maps, classes[:, None, None, None], axis=-1)[..., 0]


def couple(m: Array, features: Array, coupling: str = "both") -> Array:
    """(B, h, w), (B, h, w, n) -> d = mean_xy(F ‖ M ∘ F) (WSCNet Eq. 4), float32.

    (B, 2n) for `coupling` "both"; (B, n) for "local" (M ∘ F alone) and "none" (F alone), the
    ablation of WSCNet's Table IV. M ∘ F itself, of size h·w·n, is never made.
    """
    parts = []
    if coupling in ("both", "none"):
        parts.append(features.astype(at_least_float32(features)).mean((1, 2)))
    if coupling in ("both", "local"):
        parts.append(_weighted_mean("bhw,bhwn->bn", m, features))
    return jnp.concatenate(parts, axis=-1)


def node_features(maps: Array, features: Array) -> Array:
    """(B, h, w, C), (B, h, w, n) -> (B, C, n): X_c = mean_xy(H_c ∘ F), float32 (WSIDNet 3.1).

    "Repeat to w × h × n" is broadcasting; nothing of size h·w·C·n is made.
    """
    return _weighted_mean("bhwc,bhwn->bcn", maps, features)


def _weighted_mean(equation: str, weights: Array, features: Array) -> Array:
    h, w = features.shape[1:3]
    # Not in the features' bfloat16: the maps would be others than those that the network answers.
    wide = features.astype(weights.dtype)
    return jnp.einsum(equation, weights, wide, preferred_element_type=at_least_float32(wide)) / (
        h * w
    )
