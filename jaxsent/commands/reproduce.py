"""`jaxsent reproduce --table TABLE`: make the runs that a table lacks."""

import shlex
from pathlib import Path

from jaxsent.errors import UserError


def add(parser) -> None:
    parser.add_argument("--table", required=True, help="wsidnet1, oasis, … (jaxsent tables)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder of the runs (default runs)"
    )
    parser.add_argument(
        "--source", action="append", default=[], metavar="SET=FOLDER",
        help="a set as its authors ship it, where it is not prepared",
    )  # fmt: skip
    parser.add_argument(
        "--weights", action="append", default=[], metavar="BACKBONE=FILE",
        help="ImageNet weights, such as vgg16=hf:timm/vgg16.tv_in1k",
    )  # fmt: skip
    parser.add_argument(
        "--features", action="append", default=[], metavar="DETECTOR=FILE",
        help="a detector's outputs, such as sentibank=FILE, or a folder with SET.npz in it",
    )  # fmt: skip
    parser.add_argument(
        "--maps", action="append", default=[], metavar="NAME=PATH",
        help="maps made elsewhere: saliency=FOLDER, or faster_rcnn=FILE of boxes",
    )  # fmt: skip
    parser.add_argument(
        "--config", action="append", default=[], metavar="KEY=VALUE",
        help="a config key for every run, such as data.dir=FOLDER",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N",
        help="train every network N times, so that cells are mean ± sd (default 1)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only say what would be run")


def run(options) -> int:
    from jaxsent.commands.tables import chosen
    from jaxsent.paper.fill import fill
    from jaxsent.paper.formats import text
    from jaxsent.paper.reproduce import Sources, check_names, command, plan, reproduce

    if options.seeds < 1:
        raise UserError(f"--seeds {options.seeds}: expected a number from 1 on.")
    table = chosen(options.table)
    sources = Sources(
        options.runs, _pairs("--source", options.source), _pairs("--weights", options.weights),
        tuple(options.config), _pairs("--features", options.features),
        _pairs("--maps", options.maps), options.seeds,
    )  # fmt: skip
    check_names(table, sources)
    if options.dry_run:
        for step in plan(table, sources):
            print(shlex.join(command(step, sources)))
        return 0
    reproduce(table, sources)
    print(text(table, fill(table, options.runs)))
    return 0


def _pairs(flag: str, values: list[str]) -> dict[str, str]:
    wrong = [value for value in values if "=" not in value]
    if wrong:
        raise UserError(f"{flag} {wrong[0]}: expected NAME=FILE.")
    return dict(value.split("=", 1) for value in values)
