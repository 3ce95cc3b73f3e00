"""How much memory a network may ask for: half of the machine's, judged before it is computed with.

A program of a few bytes can ask for any number of gigabytes. XLA plans a program's memory when it
compiles it; onnxruntime is given an allocator that ends there.
"""

import functools
import os
from collections.abc import Callable

import numpy as np

from jaxsent.errors import UserError

SHARE = 0.5


def limit() -> int:
    """Bytes."""
    return int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def judged(step: Callable, variables: dict, name: str) -> Callable[[np.ndarray], dict]:
    """(variables, images) -> arrays, compiled for each shape of images, where memory allows it.

    On accelerators their own allocator judges.

    Args:
      step: a function that `jax.jit` made.
      variables: its first argument.
      name: of the model, for messages.

    Returns:
      images -> NumPy arrays. It raises UserError where it would take more memory than `limit`, or
      cannot be compiled.
    """
    import jax

    programs = {}

    def network(images: np.ndarray) -> dict:
        if images.shape not in programs:
            programs[images.shape] = _compiled(step, variables, images, name)
        return jax.device_get(programs[images.shape](variables, images))

    return network


def _compiled(step: Callable, variables: dict, images: np.ndarray, name: str):
    import jax

    try:
        program = step.lower(variables, images).compile()
    except Exception as error:  # XLA and MLIR raise whatever they trip over
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{name}: its network does not compile ({reason}).") from None
    plan = program.memory_analysis() if jax.default_backend() == "cpu" else None
    if plan and plan.temp_size_in_bytes + plan.output_size_in_bytes > limit():
        total = (plan.temp_size_in_bytes + plan.output_size_in_bytes) / 1e9
        raise UserError(
            f"{name}: its network asks for {total:,.0f} GB for {len(images)} photographs; expected "
            f"at most half of this machine's memory, {limit() / 1e9:,.0f} GB."
        )
    return program


@functools.cache
def bounded_onnx() -> dict[str, str]:
    """Entries of a session's options of onnxruntime with which all sessions share `limit`."""
    import onnxruntime

    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    info = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(info, onnxruntime.OrtArenaCfg({"max_mem": limit()}))
    return {"session.use_env_allocators": "1", "session.load_model_format": "ONNX"}
