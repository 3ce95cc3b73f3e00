"""How a long preparation shows how far it is. A tracker passes through the steps it is given."""

from collections.abc import Iterable

from rich.progress import track

from jaxsent.console import console


def silent(steps: Iterable, what: str, total: int) -> Iterable:
    """Shows nothing."""
    del what, total
    return steps


def bar(steps: Iterable, what: str, total: int) -> Iterable:
    """A bar on stderr, where that is a terminal."""
    hidden = not console.is_terminal
    return track(steps, what, total, console=console, transient=True, disable=hidden)
