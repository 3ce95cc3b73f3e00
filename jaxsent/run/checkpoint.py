"""Checkpoints of a run. The only file that knows orbax (its v1 interface is still moving).

A run keeps two: the last, to resume from, and the best by validation accuracy. Parts are stored
apart, so that evaluation and transfer read parameters without the optimizer's state.
"""

from pathlib import Path

import jax
from flax.traverse_util import flatten_dict
from orbax.checkpoint import v1 as ocp

from jaxsent.errors import UserError
from jaxsent.run.state import TrainState

Policies = ocp.training.preservation_policies


class Checkpoints:
    """The folder `checkpoints` of a run, as a context manager.

    Raises:
      UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path):
        best = Policies.BestN(
            get_metric_fn=lambda metrics: metrics["accuracy"],
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        keep = Policies.AnyPreservationPolicy([Policies.LatestN(1), best])
        self._checkpointer = ocp.training.Checkpointer(folder.absolute(), preservation_policy=keep)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._checkpointer.close()

    def save(self, state: TrainState, accuracy: float | None = None) -> None:
        """Writes `state` unless its step is there already.

        `accuracy` on the validation split makes it a candidate for the best.
        """
        step = int(state.step)
        if step != self.last():
            metrics = None if accuracy is None else {"accuracy": float(accuracy)}
            self._checkpointer.save_checkpointables(step, _parts(state), metrics=metrics)

    def last(self) -> int | None:
        """Step of the newest checkpoint, None where there is none."""
        latest = self._checkpointer.latest
        return None if latest is None else latest.step

    def best(self) -> int | None:
        """Step of the checkpoint with the best validation accuracy, else the newest."""
        scored = [c for c in self._checkpointer.checkpoints if c.metrics]
        if not scored:
            return self.last()
        return max(scored, key=lambda c: c.metrics["accuracy"]).step

    def restore(self, state: TrainState, step: int) -> TrainState:
        """The state saved at `step`; `state` gives structure, shapes and shardings.

        Raises:
          UserError: what was saved does not fit.
        """
        loaded = self._load(step, _parts(state))
        return state.replace(**loaded | {"step": loaded["step"]["step"]})

    def variables(self, step: int, variables: dict) -> dict:
        """{"params", "batch_stats"} as evaluated at `step`: the averaged parameters if kept."""
        names = self._checkpointer.checkpointables_metadata(step).metadata
        source = "ema" if "ema" in names else "params"
        wanted = {source: variables["params"]}
        if variables.get("batch_stats"):
            wanted["batch_stats"] = variables["batch_stats"]
        loaded = self._load(step, wanted)
        return {"params": loaded[source], "batch_stats": loaded.get("batch_stats", {})}

    def stored(self, step: int, sharding) -> dict:
        """{"params", "batch_stats"} as evaluated at `step`, of whatever network they are."""
        metadata = self._checkpointer.checkpointables_metadata(step).metadata
        source = "ema" if "ema" in metadata else "params"
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
            {name: metadata[name] for name in (source, "batch_stats") if name in metadata},
        )
        loaded = self._checkpointer.load_checkpointables(step, abstract)
        return {"params": loaded[source], "batch_stats": loaded.get("batch_stats", {})}

    def _load(self, step, wanted: dict) -> dict:
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), wanted
        )
        stored = self._checkpointer.checkpointables_metadata(step).metadata
        for name in abstract:
            if name not in stored:
                raise UserError(
                    f"The checkpoint of step {step} has no {name}, it has {', '.join(stored)}: "
                    "it was made with other options. Use those, or another workdir."
                )
        for name in {"params", "ema", "batch_stats"} & abstract.keys():
            check_shapes(f"the checkpoint of step {step}", stored[name], abstract[name])
        try:
            return self._checkpointer.load_checkpointables(step, abstract)
        except ValueError as error:
            cause = error.__cause__ or error
            raise UserError(f"The checkpoint of step {step} does not fit: {cause}") from error


def check_shapes(found_in: str, found: dict, expected: dict) -> None:
    """Raises UserError where two trees of arrays (or of their shapes) differ."""
    found, expected = (
        {"/".join(path): tuple(leaf.shape) for path, leaf in flatten_dict(tree).items()}
        for tree in (found, expected)
    )
    wrong = [
        f"{name} is {found.get(name, 'missing')}, expected {expected.get(name, 'nothing')}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise UserError(
            f"The model does not fit {found_in}: {'; '.join(wrong[:3])}{more}. "
            "Set model.* as it was then (its config.json tells), or take another workdir."
        )


def _parts(state: TrainState) -> dict:
    parts = {
        "step": {"step": state.step},
        "params": state.params,
        "batch_stats": state.batch_stats,
        "opt_state": state.opt_state,
        "ema": state.ema,
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
