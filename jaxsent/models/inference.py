"""From photographs to predictions: the pure functions that a device runs in use."""

import jax
import jax.numpy as jnp

from jaxsent.models import explain

Array = jax.Array


def normalise(images: Array, mean: tuple, std: tuple) -> Array:
    """(…, 3) uint8 RGB -> (…, 3) float32: (x − mean)/std, both in units of 0..255."""
    shape = (1,) * (images.ndim - 1) + (3,)
    mean, std = (jnp.asarray(v, jnp.float32).reshape(shape) for v in (mean, std))
    return (images.astype(jnp.float32) - mean) / std


def predict_step(model, preprocessing, explained: tuple[str, ...] = ()):
    """Makes `step(variables, image) -> predictions`, to be jitted.

    `image` is (B, S, S, 3) uint8, or (B, 5, S, S, 3) with the centre crop last: then
    "ten_crop" is the mean of the class probabilities over the five crops and their mirrors
    (WSCNet IV-B1), and all else is of the centre crop.

    Predictions, each where the network has it: class_probabilities (B, K), detect_probabilities
    (B, C), class_maps (B, h, w, C), or K of a network without a detection branch, sentiment_map
    (B, h, w), ten_crop (B, K); and for every name of `explained`, of explain.MAPS, its map
    (B, h, w) of the predicted class.
    """

    def step(variables, image):
        crops = image.shape[1] if image.ndim == 5 else 1
        flat = image.reshape(-1, *image.shape[-3:])
        images = normalise(flat, preprocessing.mean, preprocessing.std)
        out = model.apply(variables, images)
        centre = slice(crops - 1, None, crops)
        result = {k: out[k][centre] for k in ("class_maps", "sentiment_map") if k in out}
        if "detect_logits" in out:
            result["detect_probabilities"] = jax.nn.softmax(out["detect_logits"][centre])
        if "class_logits" not in out:
            return result
        probabilities = jax.nn.softmax(out["class_logits"])
        result["class_probabilities"] = probabilities[centre]
        for name in explained:
            classes = out["class_logits"][centre].argmax(-1)
            result[name] = explain.MAPS[name](model, variables, images[centre], classes)
        if crops > 1:
            mirrored = model.apply(variables, images[:, :, ::-1])["class_logits"]
            both = (probabilities + jax.nn.softmax(mirrored)) / 2
            result["ten_crop"] = both.reshape(-1, crops, both.shape[-1]).mean(1)
        return result

    return step
