"""Whether a call goes on with the run that is there, or would change what its numbers mean.

A run keeps its model, its data and the weights that it started from. Values of training may change
where that is asked for, and is recorded. The rest (where data lie, how much is read ahead, what an
evaluation shows) changes no weights, and is free.
"""

from collections.abc import Mapping
from pathlib import Path

from jaxsent.errors import UserError

FREE = (
    "data.dir", "data.source", "data.strict", "data.workers", "data.keep", "eval.",
    "log.", "train.log_every", "train.checkpoint_every",
)  # fmt: skip
TRAINING = (
    "seed", "model.dtype", "model.precision", "data.crops", "augment.", "train.", "optim.",
    "loss.",
)  # fmt: skip
"""Keys, or the beginnings of keys, from which no other follows: all others are the run's own."""


def differences(stored: Mapping, current: Mapping) -> dict[str, tuple]:
    """{key: (the run's value, this call's)} where both have the key, free ones left out.

    Args:
      stored: config.json of the run.
      current: the same of this call.
    """
    before, now = flat(stored), flat(current)
    return {
        key: (before[key], now[key])
        for key in now
        if key in before and before[key] != now[key] and not key.startswith(FREE)
    }


def check(
    workdir: Path, stored: Mapping, current: Mapping, *, accept: bool, step: int, total: int
) -> dict[str, tuple]:
    """The values of training that this call changes from `step` on, of `total` steps in all.

    Raises:
      UserError: the model, data or initial weights differ; a value of training does and `accept` is
        not set; or it does, and no step is left that it could train.
    """
    changed = differences(stored, current)
    own = {key: pair for key, pair in changed.items() if not key.startswith(TRAINING)}
    if own:
        raise UserError(
            f"{workdir} is a run with another model, data or initial weights:\n{table(own)}\n"
            "Take another --workdir, or leave these keys as the run has them."
        )
    if changed and step >= total:
        raise UserError(
            f"{workdir} is finished at step {step:,}; nothing would be trained with other values:\n"
            f"{table(changed)}\nTake another --workdir; to evaluate the run as it is: "
            f"jaxsent eval {workdir}"
        )
    if changed and not accept:
        raise UserError(
            f"{workdir} was trained up to step {step:,} with other values:\n{table(changed)}\n"
            "Take another --workdir, leave them as the run has them, or add --accept_changes to go "
            "on with the new ones, which config.json and history.jsonl then record."
        )
    return changed


def table(changed: Mapping[str, tuple]) -> str:
    """Keys with the run's value and this call's, in columns."""
    rows = [("key", "the run", "this call")]
    rows += [(key, str(before), str(now)) for key, (before, now) in changed.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    return "\n".join(f"  {k:{widths[0]}}  {b:{widths[1]}}  {n}" for k, b, n in rows)


def flat(tree: Mapping, prefix: str = "") -> dict[str, object]:
    """{section: {key: value}} -> {"section.key": value}, lists as tuples."""
    values = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = tuple(value) if isinstance(value, list) else value
    return values
