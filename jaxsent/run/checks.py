"""Values of a config that no later step would explain as well."""

from pathlib import Path

import jax

from jaxsent import models
from jaxsent.data.augment import CROPS
from jaxsent.errors import UserError
from jaxsent.metrics.detection import ORDERS
from jaxsent.models.precision import PRECISIONS
from jaxsent.run import ranges, sharding

CHOICES = {
    "model.precision": PRECISIONS,
    "data.class_target": ("label", "polarity"),
    "data.detect_target": ("label", "polarity"),
    "augment.crop": CROPS,
    "loss.detect": ("cross_entropy", "polarity"),
    "loss.distribution_over": ("polarity", "wheel", "votes"),
    "init.scope": ("all", "backbone", "features", "detection"),
    "optim.name": ("sgd", "adamw"),
    "optim.schedule": ("step", "cosine", "constant"),
    "eval.cases": ORDERS,
}
"""Keys that take one of a few words; those of `model` are in jaxsent.models."""


def check(config, training: bool = True) -> None:
    """Raises UserError for values that no later step would explain as well."""
    ranges.check(config)
    if training:
        sharding.check_batch_size(
            "train.batch_size", config.train.batch_size, config.train.accumulate
        )
    sharding.check_batch_size("eval.batch_size", config.eval.batch_size)
    for path, allowed in CHOICES.items():
        section, key = path.split(".")
        if config[section][key] not in allowed:
            raise UserError(f"{path}={config[section][key]!r}: expected {' or '.join(allowed)}.")
    if config.loss.detect == "polarity" and config.data.detect_target != "polarity":
        raise UserError("loss.detect=polarity needs data.detect_target=polarity.")
    if config.loss.distribution_over == "votes" and config.data.class_target != "polarity":
        raise UserError("loss.distribution_over=votes needs data.class_target=polarity.")
    _check_map(config)
    _check_mixing(config)
    if config.eval.resize < config.data.image_size:
        raise UserError(
            f"eval.resize={config.eval.resize} is smaller than data.image_size="
            f"{config.data.image_size}, which is cut from it; set it to at least that."
        )


def check_start(init) -> None:
    run = init.checkpoint
    if run and not (Path(run) / "checkpoints").is_dir():
        raise UserError(
            f"init.checkpoint={run}: expected a run folder with checkpoints/ in it. Train that "
            "first (the config's first lines say how), or start from weights with init.checkpoint= "
            "and init.weights=FILE."
        )


def _check_mixing(config) -> None:
    """What cannot be mixed, nor had on many hosts, and operations that are no whole number."""
    operations = config.augment.randaugment
    if operations and not all(isinstance(v, int) for v in operations):
        raise UserError(f"augment.randaugment={operations}: expected whole numbers.")
    if config.augment.mixup and config.data.crops:
        raise UserError(
            "augment.mixup mixes images, and with data.crops a network sees none, but outputs of "
            "its backbone; set augment.mixup=0 or data.crops=0."
        )
    if config.data.crops and jax.process_count() > 1:
        raise UserError(
            f"data.crops={config.data.crops} is written and read by one process; here are "
            f"{jax.process_count()}. Start one, or set data.crops=0."
        )
    for key in ("augment.mixup", "loss.class_weights"):
        section, _, name = key.rpartition(".")
        if config[section][name] and config.data.map:
            raise UserError(
                f"{key} is of classes, and with data.map={config.data.map} a network learns maps "
                f"alone; leave {key} at its default."
            )


def _check_map(config) -> None:
    """Supervised networks need a map to learn; others take none."""
    name, supervised = config.model.name, config.model.name in models.SUPERVISED
    if supervised and config.model.regress:
        raise UserError(
            f"model.name={name} learns maps alone; set model.regress=() or another model.name."
        )
    if supervised and not config.data.map:
        raise UserError(
            f"model.name={name} learns from true maps: set data.map=region, or "
            "data.map=fixation_map where the set has fixations."
        )
    if config.data.map and not supervised:
        raise UserError(
            f"data.map={config.data.map}: model.name={name} learns from labels alone; set "
            f"data.map= or model.name to one of {', '.join(models.SUPERVISED)}."
        )
    if supervised and config.data.validation_split:
        raise UserError(
            f"data.validation_split picks the best checkpoint by accuracy, and model.name={name} "
            "has no classes; set data.validation_split= and the last checkpoint counts."
        )
