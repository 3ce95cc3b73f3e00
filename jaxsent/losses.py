"""The joint loss (WSCNet Eq. 7, WSIDNet Eq. 7), each term a value per image."""

import jax
import jax.numpy as jnp
import optax

Array = jax.Array


def cross_entropy(logits: Array, labels: Array) -> Array:
    """(B, C), (B,) -> (B,): −log softmax(logits) at the label (WSCNet Eq. 2 and 6)."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def polarity_loss(logits: Array, polarity: Array, class_polarity: Array) -> Array:
    """−log of the softmax mass on the classes of the image's polarity (method.md).

    Args:
      logits: (B, C) of the detection branch.
      polarity: (B,) 0 negative, 1 positive.
      class_polarity: (C,) the polarity of each class.

    Returns:
      (B,)
    """
    same = polarity[:, None] == class_polarity[None, :]
    log_mass = jax.nn.logsumexp(logits, axis=-1, where=same)
    return jax.nn.logsumexp(logits, axis=-1) - log_mass


def joint_loss(
    out: dict[str, Array],
    class_target: Array,
    detect_target: Array,
    class_polarity: Array,
    *,
    class_weight: float,
    detect_weight: float,
    detect: str,
) -> dict[str, Array]:
    """L = class_weight · L_class + detect_weight · L_detect.

    Args:
      out: of the network; without "detect_logits" there is no second term.
      class_target: (B,) labels of the classification branch.
      detect_target: (B,) labels of the detection branch, polarities for `detect` "polarity".
      class_polarity: (C,) for `detect` "polarity".

    Returns:
      {"loss", "class_loss", "detect_loss"}, each (B,).
    """
    terms = {"class_loss": cross_entropy(out["class_logits"], class_target)}
    total = class_weight * terms["class_loss"]
    if "detect_logits" in out and detect_weight:
        logits = out["detect_logits"]
        if detect == "polarity":
            terms["detect_loss"] = polarity_loss(logits, detect_target, class_polarity)
        else:
            terms["detect_loss"] = cross_entropy(logits, detect_target)
        total = total + detect_weight * terms["detect_loss"]
    return terms | {"loss": total}


def masked_mean(values: Array, mask: Array) -> Array:
    """(B,), (B,) bool -> mean of the values where the mask is true."""
    weights = mask.astype(values.dtype)
    return jnp.sum(values * weights) / jnp.maximum(weights.sum(), 1)
