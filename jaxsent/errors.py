"""What is meant for a person: one line, no traceback."""


class UserError(Exception):
    """What was expected, what was found and what to do. `status` is the program's exit status."""

    status = 2


class Diverged(UserError):
    """A run whose loss is no number any more."""

    status = 1
