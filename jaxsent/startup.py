"""What makes a program of ours start and run fast, before anything else happens in it."""

import os
import sys
from pathlib import Path


def restart_with_huge_pages() -> None:
    """Starts this program again with glibc asking for huge pages; returns where it does already.

    XLA's CPU backend takes and gives back a step's memory every step, and clearing it page by page
    costs a third of a training step (benchmarks/depthwise.py). glibc reads the setting at its start
    only. A user's own GLIBC_TUNABLES, and systems without glibc, are left alone.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        os.execv(sys.executable, sys.orig_argv)


def keep_programs(at_least: float = 2.0) -> None:
    """Keeps programs that took `at_least` seconds to compile for the next call."""
    import jax

    if jax.config.jax_compilation_cache_dir is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jaxsent"
        jax.config.update("jax_compilation_cache_dir", str(cache / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", at_least)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
