"""`jaxsent predict [MODEL] PHOTO…`: a table for a person, lines for a program."""

import collections
import contextlib
import csv
import glob
import json
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from jaxsent.data.listing import shown
from jaxsent.errors import UserError
from jaxsent.run.provenance import NOT_SURE, UNLIKE

FEW = 8
MODEL_FILES = (".jaxexport", ".onnx", ".safetensors")
RUN_PARTS = ("config.json", "checkpoints", "model.safetensors", "model.onnx")
"""Of which a folder with a model has at least one."""


def add(parser) -> None:
    parser.usage = "jaxsent predict [OPTION ...] [MODEL] PHOTO [PHOTO ...]"
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTO",
        help="photographs: files, folders or patterns; before them perhaps a model: a run's "
        "folder, an exported file, or hf:OWNER/NAME (default: the model of photographs that comes "
        "with jaxsent)",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated, with a header")
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="write answers to FILE.jsonl, .csv or .parquet; what is in it is not asked again, so "
        "a call that was stopped goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--sort", metavar="NUMBER",
        help="the highest first: a class, a rating such as valence, or seconds; printed at the end",
    )  # fmt: skip
    parser.add_argument(
        "--top", type=int, metavar="N", help="with --sort: print the first N (default all)"
    )
    parser.add_argument(
        "--maps", type=Path, metavar="DIR", help="write overlays (.jpg) and raw maps (.npy, .png)"
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.html", help="write a contact sheet, one HTML file"
    )
    parser.add_argument(
        "--fiftyone",
        type=Path,
        metavar="DIR",
        help="write labels and heat maps as FiftyOne opens them (fo.types.LegacyFiftyOneDataset)",
    )
    parser.add_argument(
        "--engine", choices=("auto", "jax", "onnx"), default="auto",
        help="what runs the network; auto: what the model allows, the faster of two on a CPU",
    )  # fmt: skip


def run(options) -> int:
    from jaxsent.data.listing import files
    from jaxsent.prediction import answers
    from jaxsent.prediction.prediction import doubt_of
    from jaxsent.prediction.predictor import load

    if options.top is not None and (options.sort is None or options.top < 1):
        raise UserError(f"--top {options.top}: expected a number from 1 on, and --sort before it.")
    model, named = split(options.photos)
    photos = list(files(named))
    if not photos:
        raise UserError(f"{', '.join(named)}: expected photographs; found none.")
    predictor = load(model, options.engine)
    card = predictor.card
    columns = answers.columns(card)
    if options.sort and options.sort not in {*card.classes, *card.ratings, "seconds"}:
        numbers = ", ".join((*card.classes, *card.ratings, "seconds"))
        raise UserError(f"--sort {options.sort}: expected one of {numbers}.")
    if card.provenance.warning:
        print(f"jaxsent: {card.provenance.warning}", file=sys.stderr)
    form = _json if options.json else _csv if options.csv else _table
    printed = form(card) if options.sort or not options.out else None
    kept, failed, doubts = [], 0, set()
    folders = names_of(photos) if options.maps else {}  # of all: a call that goes on names alike
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(answers.Answers(options.out, columns)) if options.out else None
        if out and out.files:
            there = len(photos)
            photos = [path for path in photos if shown(path) not in out.files]
            print(
                f"{options.out}: {there - len(photos):,} of {there:,} are in it.", file=sys.stderr
            )
        sheet = None
        if options.sheet:
            from jaxsent.report.contact_sheet import ContactSheet

            sheet = stack.enter_context(ContactSheet(options.sheet, model, card.provenance))
        fiftyone = None
        if options.fiftyone:
            from jaxsent.prediction.fiftyone_folder import FiftyOneFolder

            fiftyone = stack.enter_context(FiftyOneFolder(options.fiftyone, card.provenance))
        for path, result in _tracked(predictor.stream(photos), len(photos)):
            if isinstance(result, UserError):
                failed += 1
                print(f"jaxsent: {result}", file=sys.stderr)
                continue
            doubts.add(result.doubt)
            answer = {"file": shown(path)} | result.to_dict()
            if out:
                out.add(answer | {"model": card.provenance.to_dict()})
            if options.sort and not out:
                kept.append(answer)
            elif printed and not options.sort:
                printed(answer)
            if options.maps:
                result.save_maps(options.maps / folders[path])
            if sheet:
                sheet.add(path, result)
            if fiftyone:
                fiftyone.add(path, result)
    if options.sort:
        rows = out.rows() if out else map(answers.flat, kept)
        for row in answers.ranked(rows, options.sort, options.top):
            doubts.add(doubt_of(row.get("sure"), row.get("familiar")))
            printed(answers.nested(row, card))
    for place in filter(None, (options.out, options.maps, options.sheet, options.fiftyone)):
        print(f"written: {place}", file=sys.stderr)
    if not options.json and failed < max(len(photos), 1):
        for sentence in (*rules_of(card, doubts), *card.provenance.sentences()):
            print(sentence, file=sys.stderr if options.csv or options.out else sys.stdout)
    return 1 if failed else 0


def split(arguments: list[str]) -> tuple[str | None, list[str]]:
    """What stands behind `predict` -> the model, None for the one that comes along; the rest.

    The first is a model where it looks like one: `hf:…`, a file of an exported model's suffix, or a
    folder with config.json, model.safetensors, model.onnx or checkpoints in it.

    Raises:
      UserError: a model without photographs, or a first argument that is neither.
    """
    first, *rest = arguments
    path = Path(first).expanduser()
    if first.startswith("hf:") or path.suffix in MODEL_FILES or _is_run(path):
        if not rest:
            raise UserError(f"{first} is a model: expected photographs behind it; found none.")
        return first, rest
    if rest and not path.suffix and not path.exists() and not glob.has_magic(first):
        raise UserError(
            f"{first}: there is no such file or folder; expected a model (a run's folder, an "
            "exported file, hf:OWNER/NAME) or photographs."
        )
    return None, arguments


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in RUN_PARTS)


def rules_of(card, doubts: Container[str]) -> list[str]:
    """What those words mean that stood beside an answer."""
    meanings = {
        NOT_SURE: f"its probability is below {card.rules.sure:g}." if card.rules.sure else "",
        UNLIKE: "it looks less like a photograph than 99 % of its data.",
    }
    return [f"{word}: {meaning}" for word, meaning in meanings.items() if word in doubts]


def _tracked(results: Iterator, total: int) -> Iterator:
    """A progress bar on stderr where many photographs are not themselves shown on the terminal."""
    from jaxsent.console import console

    if total < 2 * FEW or sys.stdout.isatty() or not console.is_terminal:
        return results
    import rich.progress

    return rich.progress.track(results, "photographs", total=total, console=console)


def names_of(paths: Iterable[Path]) -> dict[Path, Path]:
    """Paths -> relative ones without suffix, for what is made of each; with it where two agree."""
    short = {path: _relative(path).with_suffix("") for path in paths}
    times = collections.Counter(short.values())
    return {p: name if times[name] == 1 else _relative(p) for p, name in short.items()}


def _relative(path: Path) -> Path:
    return Path(*(part for part in path.parts if part not in ("..", path.anchor)))


def _json(card) -> Callable:
    model = card.provenance.to_dict()

    def write(answer):
        print(json.dumps(answer | {"model": model}, ensure_ascii=False))

    return write


def _csv(card) -> Callable:
    from jaxsent.prediction import answers

    writer, columns = csv.writer(sys.stdout), answers.columns(card)
    writer.writerow(columns)

    def write(answer):
        row = answers.flat(answer)
        writer.writerow(_text(row[name]) for name in columns)

    return write


def _text(value) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _table(card) -> Callable:
    from jaxsent.prediction import answers
    from jaxsent.prediction.prediction import doubt_of

    width = max(map(len, card.classes))
    doubt = max(map(len, (NOT_SURE, UNLIKE))) + 2 if answers.doubts(card) else 0
    rated = "".join(f"{name:>7}  " for name in card.ratings)
    head = f"{'label':{width}}  {'p':>5}  {'polarity':8}  {rated}"
    heading = iter([f"{head}{'':{doubt}}photograph"])

    def write(answer):
        for line in heading:  # above the first row: where none is read there is no table
            print(line)
        row = answers.flat(answer)
        ratings = "".join(f"{row[name]:7.1f}  " for name in card.ratings)
        doubt_text = doubt_of(row.get("sure"), row.get("familiar"))
        print(
            f"{row['label']:{width}}  {row[row['label']]:5.3f}  "
            f"{row['polarity'] or '':8}  {ratings}{doubt_text:{doubt}}{row['file']}"
        )

    return write
