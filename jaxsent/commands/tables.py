"""`jaxsent tables [TABLE…]`: the papers' tables with the numbers of finished runs."""

import shlex
from pathlib import Path


def add(parser) -> None:
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="which; default all")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder of the runs (default runs)"
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "latex", "csv"),
        default="text",
        help="how it is written (default text)",
    )
    parser.add_argument(
        "--commands", action="store_true", help="also the command that makes each empty cell's run"
    )


def run(options) -> int:
    from jaxsent.paper import TABLES
    from jaxsent.paper.fill import fill
    from jaxsent.paper.formats import FORMATS
    from jaxsent.paper.reproduce import Sources, command, plan

    for number, name in enumerate(options.tables or TABLES):
        table = chosen(name)
        print("\n" * (number > 0 and options.format != "csv"), end="")
        written = FORMATS[options.format](table, fill(table, options.runs))
        if options.format == "csv" and number:
            written = written.partition("\n")[2]  # one head
        print(written)
        sources = Sources(options.runs)
        steps = plan(table, sources)
        if steps and options.format == "text":
            more = "or one by one" if options.commands else "one by one with --commands"
            print(f"\nEmpty cells: {len(steps)} runs of jaxsent reproduce --table {name}, {more}")
            for step in steps if options.commands else ():
                print("  " + shlex.join(command(step, sources)))
    return 0


def chosen(name: str):
    """A table by its name. Raises UserError for one that there is not."""
    from jaxsent.errors import UserError
    from jaxsent.paper import TABLES

    if name not in TABLES:
        raise UserError(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
    return TABLES[name]
