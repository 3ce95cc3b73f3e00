"""`jaxsent predict MODEL PHOTO…`: a table for a person, lines for a program."""

import csv
import glob
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jaxsent.errors import UserError


def add(parser) -> None:
    parser.add_argument("model", help="folder of a run")
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="files, folders or patterns")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated, with a header")


def run(options) -> int:
    from jaxsent.predict import load

    predictor = load(options.model)
    writer = _json if options.json else _csv if options.csv else _table
    write, failed = writer(predictor.card.classes), 0
    for path, result in predictor.stream(files(options.photos)):
        if isinstance(result, UserError):
            failed += 1
            print(f"jaxsent: {result}", file=sys.stderr)
        else:
            write(path, result)
    return 1 if failed else 0


def files(patterns: Iterable[str]) -> Iterator[Path]:
    """Files as they are; the photographs below a folder, sorted; what a pattern matches.

    What is not there comes too: it is for the reader to say so.
    """
    from jaxsent.photograph import SUFFIXES

    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                photographs = (n for n in sorted(names) if Path(n).suffix.lower() in SUFFIXES)
                yield from (Path(folder) / name for name in photographs)
        elif path.exists():
            yield path
        else:
            yield from map(Path, sorted(glob.glob(str(path), recursive=True)) or [path])


def _json(classes) -> Callable:
    def write(path, said):
        line = {"file": str(path)} | said.to_dict()
        print(json.dumps(line, ensure_ascii=False))

    return write


def _csv(classes) -> Callable:
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", "label", "polarity", *classes, "seconds"])

    def write(path, said):
        chances = dict(zip(said.labels, said.probabilities, strict=True))
        row = [f"{chances[name]:.6f}" for name in classes]
        writer.writerow([path, said.label, said.polarity, *row, f"{said.seconds:.4f}"])

    return write


def _table(classes) -> Callable:
    width = max(map(len, classes))
    print(f"{'label':{width}}  {'p':>5}  {'polarity':8}  {'time':>7}  photograph")

    def write(path, said):
        print(
            f"{said.label:{width}}  {said.probability:5.3f}  {said.polarity or '':8}  "
            f"{1000 * said.seconds:4.0f} ms  {path}"
        )

    return write
