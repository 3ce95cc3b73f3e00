"""Where a person reads along: stderr, with bars where it is a terminal."""

import sys

import rich.console

UNWRAPPED = 10_000  # characters: whoever reads a log from a file searches it by line

console = rich.console.Console(
    stderr=True, highlight=False, width=None if sys.stderr.isatty() else UNWRAPPED
)
