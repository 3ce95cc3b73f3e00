"""Checkpoints of a run. The only file that knows orbax (its v1 interface is still moving).

A run keeps the last two, to resume from, and the best by validation accuracy. Parts are stored
apart, so that evaluation and transfer read parameters without the optimizer's state. Digests of a
checkpoint's files lie beside them: of a damaged one nothing is read, and the one before counts.
One that is deleted loses its name first, so that a crash leaves half a checkpoint under none.
"""

import contextlib
import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict
from orbax.checkpoint import v1 as ocp

from jaxsent.console import console
from jaxsent.errors import Diverged, UserError
from jaxsent.files import explained
from jaxsent.run import digests, sharding
from jaxsent.run.state import TrainState

NEWEST = 2
"""How many checkpoints are kept beside the best."""
DELETED = "deleted."
"""Before the step in the name of a checkpoint that is being deleted."""
LEFT_BEHIND = (f"{DELETED}*", "*.orbax-checkpoint-tmp*")
"""Of a process that was killed while it deleted or saved."""
AVERAGED = {"params": "ema", "batch_stats": "ema_batch_stats"}
"""Where the averages of what is evaluated are stored."""


class Checkpoints:
    """The folder `checkpoints` of a run, as a context manager.

    Args:
      folder: made where it is not there.
      training: delete what a killed training left; nobody else may be writing there.

    Raises:
      UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path, training: bool = False):
        self.folder = folder
        if training and jax.process_index() == 0:
            for path in (path for kind in LEFT_BEHIND for path in folder.glob(kind)):
                shutil.rmtree(path, ignore_errors=True)
        with _disk(folder):
            self._checkpointer = ocp.training.Checkpointer(folder.absolute())
        self._damage: dict[int, str | None] = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # A save that failed fails once more here, in place of the error that tells of it.
        with contextlib.suppress(*[ValueError, OSError] * bool(kind)), _disk(self.folder):
            self._checkpointer.close()

    def save(self, state: TrainState, accuracy: float | None = None) -> None:
        """Writes `state` unless its step is there already.

        `accuracy` on the validation split makes it a candidate for the best; where its step is
        there without one, it is written again.

        Raises:
          Diverged: there are numbers in it that are not finite, or soon will not be.
          UserError: the disk does not take it; the checkpoints before are untouched.
        """
        step = int(state.step)
        if step == self.last() and accuracy is not None and not self.validated(step):
            self._delete([step])  # a crash now costs the steps since the one before
        if step != self.last():
            check_finite(state)
            metrics = None if accuracy is None else {"accuracy": float(accuracy)}
            with _disk(self.folder):
                self._checkpointer.save_checkpointables(step, _parts(state), metrics=metrics)
            if jax.process_index() == 0:
                digests.write(self.folder / str(step))
            there = self._steps()
            self._delete(set(there) - {*there[-NEWEST:], self.best()})

    def discard(self, step: int) -> None:
        """Deletes the checkpoint of `step`, where there is one."""
        self._delete({step} & set(self._steps()))

    def last(self) -> int | None:
        """Step of the newest checkpoint that is whole, None where there is none.

        Raises:
          UserError: there are some, all of them damaged.
        """
        return max((c.step for c in self._whole()), default=None)

    def best(self) -> int | None:
        """Step of the checkpoint with the best validation accuracy, else the newest."""
        scored = [c for c in self._whole() if c.metrics]
        if not scored:
            return self.last()
        return max(scored, key=lambda c: c.metrics["accuracy"]).step

    def validated(self, step: int) -> bool:
        """Whether the checkpoint of `step` was saved with an accuracy."""
        return any(c.step == step and c.metrics for c in self._whole())

    def restore(self, state: TrainState, step: int) -> TrainState:
        """The state saved at `step`; `state` gives structure, shapes and shardings.

        Training goes on from there, so what is newer, and damaged, is deleted.

        Raises:
          UserError: what was saved does not fit.
        """
        loaded = self._load(step, _parts(state))
        self._delete(newer for newer in self._steps() if newer > step)
        return state.replace(**loaded | {"step": loaded["step"]["step"]})

    def variables(self, step: int, variables: dict) -> dict:
        """{"params", "batch_stats"} as evaluated at `step`: the averaged parameters if kept."""
        parts = _evaluated(self._checkpointer.checkpointables_metadata(step).metadata)
        abstract = {part: variables[kind] for kind, part in parts.items() if variables.get(kind)}
        loaded = self._load(step, abstract)
        return {kind: loaded.get(part, {}) for kind, part in parts.items()}

    def stored(self, step: int, sharding) -> dict:
        """{"params", "batch_stats"} as evaluated at `step`, of whatever network they are."""
        metadata = self._checkpointer.checkpointables_metadata(step).metadata
        parts = _evaluated(metadata)
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
            {part: metadata[part] for part in parts.values() if part in metadata},
        )
        loaded = self._checkpointer.load_checkpointables(step, abstract)
        return {kind: loaded.get(part, {}) for kind, part in parts.items()}

    def _steps(self) -> list[int]:
        return [c.step for c in self._checkpointer.checkpoints]

    def _delete(self, steps: Iterable[int]) -> None:
        """Deletes checkpoints: those that the first host names, while the others wait."""
        steps = list(steps)
        if not steps and jax.process_count() == 1:
            return
        if jax.process_index() == 0:
            with _disk(self.folder):
                for step in steps:
                    unnamed = self.folder / f"{DELETED}{step}"
                    shutil.rmtree(unnamed, ignore_errors=True)
                    (self.folder / str(step)).rename(unnamed)
                    shutil.rmtree(unnamed, ignore_errors=True)
        sharding.anywhere(False)  # the others look again once they are gone
        self._checkpointer.reload()
        for step in steps:
            self._damage.pop(step, None)

    def _whole(self) -> list:
        there = self._checkpointer.checkpoints
        for c in there:
            if c.step not in self._damage:
                self._damage[c.step] = name = digests.damaged(self.folder / str(c.step))
                if name:
                    console.print(
                        f"{self.folder}/{c.step}: damaged, its file {name} is not as it was "
                        "written; nothing of this checkpoint is used."
                    )
        whole = [c for c in there if not self._damage[c.step]]
        if there and not whole:
            raise UserError(
                f"{self.folder}: every checkpoint is damaged; restore the folder from a copy, or "
                "train into another workdir."
            )
        return whole

    def _load(self, step, parts: dict) -> dict:
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), parts
        )
        stored = self._checkpointer.checkpointables_metadata(step).metadata
        for name in abstract:
            if name not in stored:
                raise UserError(
                    f"The checkpoint of step {step} has no {name}, it has {', '.join(stored)}: "
                    "it was made with other options. Use those, or another workdir."
                )
        for name in sorted({"params", "batch_stats", *AVERAGED.values()} & abstract.keys()):
            check_shapes(f"the checkpoint of step {step}", stored[name], abstract[name])
        try:
            return self._checkpointer.load_checkpointables(step, abstract)
        except ValueError as error:
            cause = error.__cause__ or error
            raise UserError(f"The checkpoint of step {step} does not fit: {cause}") from error


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Raises UserError where a disk refuses what orbax writes.

    Meanwhile the tracebacks that its threads would log pass unseen: they say the same.
    """
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with explained(folder):
            yield
    finally:
        log.setLevel(level)


def check_finite(state: TrainState) -> None:
    """Raises Diverged unless the squares of all that is evaluated sum up to a finite number.

    A step's loss is that of the parameters before it: an update can blow them up to a finite 1e29,
    from which the next step, and every later use, computes infinity.
    """
    norms = jax.device_get(_norms((state.params, state.batch_stats, state.ema)))
    if not np.isfinite(norms).all():
        raise Diverged(
            f"The parameters after step {int(state.step)} are no usable numbers any more (their "
            f"norm is {norms[0]}), so they were not saved; the checkpoints before are untouched. "
            "Try a lower optim.lr or optim.clip=1."
        )


@jax.jit
def _norms(trees):
    return jnp.stack([jnp.float32(optax.tree.norm(tree)) for tree in trees if tree])


def _evaluated(stored) -> dict[str, str]:
    """{"params", "batch_stats"} -> where each is stored: among the averages where they are."""
    return {kind: part if part in stored else kind for kind, part in AVERAGED.items()}


def check_shapes(place: str, stored: dict, expected: dict) -> None:
    """Raises UserError where two trees of arrays (or of their shapes) differ."""
    stored, expected = (
        {"/".join(path): tuple(leaf.shape) for path, leaf in flatten_dict(tree).items()}
        for tree in (stored, expected)
    )
    wrong = [
        f"{name} is {stored.get(name, 'missing')}, expected {expected.get(name, 'nothing')}"
        for name in sorted(stored.keys() | expected.keys())
        if stored.get(name) != expected.get(name)
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise UserError(
            f"The model does not fit {place}: {'; '.join(wrong[:3])}{more}. "
            "Set model.* as it was then (its config.json tells), or take another workdir."
        )


def _parts(state: TrainState) -> dict:
    parts = {
        "step": {"step": state.step},
        "params": state.params,
        "batch_stats": state.batch_stats,
        "opt_state": state.opt_state,
        "ema": state.ema,
        "ema_batch_stats": state.ema_batch_stats,
    }
    return {name: tree for name, tree in parts.items() if jax.tree.leaves(tree)}


def read_run(run: Path, sharding) -> dict:
    """{"params", "batch_stats"} of the best checkpoint in a run's folder.

    Raises:
      UserError: there is none.
    """
    folder = run / "checkpoints"
    if not folder.is_dir():
        raise UserError(f"{run}: expected a run folder with checkpoints/ in it.")
    with Checkpoints(folder) as checkpoints:
        step = checkpoints.best()
        if step is None:
            raise UserError(f"{run}: there is no finished checkpoint in it.")
        return checkpoints.stored(step, sharding)
