"""From photographs to predictions: the pure functions that a device runs in use."""

import contextlib
from collections.abc import Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models import explain

Array = jax.Array
LAST = "classifier"
"""What our networks call the layer that answers."""


@contextlib.contextmanager
def watched() -> Iterator[dict[str, Array]]:
    """Inside, a network that is applied leaves what its LAST layer reads, (B, n) float32."""
    caught: dict[str, Array] = {}

    def catch(call, args, kwargs, context):
        if context.module.name == LAST and context.method_name == "__call__":
            caught[LAST] = args[0].astype(jnp.float32)
        return call(*args, **kwargs)

    with nn.intercept_methods(catch):
        yield caught


def normalise(images: Array, mean: tuple, std: tuple) -> Array:
    """(…, 3) uint8 RGB -> (…, 3) float32: (x − mean)/std, both in units of 0..255."""
    shape = (1,) * (images.ndim - 1) + (3,)
    mean, std = (jnp.asarray(v, jnp.float32).reshape(shape) for v in (mean, std))
    return (images.astype(jnp.float32) - mean) / std


def predict_step(model, preprocessing, explained: tuple[str, ...] = (), embedding: bool = False):
    """Makes `step(variables, image) -> predictions`, to be jitted.

    `image` is (B, S, S, 3) uint8, or (B, 5, S, S, 3) with the centre crop last: then
    "ten_crop" is the mean of the class probabilities over the five crops and their mirrors
    (WSCNet IV-B1), and all other probabilities are of the centre crop. Maps are of `whole`
    (B, S, S, 3), the whole images, and of the centre crop where that is None.

    Predictions, each where the network has it: class_probabilities (B, K), detect_probabilities
    (B, C), class_maps (B, h, w, C), or K of a network without a detection branch, sentiment_map
    (B, h, w), ten_crop (B, K), affect (B, R), the ratings by the centre crop, strangeness (B,),
    how much that crop is of another kind than those of training; with `whole` also
    map_probabilities, those of the classes of the class maps there (B, C or K), and unit_maps
    (B, h, w, C, k), the maps whose mean a class map is; and for every name of `explained`, of
    explain.MAPS, its map (B, h, w) of the class that is predicted there; with `embedding` also
    that, (B, n), what the classifier reads of the centre crop.
    """

    def maps_of(out):
        return {k: out[k] for k in ("class_maps", "sentiment_map") if k in out}

    def explanations(variables, images, out):
        classes = out["class_logits"].argmax(-1) if "class_logits" in out else None
        return {n: explain.MAPS[n](model, variables, images, classes) for n in explained}

    def step(variables, image, whole=None):
        crops = image.shape[1] if image.ndim == 5 else 1
        flat = image.reshape(-1, *image.shape[-3:])
        images = normalise(flat, preprocessing.mean, preprocessing.std)
        with watched() as read:
            out = model.apply(variables, images)
        centre = slice(crops - 1, None, crops)
        central = {name: values[centre] for name, values in out.items()}
        if whole is None:
            result = maps_of(central) | explanations(variables, images[centre], central)
        else:
            views = normalise(whole, preprocessing.mean, preprocessing.std)
            entire, sown = model.apply(variables, views, mutable=["intermediates"])
            result = maps_of(entire) | explanations(variables, views, entire)
            logits = entire.get("detect_logits", entire.get("class_logits"))
            if logits is not None:
                result["map_probabilities"] = jax.nn.softmax(logits)
            if "detector" in sown.get("intermediates", {}):
                (result["unit_maps"],) = sown["intermediates"]["detector"]["units"]
        if "detect_logits" in out:
            result["detect_probabilities"] = jax.nn.softmax(central["detect_logits"])
        if "class_logits" not in out:
            return result
        if embedding:
            result["embedding"] = read[LAST][centre]
        if "affect" in out:
            result["affect"] = central["affect"]
        if "strangeness" in out:
            result["strangeness"] = central["strangeness"]
        probabilities = jax.nn.softmax(out["class_logits"])
        result["class_probabilities"] = probabilities[centre]
        if crops > 1:
            mirrored = model.apply(variables, images[:, :, ::-1])["class_logits"]
            both = (probabilities + jax.nn.softmax(mirrored)) / 2
            result["ten_crop"] = both.reshape(-1, crops, both.shape[-1]).mean(1)
        return result

    return step
