"""The training loop: it owns all input and output, the step itself is pure (step.py)."""

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from jaxsent.console import console
from jaxsent.data import augment
from jaxsent.data.batches import train_batches
from jaxsent.errors import Diverged, UserError
from jaxsent.evaluation import compared_maps, evaluate
from jaxsent.models import stored
from jaxsent.models.settled import compiled
from jaxsent.run import changes, experiment, folder, history, initial, loggers, sharding
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.run.logbook import Logbook
from jaxsent.run.state import TrainState
from jaxsent.startup import cores
from jaxsent.training import crops, optim
from jaxsent.training.step import train_step
from jaxsent.training.stopping import Interrupted, StopSignal
from jaxsent.training.waiting import Waiting, advice

NOTICED = 0.05
"""Share of the time from which waiting for data is told of."""


def train(config, workdir: Path, accept_changes: bool = False) -> dict:
    """Trains until done, then evaluates and writes the report. Resumes a run begun in `workdir`.

    Args:
      config: ConfigDict.
      workdir: folder of the run; its config.json is what trained the weights that are there.
      accept_changes: go on with a run though values of training differ, see changes.check.

    Returns:
      The results of the test split.

    Raises:
      UserError: bad input, or the run there is another, or another process trains it; nothing of
        it was touched. Or the disk takes no more.
      Diverged: a loss, gradient or parameters that are not finite.
      Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    compared_maps.outside_paths(config.eval.compare)  # wrong ones are told before hours of training
    loggers.check(config.log.to)
    folder.create(workdir)
    with folder.training(workdir):
        task, variables, step, end = _trained(config, workdir, accept_changes)
        results = evaluate.evaluate(task, variables, workdir, step)
        if end and jax.process_index() == 0:
            loggers.tell(config.log.to, workdir, end, results)
        return results


def _trained(config, workdir: Path, accept_changes: bool):
    """The experiment, once training is done: the variables to evaluate, their step, and the last
    step, None where none was made now."""
    task = experiment.make(config, workdir)
    settings = experiment.described(task)
    images = task.train_count
    steps_per_epoch = images / config.train.batch_size
    total = config.train.steps or round(config.train.epochs * steps_per_epoch)
    factor = optim.schedule(config.optim, steps_per_epoch, total)
    tx = optim.optimizer(config.optim, factor, config.model.freeze == "backbone")
    everywhere = sharding.replicated(task.mesh)

    with Checkpoints(workdir / "checkpoints", training=True) as checkpoints:
        last, changed = checkpoints.last(), {}
        create = jax.jit(
            lambda v: TrainState.create(v, tx, config.train.ema > 0), out_shardings=everywhere
        )
        if last is None:
            state = create(initial.initial_variables(task))
        else:
            changed = changes.check(
                workdir, folder.read_config(workdir), settings,
                accept=accept_changes, step=last, total=total,
            )  # fmt: skip
            state = checkpoints.restore(create(initial.random_variables(task)), last)
        start = int(state.step)
        # A run that was stopped in a validation, or before it, has a checkpoint without accuracy.
        owed = _validation_due(start, config, steps_per_epoch, total) and not (
            start == 0 or checkpoints.validated(start)
        )
        console.print(_summary(task, images, total, start, state))
        if jax.process_index() == 0:
            folder.write_config(workdir, settings)
        if start < total or owed:
            history.record(workdir, "train", from_step=start, to_step=total, changes=changed)
            began = time.perf_counter()
            ended, step = "stopped", None  # of a run that diverged
            try:
                state = _run(
                    task, state, tx, factor, total, steps_per_epoch, checkpoints, workdir, owed
                )
                ended, step = "trained", int(state.step)
            except Interrupted as stop:
                step = stop.step
                raise
            finally:
                seconds = round(time.perf_counter() - began, 1)
                history.record(workdir, ended, step=step, seconds=seconds)
        step = checkpoints.best() if config.data.validation_split else checkpoints.last()
        variables = checkpoints.variables(step, state.variables())
        return task, variables, step, total if start < total or owed else None


def _run(task, state, tx, factor, total, steps_per_epoch, checkpoints, workdir, owed) -> TrainState:
    config, mesh = task.config, task.mesh
    start = int(state.step)
    model, batches = _source(task, state, start)
    step_fn = compiled(
        train_step(model, tx, factor, config, task.class_polarity, task.preprocessing,
                   task.distributions, task.class_weights),
        donate_argnums=0,
        out_shardings=sharding.replicated(mesh),
    )  # fmt: skip
    log = Logbook(
        workdir, start, total, config.train.batch_size, jax.process_index() > 0, config.log.to
    )
    waiting = Waiting()
    watch = Watch(log, config, steps_per_epoch, checkpoints.discard, waiting)
    try:
        with StopSignal() as stop, contextlib.closing(batches):

            def validated(step: int, state: TrainState) -> float:
                """The accuracy. Raises Interrupted between two batches, and nothing is logged."""

                def unless_stopped() -> None:
                    if stop.agreed():
                        raise Interrupted(stop.number, step)

                accuracy, loss = evaluate.accuracy_and_loss(
                    task, state.variables(), config.data.validation_split, unless_stopped
                )
                log.write(step, "validation", accuracy=accuracy, loss=loss,
                          epoch=step / steps_per_epoch)  # fmt: skip
                watch.restart_clock()
                return accuracy

            if owed:
                checkpoints.save(state, validated(start, state))
            # A batch is read and on its way to the devices while the step before runs; `saw` waits
            # for that one only.
            for step, batch in zip(range(start + 1, total + 1), waiting.over(batches)):
                _check_labels(batch, task)
                state, metrics = step_fn(state, sharding.put(batch, mesh))
                stop.listen()  # now: there is something to save, and the step is compiled
                waiting.stepped(metrics)
                watch.saw(step, metrics, batch["file"])
                accuracy = None
                due = _validation_due(step, config, steps_per_epoch, total)
                save = due or step % config.train.checkpoint_every == 0 or step == total
                stopping = stop.requested(step, config.train.log_every)
                if not (save or stopping):
                    continue
                watch.settle()
                if due and not stopping:
                    try:
                        accuracy = validated(step, state)
                    except Interrupted:
                        stopping = True
                checkpoints.save(state, accuracy)
                if stopping:
                    raise Interrupted(stop.number, step)
            if stop.agreed():  # told while the last step was saved
                raise Interrupted(stop.number, total)
    finally:
        waiting.close()
        log.close()
    return state


def _validation_due(step: int, config, steps_per_epoch: float, total: int) -> bool:
    """Whether a validation follows a step."""
    every = max(round(config.train.validate_every * steps_per_epoch), 1)
    return bool(config.data.validation_split) and (step % every == 0 or step == total)


def _source(task, state, start: int):
    """The network that is trained, and its batches: images, or outputs of its frozen backbone."""
    config = task.config
    if config.data.crops:
        source = crops.crops(task, state.variables())
        size, seed = config.train.batch_size, config.seed
        batches = crops.train_batches(source, batch_size=size, seed=seed, start_step=start)
        return stored.above(task.model), batches
    batches = train_batches(
        task.builder,
        config.data.train_split,
        batch_size=config.train.batch_size,
        image_size=config.data.image_size,
        seed=config.seed,
        start_step=start,
        workers=sharding.workers(config.data, config.train.batch_size),
        keep=config.data.keep,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        enlarging=task.preprocessing.interpolation,
        maps=(config.data.map,) if config.data.map else (),
        rows=task.rows,
        ratings=task.ratings,
        **augment.of_an_image(config.augment),
    )
    return task.model, batches


def _check_labels(batch, task) -> None:
    """Raises UserError for an image without the label that a branch learns from."""
    config = task.config
    targets = [config.data.class_target]
    if task.detect_classes and config.loss.detect_weight:
        targets.append(config.data.detect_target)
    for target in targets:
        unlabelled = batch["file"][batch[target] < 0]
        if len(unlabelled) and not config.data.map:
            raise UserError(
                f"{unlabelled[0]}: this image has no {target} to learn from. Leave such images out "
                f"of the set, say the classes' polarity when it is prepared, or choose another "
                "data.class_target and data.detect_target."
            )


class Watch:
    """Reads metrics one step late, so that the device never waits; stops at a loss of NaN.

    `discard` deletes the checkpoint of a step, as that whose parameters gave such a loss; `waiting`
    counts how long the steps lacked data.
    """

    def __init__(
        self, log: Logbook, config, steps_per_epoch: float, discard: Callable, waiting: Waiting
    ):
        self.log, self.config, self.steps_per_epoch = log, config, steps_per_epoch
        self.discard, self.waiting = discard, waiting
        self.pending, self.window = None, []
        self.restart_clock()

    def saw(self, step: int, metrics: dict, files: np.ndarray) -> None:
        """Takes the metrics of `step` and settles those of the step before."""
        self.settle()
        self.pending = step, metrics, files

    def settle(self) -> None:
        """Waits for the pending metrics, checks and logs them.

        Raises:
          Diverged: the loss or the gradient is not finite.
        """
        if self.pending is None:
            return
        step, metrics, files = self.pending
        self.pending = None
        metrics = {k: float(v) for k, v in jax.device_get(metrics).items()}
        if not math.isfinite(metrics["loss"]):
            self.discard(step - 1)  # whose parameters gave this loss
        for name in ("loss", "gradient_norm"):
            if not math.isfinite(metrics[name]):
                raise Diverged(
                    f"The {name.replace('_', ' ')} is {metrics[name]} at step {step}, learning "
                    f"rate {metrics['learning_rate']:.3g}; the checkpoints from before are "
                    "untouched. Try a lower optim.lr or optim.clip=1. Images of this step: "
                    f"{', '.join(files)}."
                )
        self.window.append(metrics)
        self.log.advance(step)
        if step % self.config.train.log_every == 0:
            seconds = time.perf_counter() - self.clock
            mean = {k: float(np.mean([m[k] for m in self.window])) for k in metrics}
            mean["epoch"] = step / self.steps_per_epoch
            mean["images_per_second"] = self.timed * self.config.train.batch_size / seconds
            mean["waited"] = self.waiting.seconds / seconds
            self.log.write(step, "train", hint=self._hint(mean["waited"]), **mean)
            self.window.clear()
            self.restart_clock()
        self.timed += 1

    def restart_clock(self) -> None:
        """Leaves what happened between two steps out of images/s."""
        self.clock, self.timed = time.perf_counter(), 1
        self.waiting.restart()

    def _hint(self, waited: float) -> str:
        """What a person is told of a share of waiting, nothing where it is small."""
        if waited < NOTICED:
            return ""
        workers = sharding.workers(self.config.data, self.config.train.batch_size)
        remedy = advice(workers, cores(), jax.default_backend() != "cpu")
        return f"waited for data {waited:.0%} of the time: {remedy}"


def _summary(task, images, total, start, state) -> str:
    size = sum(x.size for x in jax.tree.leaves(state.params))
    config = task.config
    text = (
        f"{config.model.name} on {config.model.backbone}, {size:,} parameters; {config.data.name}, "
        f"{images:,} training images; {jax.device_count()} × {jax.devices()[0].device_kind}; "
        f"{total:,} steps of {config.train.batch_size}"
    )
    return text + (f"; resuming at step {start:,}" if start else "")
