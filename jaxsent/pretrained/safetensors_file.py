"""`.safetensors`: a header of names, types, shapes and places, and the arrays after it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from jaxsent.errors import UserError, shown

DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip
LONGEST_HEADER = 10_000_000  # bytes; a hundred a tensor are usual
MOST_AXES = 32


class Safetensors(Mapping):
    """A .safetensors file whose arrays are read one by one, when asked for.

    The library's own NumPy reader holds the whole file beside what is made of it; here the peak is
    one array above the result. No two arrays share bytes, so that all of them together are no
    larger than the file.

    Raises:
      UserError: the file is damaged.
    """

    def __init__(self, path: Path):
        self.path, size = path, path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, LONGEST_HEADER):
                raise UserError(f"{path}: no safetensors file, or cut short ({size:,} bytes).")
            try:
                self.header = json.loads(file.read(length))
            except (ValueError, RecursionError):
                self.header = None
        if not isinstance(self.header, dict):
            raise UserError(f"{path}: its safetensors header is damaged.")
        self.metadata = self.header.pop("__metadata__", {})
        if not isinstance(self.metadata, dict):
            raise UserError(f"{path}: the metadata in its safetensors header is damaged.")
        self.start, places = 8 + length, []
        for name, entry in self.header.items():
            if not _makes_sense(entry):
                raise UserError(
                    f"{path}: the safetensors header gives {shown(name)} a type, a shape or a size "
                    "that lies."
                )
            places.append(entry["data_offsets"])
        ends = [0, *(end for _, end in sorted(places))]
        if any(begin < end for (begin, _), end in zip(sorted(places), ends)):
            raise UserError(f"{path}: arrays of it overlap, which those of safetensors never do.")
        if ends[-1] > size - self.start:
            raise UserError(
                f"{path}: cut short: a tensor of its safetensors ends beyond {size:,} bytes."
            )

    def __getitem__(self, name):
        entry = self.header[name]
        dtype = np.dtype(DTYPES[entry["dtype"]])
        begin, end = entry["data_offsets"]
        array = np.fromfile(
            self.path, dtype, (end - begin) // dtype.itemsize, offset=self.start + begin
        )
        return array.reshape(entry["shape"])

    def __iter__(self):
        return iter(self.header)

    def __len__(self):
        return len(self.header)


def _makes_sense(entry) -> bool:
    """Whether an entry of the header is of a known type, and its shape and its bytes agree."""
    if not isinstance(entry, dict):
        return False
    dtype, shape, place = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not (isinstance(dtype, str) and dtype in DTYPES and _sizes(shape) and _sizes(place)):
        return False
    if len(place) != 2 or len(shape) > MOST_AXES:
        return False
    return place[1] - place[0] == math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize


def _sizes(values) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**48 for v in values)
