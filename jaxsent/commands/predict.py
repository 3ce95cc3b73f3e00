"""`jaxsent predict MODEL PHOTO…`: a table for a person, lines for a program."""

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxsent.errors import UserError

FEW = 8


def add(parser) -> None:
    parser.add_argument("model", help="a run's folder, an exported file, or hf:OWNER/NAME")
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="files, folders or patterns")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated, with a header")
    parser.add_argument(
        "--maps", type=Path, metavar="DIR", help="write overlays (.jpg) and raw maps (.npy, .png)"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.html", help="write a contact sheet, one HTML file"
    )
    parser.add_argument(
        "--engine", choices=("auto", "jax", "onnx"), default="auto",
        help="what runs the network; auto: what the model allows, the faster of two on a CPU",
    )  # fmt: skip


def run(options) -> int:
    from jaxsent.data.listing import files
    from jaxsent.prediction.predictor import load

    photos = list(files(options.photos))
    predictor = load(options.model, options.engine)
    writer = _json if options.json else _csv if options.csv else _table
    writers = [writer(predictor.card.classes)]
    if options.maps:
        writers.append(lambda path, prediction: prediction.save_maps(options.maps / name_of(path)))
    failed = 0
    with contextlib.ExitStack() as stack:
        if options.sheet:
            from jaxsent.report.contact_sheet import ContactSheet

            sheet = stack.enter_context(ContactSheet(options.sheet, options.model))
            writers.append(sheet.add)
        for path, result in _tracked(predictor.stream(photos), len(photos)):
            if isinstance(result, UserError):
                failed += 1
                print(f"jaxsent: {result}", file=sys.stderr)
                continue
            for write in writers:
                write(path, result)
    return 1 if failed else 0


def _tracked(results: Iterator, total: int) -> Iterator:
    """A progress bar on stderr where many photographs are not themselves shown on the terminal."""
    from jaxsent.console import console

    if total < 2 * FEW or sys.stdout.isatty() or not console.is_terminal:
        return results
    import rich.progress

    return rich.progress.track(results, "photographs", total=total, console=console)


def name_of(path: Path) -> Path:
    """A photograph's path as a relative one without suffix, to name what is made of it."""
    return Path(*(p for p in path.with_suffix("").parts if p not in ("..", path.anchor)))


def _json(classes) -> Callable:
    def write(path, prediction):
        line = {"file": str(path)} | prediction.to_dict()
        print(json.dumps(line, ensure_ascii=False))

    return write


def _csv(classes) -> Callable:
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", "label", "polarity", *classes, "seconds"])

    def write(path, prediction):
        chances = dict(zip(prediction.labels, prediction.probabilities, strict=True))
        row = [f"{chances[name]:.6f}" for name in classes]
        writer.writerow(
            [path, prediction.label, prediction.polarity, *row, f"{prediction.seconds:.4f}"]
        )

    return write


def _table(classes) -> Callable:
    width = max(map(len, classes))
    print(f"{'label':{width}}  {'p':>5}  {'polarity':8}  {'time':>7}  photograph")

    def write(path, prediction):
        print(
            f"{prediction.label:{width}}  {prediction.probability:5.3f}  "
            f"{prediction.polarity or '':8}  {1000 * prediction.seconds:4.0f} ms  {path}"
        )

    return write
