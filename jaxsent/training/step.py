"""One update: the pure function that a device runs."""

import jax
import jax.numpy as jnp
import optax

from jaxsent.losses import joint_loss, masked_mean, weights_of_images
from jaxsent.models import stored
from jaxsent.models.inference import normalise
from jaxsent.models.precision import computed
from jaxsent.run.state import TrainState
from jaxsent.training import mixup

Array = jax.Array


TERMS = ("class_weight", "detect_weight", "detect", "distribution_weight", "affect_weight")
"""Keys of `config.loss` that weigh its terms."""
IMAGE_WEIGHT = "image_weight"


def train_step(
    model, tx, factor, config, class_polarity, preprocessing, distributions=None, class_weights=None
):
    """Makes `step(state, batch) -> (state, metrics)`, to be jitted.

    Args:
      model: a network of jaxsent.models.
      tx: the optimizer.
      factor: the schedule, for the learning rate among the metrics.
      config: the whole config.
      class_polarity: (C,) polarities of the detection branch's classes.
      preprocessing: mean and std that the weights expect.
      distributions: (K, K) of emotions.label_distributions, for `loss.distribution_weight`.
      class_weights: (K,) of the classes in the classification branch's loss, None for all alike.

    The batch holds `image` (B, S, S, 3) uint8, `label` and `polarity` (B,) int32, `mask` (B,) and,
    for a supervised network, the map (B, S, S) uint8 that `data.map` names, and each of the ratings
    of `model.regress`, (B,) float32, NaN where unknown. For a network of `stored.above` it has the
    backbone's outputs in place of the image; with `loss.distribution_over` "votes" it has those.
    The metrics are scalars: means over the batch. With `train.accumulate` = A the batch is cut into
    A parts, each a forward and backward pass with its own batch-norm statistics, and the gradients
    are averaged. With `augment.mixup` = α the images of a batch, or of such a part, are mixed in
    pairs (mixup.py).
    """
    weights = {name: config.loss[name] for name in TERMS}
    weights["affect_scale"] = tuple(config.model.regress_std or ())
    rated = tuple(config.model.regress)
    distributions = None if distributions is None else jnp.asarray(distributions)
    class_weights = None if class_weights is None else jnp.asarray(class_weights, jnp.float32)
    micro_batches, alpha = config.train.accumulate, config.augment.mixup

    def terms_of(out, batch):
        """What `out` costs by the targets of `batch`, a value per image."""
        truth = batch[config.data.class_target]
        terms = joint_loss(
            out, truth, batch[config.data.detect_target], class_polarity,
            batch.get(config.data.map), distributions,
            jnp.stack([batch[name] for name in rated], -1) if rated else None,
            batch.get("votes"), batch.get(IMAGE_WEIGHT), **weights,
        )  # fmt: skip
        if "class_logits" in out:
            terms["accuracy"] = (out["class_logits"].argmax(-1) == truth).astype(jnp.float32)
        return terms

    def loss(params, batch_stats, batch, key):
        if "image" in batch:
            images = normalise(batch["image"], preprocessing.mean, preprocessing.std)
        else:
            images = {name: batch[name] for name in stored.OUTPUTS if name in batch}
        if alpha:
            share, partners = mixup.pairs(key, alpha, len(images))
            images = mixup.mixed(images, share, partners)
        out, updated = model.apply(
            {"params": params, "batch_stats": batch_stats},
            images, train=True, mutable=["batch_stats"], rngs={"dropout": key},
        )  # fmt: skip
        terms = terms_of(out, batch)
        if alpha:
            others = terms_of(out, jax.tree.map(lambda column: column[partners], batch))
            terms = mixup.mixed_terms(terms, others, share)
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
        if class_weights is not None:  # over the whole batch, before it is cut into parts
            truth = batch[config.data.class_target]
            batch = batch | {IMAGE_WEIGHT: weights_of_images(truth, class_weights, batch["mask"])}
        grads, batch_stats, metrics = accumulated(state, batch, key)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema, ema_batch_stats = state.ema, state.ema_batch_stats
        if ema is not None:
            share = 1 - config.train.ema
            ema = optax.incremental_update(params, ema, share)
            ema_batch_stats = optax.incremental_update(batch_stats, ema_batch_stats, share)
        metrics["learning_rate"] = config.optim.lr * factor(state.step)
        metrics["gradient_norm"] = optax.tree.norm(grads)
        return state.replace(
            step=state.step + 1,
            params=params, batch_stats=batch_stats, opt_state=opt_state, ema=ema,
            ema_batch_stats=ema_batch_stats,
        ), metrics  # fmt: skip

    return computed(step, config.model.precision)
