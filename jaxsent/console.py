"""Where a person reads along: stderr, with bars where it is a terminal."""

import rich.console

console = rich.console.Console(stderr=True, highlight=False)
