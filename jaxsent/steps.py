"""The pure functions that a device runs: one update, one prediction."""

import jax
import jax.numpy as jnp
import optax

from jaxsent import cam
from jaxsent.losses import joint_loss, masked_mean
from jaxsent.state import TrainState

Array = jax.Array


def normalise(images: Array, mean: tuple, std: tuple) -> Array:
    """(…, 3) uint8 RGB -> (…, 3) float32: (x − mean)/std, both in units of 0..255."""
    shape = (1,) * (images.ndim - 1) + (3,)
    mean, std = (jnp.asarray(v, jnp.float32).reshape(shape) for v in (mean, std))
    return (images.astype(jnp.float32) - mean) / std


def train_step(model, tx, factor, config, class_polarity, preprocessing):
    """Makes `step(state, batch) -> (state, metrics)`, to be jitted.

    Args:
      model: a network of jaxsent.models.
      tx: the optimizer.
      factor: the schedule, for the learning rate among the metrics.
      config: the whole config.
      class_polarity: (C,) polarities of the detection branch's classes.
      preprocessing: mean and std that the weights expect.

    The batch holds `image` (B, S, S, 3) uint8, `label` and `polarity` (B,) int32, `mask` (B,) and,
    for a supervised network, the map (B, S, S) uint8 that `data.map` names.
    The metrics are scalars: means over the batch. With `train.accumulate` = A the batch is cut into
    A parts, each a forward and backward pass with its own batch-norm statistics, and the gradients
    are averaged.
    """
    weights = dict(config.loss)
    micro_batches = config.train.accumulate

    def loss(params, batch_stats, batch, key):
        images = normalise(batch["image"], preprocessing.mean, preprocessing.std)
        out, updated = model.apply(
            {"params": params, "batch_stats": batch_stats},
            images, train=True, mutable=["batch_stats"], rngs={"dropout": key},
        )  # fmt: skip
        truth = batch[config.data.class_target]
        detect_truth = batch[config.data.detect_target]
        true_map = batch.get(config.data.map)
        terms = joint_loss(out, truth, detect_truth, class_polarity, true_map, **weights)
        if "class_logits" in out:
            terms["accuracy"] = (out["class_logits"].argmax(-1) == truth).astype(jnp.float32)
        metrics = {name: masked_mean(values, batch["mask"]) for name, values in terms.items()}
        return metrics["loss"], (updated.get("batch_stats", {}), metrics)

    gradient = jax.grad(loss, has_aux=True)

    def accumulated(state, batch, key):
        if micro_batches == 1:
            grads, (batch_stats, metrics) = gradient(state.params, state.batch_stats, batch, key)
            return grads, batch_stats, metrics

        def part(carry, inputs):
            i, micro = inputs
            grads, batch_stats = carry
            new, (batch_stats, metrics) = gradient(
                state.params, batch_stats, micro, jax.random.fold_in(key, i)
            )
            return (jax.tree.map(jnp.add, grads, new), batch_stats), metrics

        # Strided parts: every device keeps an equal share of each without moving an image.
        parts = jax.tree.map(
            lambda x: jnp.moveaxis(x.reshape(-1, micro_batches, *x.shape[1:]), 1, 0), batch
        )
        zeros = jax.tree.map(jnp.zeros_like, state.params)
        (grads, batch_stats), metrics = jax.lax.scan(
            part, (zeros, state.batch_stats), (jnp.arange(micro_batches), parts)
        )
        grads, metrics = (
            jax.tree.map(lambda x: x / micro_batches, grads),
            jax.tree.map(jnp.mean, metrics),
        )
        return grads, batch_stats, metrics

    def step(state: TrainState, batch: dict[str, Array]) -> tuple[TrainState, dict[str, Array]]:
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        grads, batch_stats, metrics = accumulated(state, batch, key)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = state.ema
        if ema is not None:
            ema = optax.incremental_update(params, ema, 1 - config.train.ema)
        metrics["learning_rate"] = config.optim.lr * factor(state.step)
        metrics["gradient_norm"] = optax.tree.norm(grads)
        return state.replace(
            step=state.step + 1,
            params=params, batch_stats=batch_stats, opt_state=opt_state, ema=ema,
        ), metrics  # fmt: skip

    return step


def predict_step(model, preprocessing, explained: tuple[str, ...] = ()):
    """Makes `step(variables, image) -> predictions`, to be jitted.

    `image` is (B, S, S, 3) uint8, or (B, 5, S, S, 3) with the centre crop last: then
    "ten_crop" is the mean of the class probabilities over the five crops and their mirrors
    (WSCNet IV-B1), and all else is of the centre crop.

    Predictions, each where the network has it: class_probabilities (B, K), detect_probabilities
    (B, C), class_maps (B, h, w, C), or K of a network without a detection branch, sentiment_map
    (B, h, w), ten_crop (B, K); and for every name of `explained`, of cam.MAPS, its map (B, h, w) of
    the predicted class.
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
            result[name] = cam.MAPS[name](model, variables, images[centre], classes)
        if crops > 1:
            mirrored = model.apply(variables, images[:, :, ::-1])["class_logits"]
            both = (probabilities + jax.nn.softmax(mirrored)) / 2
            result["ten_crop"] = both.reshape(-1, crops, both.shape[-1]).mean(1)
        return result

    return step
