"""How a long preparation shows how far it is. A tracker passes through the steps it is given."""

import functools
from collections.abc import Iterable

from rich.console import Console
from rich.progress import track


def silent(steps: Iterable, what: str, total: int) -> Iterable:
    """Shows nothing."""
    del what, total
    return steps


def bar(steps: Iterable, what: str, total: int) -> Iterable:
    """A bar on stderr, where that is a terminal."""
    console = _stderr()
    hidden = not console.is_terminal
    return track(steps, what, total, console=console, transient=True, disable=hidden)


@functools.cache
def _stderr() -> Console:
    return Console(stderr=True)
