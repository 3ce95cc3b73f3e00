"""The one exception that is meant for a person."""


class UserError(Exception):
    """What was expected, what was found and what to do, in one line without a traceback."""
