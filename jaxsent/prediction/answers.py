"""A file of answers that grows: JSON lines, CSV or Parquet, of any number of photographs.

What is in it is not asked again, so a call that was stopped goes on where it stopped. An answer is
a dict of `file` and what `Prediction.to_dict` has.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jaxsent import files
from jaxsent.errors import UserError

FORMATS = (".jsonl", ".csv", ".parquet")


class Answers:
    """An open file of answers, as a context manager.

    Parquet cannot grow, so `FILE.jsonl` grows beside it and becomes the file at the end.

    Args:
      path: ends in one of FORMATS.
      columns: of the flat row of an answer, see `flat`.

    Attributes:
      files: names of the photographs that are in it.

    Raises:
      UserError: another suffix, a file of other columns, or one that cannot be read or written.
    """

    def __init__(self, path: Path, columns: Iterable[str]):
        self.path, self.columns = path, list(columns)
        if path.suffix not in FORMATS:
            raise UserError(f"{path}: expected a name that ends in {', '.join(FORMATS)}.")
        if path.suffix == ".parquet":
            _pyarrow()
        self.growing = path.with_name(f"{path.name}.jsonl") if path.suffix == ".parquet" else path
        self.files: set[str] = set()

    def __enter__(self):
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _drop_a_broken_end(self.growing)
            for row in self.rows():
                self._check(row)
                self.files.add(row["file"])
            self.growing.touch()
            if self.growing.suffix == ".csv" and not self.growing.stat().st_size:
                self._write(_csv_line(self.columns))
        except OSError as error:
            raise files.unwritable(self.path, error) from None
        return self

    def __exit__(self, kind, *_):
        if self.path != self.growing and kind is None:
            rows = list(self.rows())
            _write_parquet(self.path, rows, self.columns)
            self.growing.unlink()

    def add(self, answer: dict) -> None:
        """Writes an answer, at once: whatever ends the program later, it is in the file.

        Raises:
          UserError: the disk does not take it; the answers before are in the file.
        """
        row = flat(answer)
        if self.growing.suffix == ".csv":
            self._write(_csv_line(row[name] for name in self.columns))
        else:
            self._write(json.dumps(answer))
        self.files.add(answer["file"])

    def _write(self, line: str) -> None:
        files.append_line(self.growing, line)

    def rows(self) -> Iterator[dict]:
        """The flat rows that are in the file, numbers as numbers. Raises UserError for others."""
        if self.path != self.growing and self.path.is_file():
            yield from _read_parquet(self.path)
        if not self.growing.is_file():
            return
        with self.growing.open(encoding="utf-8", newline="") as file:
            read = _read_csv if self.growing.suffix == ".csv" else _read_lines
            try:
                yield from read(file)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{self.growing}: expected answers of jaxsent predict, found something else "
                    f"({error}); name another file."
                ) from None

    def _check(self, row: dict) -> None:
        if set(row) != set(self.columns):
            raise UserError(
                f"{self.path}: holds answers of another model ({', '.join(row)}; this one tells "
                f"{', '.join(self.columns)}). Name another file, or remove it."
            )


def _csv_line(values: Iterable) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue().removesuffix("\n")


def columns(card) -> list[str]:
    """Names of what `flat` has of a model's answers, in the order of a table."""
    numbers = (*card.classes, *card.ratings, *doubts(card))
    return ["file", "label", "polarity", *numbers, "seconds"]


def doubts(card) -> list[str]:
    """The attributes of a Prediction that a card has rules for."""
    rules = zip(("sure", "familiar"), card.rules, strict=True)
    return [name for name, rule in rules if rule is not None]


def flat(answer: dict) -> dict:
    """An answer as one row: probabilities and ratings by their names, what else there is behind."""
    row = {"file": answer["file"], "label": answer["label"], "polarity": answer["polarity"]}
    row |= answer["probabilities"] | answer.get("ratings", {})
    return row | {name: answer[name] for name in ("sure", "familiar", "seconds") if name in answer}


def nested(row: dict, card) -> dict:
    """`flat` undone, as far as the row has it."""
    answer = {name: row[name] for name in ("file", "label", "polarity")}
    answer["probabilities"] = {name: row[name] for name in card.classes}
    if card.ratings:
        answer["ratings"] = {name: row[name] for name in card.ratings}
    return answer | {name: row[name] for name in ("sure", "familiar", "seconds") if name in row}


def ranked(rows: Iterable[dict], by: str, top: int | None = None) -> list[dict]:
    """Flat rows, the highest `by` first, `top` of them.

    Raises:
      UserError: there is no such number in them.
    """
    rows = list(rows)
    numbers = [name for name in (rows[0] if rows else ()) if isinstance(rows[0][name], float)]
    if rows and by not in numbers:
        raise UserError(f"--sort {by}: expected one of {', '.join(numbers)}.")
    return sorted(rows, key=lambda row: -row[by])[:top]


def _drop_a_broken_end(path: Path) -> None:
    """Cuts off a last line that a crash left without its end."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        while size:
            start = max(size - 65_536, 0)
            file.seek(start)
            at = file.read(size - start).rfind(b"\n")
            if at >= 0:
                file.truncate(start + at + 1)
                return
            size = start
        file.truncate(0)


def _read_lines(file: io.TextIOBase) -> Iterator[dict]:
    return (flat(json.loads(line)) for line in file)


def _read_csv(file: io.TextIOBase) -> Iterator[dict]:
    words: dict[str, Callable] = {"true": lambda _: True, "false": lambda _: False}
    reader = csv.DictReader(file)
    if "file" not in (reader.fieldnames or ["file"]):
        raise ValueError("no column file")
    for row in reader:
        parsed = {}
        for name, text in row.items():
            as_is = name in ("file", "label", "polarity")
            parsed[name] = text if as_is else words.get(text.lower(), float)(text)
        yield parsed


def _read_parquet(path: Path) -> list[dict]:
    try:
        return _pyarrow().read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a Parquet file ({error}).") from None


def _write_parquet(path: Path, rows: list[dict], columns: list[str]) -> None:
    parquet = _pyarrow()
    import pyarrow

    table = pyarrow.table({name: [row[name] for row in rows] for name in columns})
    with files.replacing(path) as part:
        parquet.write_table(table, part)


def _pyarrow():
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise UserError("A .parquet file needs pyarrow: pip install 'jaxsent[parquet]'.") from None
    return parquet
