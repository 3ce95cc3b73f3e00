"""`jaxsent predict [MODEL] PHOTO…`: a table for a person, lines for a program."""

import contextlib
import csv
import glob
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

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

    model, named = split(options.photos)
    photos = list(files(named))
    if not photos:
        raise UserError(f"{', '.join(named)}: expected photographs; found none.")
    predictor = load(model, options.engine)
    card = predictor.card
    if card.provenance.warning:
        print(f"jaxsent: {card.provenance.warning}", file=sys.stderr)
    writer = _json if options.json else _csv if options.csv else _table
    writers = [writer(card)]
    if options.maps:
        writers.append(lambda path, prediction: prediction.save_maps(options.maps / name_of(path)))
    failed = 0
    with contextlib.ExitStack() as stack:
        if options.sheet:
            from jaxsent.report.contact_sheet import ContactSheet

            sheet = stack.enter_context(ContactSheet(options.sheet, model, card.provenance))
            writers.append(sheet.add)
        for path, result in _tracked(predictor.stream(photos), len(photos)):
            if isinstance(result, UserError):
                failed += 1
                print(f"jaxsent: {result}", file=sys.stderr)
                continue
            for write in writers:
                write(path, result)
    if not options.json:
        for sentence in (*rules_of(card), *card.provenance.sentences()):
            print(sentence, file=sys.stderr if options.csv else sys.stdout)
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


def rules_of(card) -> list[str]:
    """What the words beside an answer mean, for a model that has rules."""
    sentences = []
    if card.rules.sure is not None:
        sentences.append(f"{NOT_SURE}: its probability is below {card.rules.sure:g}.")
    if card.rules.strangeness is not None:
        sentences.append(f"{UNLIKE}: it looks less like a photograph than 99 % of its data.")
    return sentences


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


def _json(card) -> Callable:
    model = card.provenance.to_dict()

    def write(path, prediction):
        line = {"file": str(path)} | prediction.to_dict() | {"model": model}
        print(json.dumps(line, ensure_ascii=False))

    return write


def _csv(card) -> Callable:
    writer, classes = csv.writer(sys.stdout), card.classes
    writer.writerow(
        ["file", "label", "polarity", *classes, *card.ratings, *doubts(card), "seconds"]
    )

    def write(path, prediction):
        chances = dict(zip(prediction.labels, prediction.probabilities, strict=True))
        row = [f"{chances[name]:.6f}" for name in classes]
        row += [f"{prediction.ratings[name]:.3f}" for name in card.ratings]
        row += [str(getattr(prediction, name)).lower() for name in doubts(card)]
        writer.writerow(
            [path, prediction.label, prediction.polarity, *row, f"{prediction.seconds:.4f}"]
        )

    return write


def doubts(card) -> list[str]:
    """The attributes of a Prediction that a card has rules for."""
    return [name for name, rule in zip(("sure", "familiar"), card.rules) if rule is not None]


def _table(card) -> Callable:
    width = max(map(len, card.classes))
    doubt = max(map(len, (NOT_SURE, UNLIKE))) + 2 if doubts(card) else 0
    rated = "".join(f"{name:>7}  " for name in card.ratings)
    head = f"{'label':{width}}  {'p':>5}  {'polarity':8}  {rated}"
    print(f"{head}{'':{doubt}}{'time':>7}  photograph")

    def write(path, prediction):
        ratings = "".join(f"{prediction.ratings[name]:7.1f}  " for name in card.ratings)
        print(
            f"{prediction.label:{width}}  {prediction.probability:5.3f}  "
            f"{prediction.polarity or '':8}  {ratings}{prediction.doubt:{doubt}}"
            f"{1000 * prediction.seconds:4.0f} ms  {path}"
        )

    return write
