"""Numbers of single images as CSV: what was predicted, and how its maps scored."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jaxsent import files
from jaxsent.evaluation import maps
from jaxsent.metrics import CASES

LONGEST = 256  # bytes of a file name


def as_bytes(files) -> np.ndarray:
    """(b,) text -> (b, LONGEST) uint8, which hosts can gather."""
    cut = [str(file).encode()[:LONGEST] for file in files]
    return np.array(cut, f"S{LONGEST}").view(np.uint8).reshape(-1, LONGEST)


def as_text(row: np.ndarray) -> str:
    """(LONGEST,) uint8 -> text."""
    return row.tobytes().rstrip(b"\0").decode(errors="replace")


def write_predictions(path: Path, classes: Sequence[str], outputs: dict) -> None:
    """One line an image: file, label, prediction and the probability of every class.

    No file where the network names no class.
    """
    if "class_probabilities" not in outputs:
        return
    decided = outputs.get("ten_crop", outputs["class_probabilities"])
    lines = [["file", "label", "prediction", *classes]]
    for name, truth, row in zip(outputs["file"], outputs["truth"], decided, strict=True):
        label = classes[truth] if truth >= 0 else ""
        chances = (f"{p:.5f}" for p in row)
        lines.append([as_text(name), label, classes[row.argmax()], *chances])
    _write(path, lines)


def write_maps(path: Path, names: tuple[str, ...], outputs: dict) -> None:
    """One line an image and map: file, map and its scores; no file where nothing was scored."""
    kinds = (("region_rows", maps.REGION), ("attention_rows", maps.ATTENTION))
    kinds = [(key, columns) for key, columns in kinds if key in outputs]
    if not kinds or not names:
        return
    lines = [["file", "map", *(c for _, columns in kinds for c in columns)]]
    for i, image in enumerate(map(as_text, outputs["file"])):
        for m, name in enumerate(names):
            scores = (_said(c, outputs[key][i, m, j]) for key, columns in kinds
                      for j, c in enumerate(columns))  # fmt: skip
            lines.append([image, name, *scores])
    _write(path, lines)


def _write(path: Path, lines: Iterable[Sequence]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    files.write_text(path, text.getvalue())


def _said(column: str, value: float) -> str:
    if np.isnan(value):
        return ""
    return CASES[int(value)] if column == "case" else f"{value:.6f}"
