"""What training changes, as one frozen value."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


class TrainState(flax.struct.PyTreeNode):
    """Step, parameters, batch-norm statistics, optimizer state and the running averages.

    `ema` averages the parameters and `ema_batch_stats` the statistics, which belong to them; both
    are None where nothing is averaged.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any
    ema: Any
    ema_batch_stats: Any = None

    @classmethod
    def create(cls, variables: dict, tx: optax.GradientTransformation, ema: bool):
        """Initial state of `variables` ({"params", "batch_stats"})."""
        params, batch_stats = variables["params"], variables.get("batch_stats", {})
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=params,
            batch_stats=batch_stats,
            opt_state=tx.init(params),
            ema=jax.tree.map(jnp.copy, params) if ema else None,
            ema_batch_stats=jax.tree.map(jnp.copy, batch_stats) if ema else None,
        )

    def variables(self) -> dict:
        """What is evaluated: the averages where there are some."""
        if self.ema is None:
            return {"params": self.params, "batch_stats": self.batch_stats}
        return {"params": self.ema, "batch_stats": self.ema_batch_stats}
