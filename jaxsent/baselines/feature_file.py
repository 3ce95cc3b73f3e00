"""Features of images as a file: a row an image, found by the image's name.

For detectors that run elsewhere (SentiBank, DeepSentiBank), and for features that a network of ours
wrote (`jaxsent features`).
"""

import csv
import itertools
import zipfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.baselines.names import few, places
from jaxsent.errors import UserError
from jaxsent.files import make_folder, replacing

SUFFIXES = (".npz", ".parquet", ".csv")


class FeatureTable(NamedTuple):
    """N images.

    Attributes:
      file: (N,) names.
      features: (N, D) float32.
      label, polarity: (N,) int32, -1 where not known; None where the file does not say.
      split: (N,) names; None where the file does not say.
    """

    file: np.ndarray
    features: np.ndarray
    label: np.ndarray | None = None
    polarity: np.ndarray | None = None
    split: np.ndarray | None = None


def locate(path: Path, data: str) -> Path:
    """A features file, or in a folder the one that is called as the set: FOLDER/fi.npz.

    Raises:
      UserError: there is none.
    """
    if not path.is_dir():
        return path
    name = data.partition("/")[0]
    files = [path / f"{name}{suffix}" for suffix in SUFFIXES]
    for file in files:
        if file.is_file():
            return file
    raise UserError(f"{path}: expected {', '.join(f.name for f in files)} in it, found none.")


def read(path: Path, width: int | None = None) -> FeatureTable:
    """A table as `write` writes it, or .csv of a row an image: its name, then its numbers.

    An .npz holds `file`, or `files`, (N,) and `features` (N, D). A .csv may begin with a head.

    Args:
      path: of the file.
      width: D, where it has to be one.

    Raises:
      UserError: there is no such file, it is damaged, an image comes twice, or numbers are missing,
        too many or not finite.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected features of images.")
    readers = {".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise UserError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}.")
    table = readers[path.suffix](path)
    count = len(table.file)
    if table.features.ndim != 2 or len(table.features) != count or not count:
        raise UserError(
            f"{path}: expected a row of features an image, found {count} names and features of "
            f"shape {table.features.shape}."
        )
    if width and table.features.shape[1] != width:
        raise UserError(
            f"{path}: expected {width} numbers an image, found {table.features.shape[1]}."
        )
    wrong = ~np.isfinite(table.features).all(axis=1)
    if wrong.any():
        raise UserError(f"{path}: {few(table.file[wrong])} not all finite numbers.")
    twice = [name for name, n in Counter(table.file.tolist()).items() if n > 1]
    if twice:
        raise UserError(f"{path}: {few(twice)} there twice; leave one row an image.")
    return table


def rows(table: FeatureTable, files: list[str], source: str | Path) -> np.ndarray:
    """(N, D), names of n images, those of a whole set -> (n, D), a row for each.

    Raises:
      UserError: as names.places; `source` is what the message calls the table.
    """
    return table.features[places(table.file, files, source)]


def write(path: Path, table: FeatureTable) -> None:
    """An .npz, or a .parquet with the columns file, label, polarity, split and features.

    Raises:
      UserError: another suffix, pyarrow is not installed, or it cannot be written.
    """
    check_writable(path)
    make_folder(path.parent)
    with replacing(path) as part:
        _write(part, table, path)


def _write(part: Path, table: FeatureTable, path: Path) -> None:
    columns = {name: value for name, value in table._asdict().items() if value is not None}
    if path.suffix == ".npz":
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
            for name, value in columns.items():
                with file.open(f"{name}.npy", "w", force_zip64=True) as array:
                    np.lib.format.write_array(array, value, allow_pickle=False)
        return
    arrow, parquet = _pyarrow(path)
    features = columns.pop("features")
    flat = arrow.array(features.ravel())
    columns["features"] = arrow.FixedSizeListArray.from_arrays(flat, features.shape[1])
    parquet.write_table(arrow.table(columns), part)


def check_writable(path: Path) -> None:
    """Raises UserError for a file that `write` would not write, before features are computed."""
    if path.suffix not in (".npz", ".parquet"):
        raise UserError(f"{path}: features are written to .npz or .parquet.")
    if path.suffix == ".parquet":
        _pyarrow(path)


def _read_npz(path):
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in FeatureTable._fields if name in arrays}
            if "files" in arrays:  # np.savez takes no `file`
                columns.setdefault("file", arrays["files"])
            names = ", ".join(arrays.files)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged, or no .npz file ({error}).") from None
    return _table(path, columns, names)


def _read_parquet(path):
    arrow, parquet = _pyarrow(path)
    try:
        stored = parquet.read_table(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: damaged, or no .parquet file ({error}).") from None
    columns = {}
    for name in set(FeatureTable._fields) & set(stored.column_names):
        column = stored.column(name).combine_chunks()
        if name == "features":
            lists = column.to_pylist()
            if len(set(map(len, lists))) > 1:
                raise UserError(f"{path}: expected as many numbers for each image.")
            columns[name] = np.array(lists)
        else:
            columns[name] = np.array(column.to_pylist())
    return _table(path, columns, ", ".join(stored.column_names))


def _table(path, columns, names):
    if not {"file", "features"} <= columns.keys() or columns["file"].ndim != 1:
        raise UserError(
            f"{path}: expected `file`, names of images, and `features`, a row each; it has {names}."
        )
    if columns["features"].dtype.kind not in "fiu" or columns["file"].dtype.kind not in "US":
        raise UserError(f"{path}: expected numbers in `features` and texts in `file`.")
    columns["features"] = columns["features"].astype(np.float32)
    columns["file"] = columns["file"].astype(str)
    return FeatureTable(**columns)


def _read_csv(path):
    names, numbers = [], []
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.reader(file)
        first = next(lines, [])
        head = len(first) > 1 and _numbers(first[1:]) is None
        for row in lines if head else itertools.chain([first], lines):
            if not row:
                continue
            values = _numbers(row[1:])
            if values is None or (numbers and len(values) != len(numbers[0])):
                raise UserError(
                    f"{path}, line {lines.line_num}: expected a file name and "
                    f"{len(numbers[0]) if numbers else 'its'} numbers, found {len(row) - 1} values."
                )
            names.append(row[0])
            numbers.append(values)
    return FeatureTable(np.array(names, str), np.array(numbers, np.float32))


def _numbers(texts):
    try:
        return np.array(texts, np.float32)
    except ValueError:
        return None


def _pyarrow(path):
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            f"{path}: .parquet needs pyarrow: pip install pyarrow, or take .npz."
        ) from None
    return pyarrow, parquet
