"""`jaxsent completion SHELL`: a script with which a shell completes commands, options and files.

eval "$(jaxsent completion bash)"                                      # in ~/.bashrc
jaxsent completion zsh > "${fpath[1]}/_jaxsent"
jaxsent completion fish > ~/.config/fish/completions/jaxsent.fish
"""

import argparse
import inspect
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
FOLDERS = ("DIR", "FOLDER", "RUN")
FILES = ("model", "photos", "run")
"""Positional arguments that take a file or a folder without saying so by their type."""


def add(parser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = inspect.getdoc(inspect.getmodule(add)).partition("\n\n")[2]
    parser.add_argument("shell", choices=SHELLS, help="whose script to print")


def run(options) -> int:
    print(script(options.shell))
    return 0


def script(shell: str) -> str:
    """The script, from the parser itself: what a command takes is what is completed."""
    import shtab

    from jaxsent.commands import parser

    whole = parser()
    for _, action in actions(whole):
        if action.choices is None and action.nargs != 0:
            action.complete = _completed(action, shtab)
    return shtab.complete(whole, shell)


def actions(parser: argparse.ArgumentParser, command: str = "jaxsent"):
    """Pairs of a command, such as "jaxsent data prepare", and an option or argument of it."""
    for action in parser._actions:  # argparse has no public way, and shtab goes this one
        yield command, action
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from actions(child, f"{command} {name}")


def _completed(action, shtab) -> dict:
    import tfds_builders
    from jaxsent.paper import TABLES

    if action.metavar in FOLDERS:
        return shtab.DIRECTORY
    if action.dest in ("table", "tables"):
        return shtab.cmd(f"echo {' '.join(TABLES)}")
    if action.dest == "name":
        return shtab.cmd(f"echo {' '.join(tfds_builders.names())}")
    return shtab.FILE if action.type is Path or action.dest in FILES else {}
