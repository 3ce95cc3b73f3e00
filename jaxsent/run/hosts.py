"""Many processes that train together: how they meet, and how all end where one does."""

import os
import sys
import time

LOST_AFTER = 30
"""Seconds without a sign of life after which a process counts as lost, and the others end."""
PREEMPTION = "jax_enable_preemption_service"
"""It keeps SIGTERM to itself, also where training does not listen for it and nobody asks."""
LAST = 2.0
"""Seconds that the first waits before it leaves: the others may be about to fail alike."""


def join(*arguments, **options) -> None:
    """`jax.distributed.initialize`, which finds the others by itself on TPU pods, SLURM and Open
    MPI; before anything is computed.

    Where one process is lost the others end within LOST_AFTER seconds and a few, each with a log
    that has the lost one's number.
    """
    import jax

    if hasattr(jax.config, PREEMPTION):
        jax.config.update(PREEMPTION, False)
    jax.distributed.initialize(*arguments, heartbeat_timeout_seconds=LOST_AFTER, **options)


def leave(status: int) -> None:
    """Ends this process where others train with it: they are not waited for, they may wait for it.

    Returns where it is alone.
    """
    import jax

    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        return
    if jax.process_index() == 0:  # the others end with it, as it is where they meet
        time.sleep(LAST)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
