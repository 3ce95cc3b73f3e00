"""How exactly a device multiplies: `model.precision`."""

import functools
from collections.abc import Callable

import jax

PRECISIONS = ("fast", "exact")
"""fast: products as the device is made for them, in TensorFloat-32 on NVIDIA's GPUs and of bfloat16
parts on TPUs, with 10 and 7 bits after the point; exact: in float32, 23 bits. On CPUs both are."""


def computed(function: Callable, precision: str) -> Callable:
    """The function with its products, and those of its gradients, of that precision.

    It goes inside jax.jit. "fast" leaves JAX's own choice, and so JAX_DEFAULT_MATMUL_PRECISION.
    """
    if precision == "fast":
        return function

    @functools.wraps(function)
    def exactly(*args, **kwargs):
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return exactly
