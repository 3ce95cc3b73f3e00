"""Trains a network of benchmarks/experiment.py on stored features: a program for each variant."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.experiment_features import Photographs
from benchmarks.experiment_studies import CROPS, Study, Variant, validated
from jaxsent import emotions
from jaxsent.models import stored
from jaxsent.run import folder
from jaxsent.run.state import TrainState
from jaxsent.training import optim
from jaxsent.training.step import train_step


def trainer(study: Study, variant: Variant, epochs: float, steps: int, maps: bool):
    """Makes train(images, targets, seed, lr, weight_decay, rows, drawn, tested) -> outputs, jitted.

    `rows` and `drawn` (steps, B) are the photographs of each batch and which of their crops;
    `tested` (E, …) views. Outputs: class probabilities (E, K), with a detection branch those of the
    polarities or classes it learns (E, ·), with `maps` sentiment_map (E, h, w), and of WSIDNet what
    its two features add to the logits (E, K).
    """
    config = study.config.copy_and_resolve_references()
    config.update_from_flattened_dict(variant.values)
    config.train.epochs = epochs
    _complete(config)
    classes = emotions.MIKELS if config.model.detect_classes == 8 else emotions.POLARITY
    signs = jnp.asarray(emotions.polarity(classes))
    model = stored.above(folder.network(config.model))
    spread = emotions.label_distributions(
        emotions.MIKELS, config.loss.distribution_sigma, config.loss.distribution_over
    )
    per_epoch = steps / epochs
    factor = optim.schedule(config.optim, per_epoch, steps)

    def train(images, targets, seed, lr, weight_decay, rows, drawn, tested):
        settings = SimpleNamespace(**config.optim)
        settings.lr, settings.backbone_lr, settings.weight_decay = lr, 0.0, weight_decay
        tx = optim.optimizer(settings, factor, frozen=False)
        parts = {k: config[k] for k in ("augment", "data", "loss", "model", "train")}
        recipe = SimpleNamespace(seed=seed, optim=settings, **parts)
        step = train_step(model, tx, factor, recipe, signs, None, spread)
        first = jax.tree.map(lambda x: x[:1], tested)
        state = TrainState.create(model.init(jax.random.key(seed), first), tx, ema=False)

        def update(state, chosen):
            row, crop = chosen
            batch = {name: values[row, crop] for name, values in images.items()}
            batch |= {name: values[row] for name, values in targets.items()}
            return step(state, batch | {"mask": jnp.ones(row.shape, bool)})[0], None

        state, _ = jax.lax.scan(update, state, (rows, drawn))
        out = model.apply(state.variables(), tested)
        result = {"class": jax.nn.softmax(out["class_logits"])}
        if "detect_logits" in out and config.loss.detect_weight:
            detect = jax.nn.softmax(out["detect_logits"])
            if config.loss.detect == "polarity":
                positive = detect @ signs.astype(jnp.float32)
                detect = jnp.stack([1 - positive, positive], -1)
            result["detect"] = detect
        if "interaction" in out:
            kernel = state.params["classifier"]["kernel"]
            width = out["holistic"].shape[-1]
            result["holistic"] = out["holistic"] @ kernel[:width]
            result["interaction"] = out["interaction"] @ kernel[width:]
        if maps and "sentiment_map" in out:
            result["map"] = out["sentiment_map"]
        return result

    return jax.jit(train)


def _complete(config) -> None:
    """What experiment.make would add of the data."""
    classes = 2 if config.data.class_target == "polarity" else len(emotions.MIKELS)
    config.model.num_classes = classes
    if config.model.regress:
        config.model.regress_mean, config.model.regress_std = (4.0,), (1.5,)


def order(rows: np.ndarray, steps: int, batch: int, seed: int) -> np.ndarray:
    """(M,) -> (steps, batch): permutations of the rows, one after the other."""
    rng = np.random.default_rng((seed, 0))
    epochs = -(-steps * batch // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(epochs)])[: steps * batch].reshape(
        steps, batch
    )


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """(N, K), (N,) -> mean −log p(truth), infinite where the training diverged."""
    chosen = np.take_along_axis(probabilities, truth[:, None], 1)
    loss = float(-np.log(np.maximum(chosen, 1e-7)).mean())
    return loss if np.isfinite(loss) else float("inf")


class Runs:
    """Trains a variant with given settings, seed and folds left out, a program for each number of
    epochs."""

    def __init__(self, study: Study, variant: Variant, data: Photographs, arrays: dict):
        self.study, self.variant, self.data, self.arrays = study, variant, data, arrays
        self.batch, fold = study.config.train.batch_size, data.columns["fold"]
        self.target = study.config.data.class_target
        views = [validated(study, pair) for pair in study.pairs] + [(k,) for k in study.folds]
        self.room = max(np.isin(fold, folds).sum() for folds in views)
        self.trained = len(next(iter(data.crops.values())))
        self.programs = {}
        self.share = 0.8 if len(study.folds) > 1 else 1.0

    def program(self, epochs: float):
        """The number of steps, and what trains for these."""
        steps = round(epochs * self.trained * self.share / self.batch)
        if steps not in self.programs:
            maps = self.data.regions is not None
            self.programs[steps] = trainer(self.study, self.variant, epochs, steps, maps)
        return steps, self.programs[steps]

    def __call__(self, left_out, setting, seed, tested) -> dict[str, np.ndarray]:
        """Outputs for the photographs of the folds `tested`, of a network without `left_out`."""
        *rates, epochs = setting
        steps, train = self.program(epochs)
        fold = self.data.columns["fold"]
        known = np.flatnonzero(~np.isin(fold[: self.trained], left_out))
        rows = order(known, steps, self.batch, seed)
        drawn = np.random.default_rng((seed, 1)).integers(CROPS, size=rows.shape)
        drawn %= next(iter(self.data.crops.values())).shape[1]
        places = np.flatnonzero(np.isin(fold, tested))
        filled = np.resize(places, self.room)
        views = {name: values[filled] for name, values in self.data.views.items()}
        out = train(
            self.arrays["crops"], self.arrays["targets"], seed, *map(np.float32, rates),
            rows, drawn, views,
        )  # fmt: skip
        return {name: np.asarray(values)[: len(places)] for name, values in out.items()}
