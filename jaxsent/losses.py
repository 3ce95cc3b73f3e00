"""The joint loss (WSCNet Eq. 7, WSIDNet Eq. 7) and that of true maps, each a value per image."""

import jax
import jax.numpy as jnp
import numpy as np
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


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """(K,) images of each class -> (K,) N / (K · count), so that all classes weigh alike.

    A class without images weighs nothing, and does not count among the K. King and Zeng, "Logistic
    Regression in Rare Events Data" (2001), as scikit-learn's class_weight="balanced".
    """
    present = counts > 0
    return np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 0.0)


def weights_of_images(labels: Array, class_weights: Array, mask: Array) -> Array:
    """(B,), (K,), (B,) -> (B,): each label's weight over the mean weight where the mask is true.

    The mean over the images of the weighted cross-entropy is then Σ w_y · loss / Σ w_y, as torch's
    CrossEntropyLoss(weight) has it.
    """
    weights = class_weights[labels]
    mean = masked_mean(weights, mask)
    return weights / jnp.where(mean > 0, mean, 1)


def distribution_loss(logits: Array, truth: Array) -> Array:
    """(B, K), (B, K) distributions -> (B,): KL(truth ‖ softmax(logits)) (Yang et al. 2017)."""
    return optax.kl_divergence(jax.nn.log_softmax(logits), truth)


def affect_loss(predicted: Array, ratings: Array, scale: tuple[float, ...]) -> Array:
    """(B, R), (B, R) -> (B,): mean square of the differences in units of `scale`.

    Over the ratings that are known, which are not NaN; 0 where none is.
    """
    known = jnp.isfinite(ratings)
    units = jnp.asarray(scale, jnp.float32)[None]
    squares = jnp.square((predicted - jnp.where(known, ratings, predicted)) / units)
    return squares.sum(-1) / jnp.maximum(known.sum(-1), 1).astype(jnp.float32)


def map_loss(out: dict[str, Array], truth: Array) -> Array:
    """Distance of a network's map from the true one, at the network's resolution.

    Args:
      out: of a supervised network. With "map_logits" (B, h, w) the mean over the places of the
        cross-entropy of their sigmoid (CASNet), else half the mean square of "sentiment_map" minus
        truth (FCNEL).
      truth: (B, H, W) uint8, 0..255.

    Returns:
      (B,)
    """
    predicted = out.get("map_logits", out["sentiment_map"])
    truth = area_resize(truth.astype(jnp.float32) / 255, *predicted.shape[1:])
    if "map_logits" in out:
        return optax.sigmoid_binary_cross_entropy(predicted, truth).mean((1, 2))
    return jnp.square(predicted - truth).mean((1, 2)) / 2


def area_resize(maps: Array, height: int, width: int) -> Array:
    """(B, H, W) -> (B, height, width): each cell the mean of the area it covers."""

    def shares(cells: int, pixels: int) -> np.ndarray:
        edges = np.linspace(0, pixels, cells + 1)
        low, high = edges[:-1, None], edges[1:, None]
        left = np.arange(pixels)[None]
        covered = np.minimum(high, left + 1) - np.maximum(low, left)
        return (np.maximum(covered, 0) * (cells / pixels)).astype(np.float32)

    rows, columns = shares(height, maps.shape[1]), shares(width, maps.shape[2])
    return jnp.einsum("iy,jx,byx->bij", rows, columns, maps, precision=jax.lax.Precision.HIGHEST)


def joint_loss(
    out: dict[str, Array],
    class_target: Array,
    detect_target: Array,
    class_polarity: Array,
    map_target: Array | None = None,
    distributions: Array | None = None,
    ratings: Array | None = None,
    votes: Array | None = None,
    image_weights: Array | None = None,
    *,
    class_weight: float,
    detect_weight: float,
    detect: str,
    distribution_weight: float = 0.0,
    affect_weight: float = 0.0,
    affect_scale: tuple[float, ...] = (),
) -> dict[str, Array]:
    """L = class_weight · L_class + detect_weight · L_detect, or L_map of a supervised network.

    With λ = `distribution_weight` L_class is (1 − λ) · cross-entropy + λ · KL (Yang et al. 2017).

    Args:
      out: of the network; without "detect_logits" there is no second term, and without
        "class_logits" `map_loss` alone.
      class_target: (B,) labels of the classification branch.
      detect_target: (B,) labels of the detection branch, polarities for `detect` "polarity".
      class_polarity: (C,) for `detect` "polarity".
      map_target: (B, H, W) uint8, the true maps.
      distributions: (K, K) of `emotions.label_distributions`, for `distribution_weight`.
      votes: (B,) shares of the raters that find an image positive, in place of `distributions`
        where the classes are negative and positive; NaN where unknown, and the label counts alone.
      ratings: (B, R), NaN where unknown, for a network with "affect".
      affect_scale: R standard deviations of the ratings.
      image_weights: (B,) of `weights_of_images`, by which L_class is multiplied.

    Returns:
      {"loss", "class_loss", "detect_loss", "distribution_loss", "affect_loss"} as far as they are
      asked for, or {"loss", "map_loss"}, each (B,).
    """
    if "class_logits" not in out:
        loss = map_loss(out, map_target)
        return {"map_loss": loss, "loss": loss}
    terms = {"class_loss": cross_entropy(out["class_logits"], class_target)}
    if image_weights is not None:
        terms["class_loss"] = image_weights * terms["class_loss"]
    class_loss = terms["class_loss"]
    if distribution_weight:
        logits = out["class_logits"]
        if votes is None:
            truth, share = distributions[class_target], distribution_weight
        else:
            known = jnp.isfinite(votes)
            positive = jnp.where(known, votes, 0.5)
            truth = jnp.stack([1 - positive, positive], axis=-1)
            share = jnp.where(known, distribution_weight, 0.0)
        terms["distribution_loss"] = distribution_loss(logits, truth)
        if image_weights is not None:
            terms["distribution_loss"] = image_weights * terms["distribution_loss"]
        class_loss = (1 - share) * class_loss + share * terms["distribution_loss"]
    total = class_weight * class_loss
    if "detect_logits" in out and detect_weight:
        logits = out["detect_logits"]
        if detect == "polarity":
            terms["detect_loss"] = polarity_loss(logits, detect_target, class_polarity)
        else:
            terms["detect_loss"] = cross_entropy(logits, detect_target)
        total = total + detect_weight * terms["detect_loss"]
    if "affect" in out and affect_weight:
        terms["affect_loss"] = affect_loss(out["affect"], ratings, affect_scale)
        total = total + affect_weight * terms["affect_loss"]
    return terms | {"loss": total}


def masked_mean(values: Array, mask: Array) -> Array:
    """(B,), (B,) bool -> mean of the values where the mask is true."""
    weights = mask.astype(values.dtype)
    return jnp.sum(values * weights) / jnp.maximum(weights.sum(), 1)
