"""Where XLA's CPU backend has to write a result down, and programs in which it does."""

import functools
from collections.abc import Callable

import jax
from jax import lax

Array = jax.Array


def settled(x: Array) -> Array:
    """x itself, which in a program of `compiled` for a CPU is in memory from here on.

    XLA's CPU backend computes again what is cheap to compute in each operation that reads it. In a
    network of residual blocks that grows with their number, as each block would add up all before
    it; layers that XLA runs as one, as fully-connected ones, are computed once for each part of the
    last one's result.
    """
    return lax.platform_dependent(x, cpu=lax.optimization_barrier, default=lambda x: x)


def compiled(function: Callable, **arguments) -> Callable:
    """`jax.jit(function, **arguments)` in which barriers last: XLA's CPU backend would take them
    out before it decides what to compute together."""
    return jax.jit(function, compiler_options=_options(), **arguments)


@functools.cache
def _options() -> dict[str, str]:
    if jax.default_backend() != "cpu":
        return {}
    options = {"xla_disable_hlo_passes": "cse_barrier_expander"}
    try:  # other versions may know another name for it, or need it
        jax.jit(lambda x: lax.optimization_barrier(x) + 1, compiler_options=options)(1.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return options
