"""`jaxsent compare RUN RUN…`: runs side by side."""

import json
from pathlib import Path


def add(parser) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="finished run folders")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options) -> int:
    from jaxsent.evaluation import compare

    names = [str(run) for run in options.runs]
    columns = [compare.measures(compare.read(run)) for run in options.runs]
    right = [compare.correct(run) for run in options.runs]
    pairs = [compare.paired(right[0], other) for other in right[1:]]
    if options.json:
        comparison = {
            "runs": dict(zip(names, columns, strict=True)),
            "against": names[0],
            "differences": {n: p._asdict() for n, p in zip(names[1:], pairs, strict=True)},
        }
        print(json.dumps(comparison, indent=1))
        return 0
    _table(names, columns)
    for name, pair in zip(names[1:], pairs, strict=True):
        low, high = (100 * v for v in pair.interval)
        print(
            f"{name} against {names[0]}, the same {pair.images:,} images: "
            f"{100 * pair.difference:+.1f} points of accuracy (95 %: {low:+.1f} to {high:+.1f}); "
            f"{pair.gained} gained, {pair.lost} lost, McNemar p = {pair.p:.2g}"
        )
    return 0


def _table(names, columns) -> None:
    from rich.console import Console
    from rich.table import Table

    from jaxsent.evaluation.compare import MEASURES

    table = Table("", *names)
    for path, name in MEASURES.items():
        values = [column[path] for column in columns]
        if any(value is not None for value in values):
            table.add_row(name, *("–" if v is None else f"{v:.3f}" for v in values))
    Console().print(table)
