"""The labels and folds of Twitter I: tables of `file.jpg 0|1` lines, 1 for positive."""

from pathlib import Path

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders.layouts import first_file, lines

FOLDS = 5
AGREES = {5: "five_agrees", 4: "four_agrees", 3: "three_agrees"}
OFFICIAL = Path(__file__).parent / "official"  # of Campos et al., under their licence

Labels = list[tuple[str, str]]  # (file, "negative" or "positive")


def labels(table: Path) -> Labels:
    """The lines of a table in order. Raises UserError naming a line of another form."""
    return [_label(line, f"{table}, line {number}") for number, line in lines(table)]


def fold(folder: Path, agree: int, number: int) -> dict[str, Labels]:
    """`train` and `test` of a fold, `number` 1 to 5.

    Where `train.txt` is not there, as among the official ones here, `train` is the other folds'
    `test` in order, which is the same.
    """
    tables = {k: folder / AGREES[agree] / f"test{k}" for k in range(1, FOLDS + 1)}
    test = labels(tables[number] / "test.txt")
    if first_file(tables[number] / "train.txt"):
        return {"train": labels(tables[number] / "train.txt"), "test": test}
    others = [labels(tables[k] / "test.txt") for k in tables if k != number]
    return {"train": sum(others, []), "test": test}


def tables(folder: Path, agree: int) -> list[Path]:
    """The tables of all folds that a folder holds."""
    return sorted((folder / AGREES[agree]).glob("test*/*.txt"))


def has_folds(folder: Path, agree: int) -> bool:
    """Whether a folder holds the tables of all folds."""
    tests = (folder / AGREES[agree] / f"test{k}" / "test.txt" for k in range(1, FOLDS + 1))
    return all(map(Path.is_file, tests))


def plain_table(places: list[Path], agree: int) -> Path | None:
    """The one table of all images, under any of its names."""
    word = AGREES[agree]
    names = (word, f"{word}.txt", f"twitter_{word}.txt")
    return first_file(*(place / name for place in places for name in names))


def _label(line: str, where: str) -> tuple[str, str]:
    name, _, sign = line.rpartition(" ")
    if not name or sign not in ("0", "1"):
        raise UserError(f"{where}: expected `file.jpg 0` or `file.jpg 1`; found {line!r}")
    return name.strip(), POLARITY[int(sign)]
