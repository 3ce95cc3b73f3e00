"""What is meant for a person: one line, no traceback."""


class UserError(Exception):
    """What was expected, what was found and what to do. `status` is the program's exit status."""

    status = 2


class Diverged(UserError):
    """A run whose loss is no number any more."""

    status = 1


def shown(text: object, most: int = 80) -> str:
    """What a stranger wrote, fit for one line of a message."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"
