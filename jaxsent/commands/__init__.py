"""`jaxsent COMMAND`: one module each, with `add(parser)` and `run(options) -> exit status`."""

import argparse
import contextlib
import errno
import importlib
import sys
import traceback
from collections.abc import Iterator

from jaxsent import __version__
from jaxsent.errors import UserError
from jaxsent.files import REFUSED, unwritable

COMMANDS = {
    "train": "train and test what a config says",
    "eval": "test a run again, or on another split",
    "predict": "say what photographs evoke",
    "serve": "open a page to drop photographs on",
    "data": "prepare data sets and look at them",
    "baseline": "measure what features and an SVM tell",
    "features": "write what a network sees in every image of a set",
    "tables": "print the papers' tables with the numbers of your runs",
    "reproduce": "make the runs that a table lacks",
    "compare": "put runs side by side",
    "export": "write a run's weights for others to read",
    "remake": "make the model of photographs again that comes with jaxsent, from OASIS",
    "push": "share a run on the hub, with a model card",
    "doctor": "say what is installed and found, and what to do about the rest",
    "completion": "print what a shell needs to complete all this",
}


def main() -> int:
    """The console script: 0 when all was done, 2 for bad input, 1 where a part failed."""
    whole = parser()
    if len(sys.argv) == 1:
        whole.print_help()
        return 0
    options, options.overrides = whole.parse_known_args()
    module = importlib.import_module(f"jaxsent.commands.{options.command}")
    overridden = hasattr(module, "OVERRIDES")
    unknown = [a for a in options.overrides if not (overridden and a.startswith("--config."))]
    if unknown:
        whole.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        with disk_errors():
            status = module.run(options)
            sys.stdout.flush()
            return status
    except UserError as error:
        if options.debug:
            traceback.print_exc()
        print(f"jaxsent: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:  # such as `jaxsent predict … | head`
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turns what a disk refuses, wherever that was, into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        if error.errno in (errno.EACCES, errno.EPERM):  # reading may be what it refuses
            raise UserError(f"{error.filename}: {error.strerror}; ask its owner.") from error
        raise unwritable(error.filename or "What was to be written", error) from error


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    whole = argparse.ArgumentParser(
        prog="jaxsent",
        description="Which emotion a photograph evokes, and which of its regions evoke it.",
    )
    whole.add_argument("--version", action="version", version=f"jaxsent {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        command.add_argument("--debug", action="store_true", help="show tracebacks")
        importlib.import_module(f"jaxsent.commands.{name}").add(command)
    return whole
