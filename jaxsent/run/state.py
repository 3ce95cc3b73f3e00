"""What training changes, as one frozen value."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


class TrainState(flax.struct.PyTreeNode):
    """Step, parameters, batch-norm statistics, optimizer state and the average of parameters."""

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any
    ema: Any

    @classmethod
    def create(cls, variables: dict, tx: optax.GradientTransformation, ema: bool):
        """Initial state of `variables` ({"params", "batch_stats"})."""
        params = variables["params"]
        return cls(
            step=jnp.zeros((), jnp.int32),
            params=params,
            batch_stats=variables.get("batch_stats", {}),
            opt_state=tx.init(params),
            ema=jax.tree.map(jnp.copy, params) if ema else None,
        )

    def variables(self) -> dict:
        """What is evaluated: the averaged parameters where there are some."""
        params = self.params if self.ema is None else self.ema
        return {"params": params, "batch_stats": self.batch_stats}
