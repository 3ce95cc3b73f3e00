"""SGD as both papers use it, or AdamW: two learning rates, momentum, weight decay, a schedule."""

import jax
import jax.numpy as jnp
import optax

SCHEDULES = ("step", "cosine", "constant")


def schedule(config, steps_per_epoch: float, total_steps: int) -> optax.Schedule:
    """The learning rate's course as a factor of its initial value.

    Args:
      config: `config.optim`.
      steps_per_epoch: updates that one pass over the training images takes.
      total_steps: updates of the whole run.

    Raises:
      ValueError: the schedule's name does not exist.
    """
    warmup = round(config.warmup * steps_per_epoch)
    rest = max(total_steps - warmup, 1)
    if config.schedule == "step":
        # Whole steps from the start of training, as torch's StepLR counts epochs.
        every = max(round(config.decay_every * steps_per_epoch), 1)
        boundaries = range(every, total_steps, every)
        factor = optax.piecewise_constant_schedule(
            1.0, {max(b - warmup, 0): config.decay_rate for b in boundaries}
        )
    elif config.schedule == "cosine":
        factor = optax.cosine_decay_schedule(1.0, rest)
    elif config.schedule == "constant":
        factor = optax.constant_schedule(1.0)
    else:
        raise ValueError(
            f"optim.schedule={config.schedule!r}: expected one of {', '.join(SCHEDULES)}."
        )
    if warmup:
        factor = optax.join_schedules([optax.linear_schedule(0.0, 1.0, warmup), factor], [warmup])
    return lambda step: factor(jnp.float32(step))  # optax mixes counts and numbers


def optimizer(config, factor: optax.Schedule, frozen: bool) -> optax.GradientTransformation:
    """Torch's SGD (g + decay·p, then momentum, then the rate) with a rate for each group.

    With `config.name` "adamw" Loshchilov and Hutter's AdamW as in torch, whose decay is not among
    the gradients: p − rate · (m̂ / (√v̂ + 1e-8) + decay · p), β₁ the momentum, β₂ 0.999. The groups
    are "backbone" and everything else, "new"; a frozen backbone keeps no momentum.
    """

    def rule(rate):
        def course(step):
            return rate * factor(step)

        if config.name == "adamw":
            adamw = optax.adamw(course, config.momentum, weight_decay=config.weight_decay)
            return optax.GradientTransformation(adamw.init, _promoting(adamw.update))
        return optax.chain(
            optax.add_decayed_weights(config.weight_decay), optax.sgd(course, config.momentum)
        )

    groups = {
        "new": rule(config.lr),
        "backbone": optax.set_to_zero() if frozen else rule(config.backbone_lr),
    }
    grouped = optax.multi_transform(groups, group)
    clip = optax.clip_by_global_norm(config.clip) if config.clip else optax.identity()
    return optax.chain(clip, grouped)


def _promoting(update):
    """optax's AdamW raises floats to whole powers, which strict promotion of types forbids."""

    def promoted(*args):
        with jax.numpy_dtype_promotion("standard"):
            return update(*args)

    return promoted


def group(params: dict) -> dict:
    """params -> the same tree with "backbone" or "new" at each leaf."""
    return {
        name: jax.tree.map(lambda _, name=name: "backbone" if name == "backbone" else "new", tree)
        for name, tree in params.items()
    }
