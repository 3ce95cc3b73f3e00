"""PyTorch weight files written without torch, in the zip layout of torch ≥ 1.6.

Source: torch/serialization.py (`_save`) of PyTorch 2.13. The pickle is put together from opcodes,
since Python's pickler writes only names that it can import.
"""

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


def write(path: str | Path, tree: Mapping) -> None:
    """Writes a dict of float32 and int64 arrays, or of such dicts, as torch.save would.

    Raises:
      KeyError: an array of another dtype.
      OSError: the file cannot be written.
    """
    arrays: list[np.ndarray] = []
    program = b"\x80\x02" + _dict(tree, arrays) + pickle.STOP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", "little")
        for i, array in enumerate(arrays):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            archive.writestr(f"archive/data/{i}", np.ascontiguousarray(little).tobytes())
        archive.writestr("archive/version", "3\n")


def _dict(tree: Mapping, arrays: list) -> bytes:
    items = [_text(k) + _value(v, arrays) for k, v in tree.items()]
    return _call("collections", "OrderedDict", b")") + b"(" + b"".join(items) + b"u"


def _value(value, arrays: list) -> bytes:
    if isinstance(value, Mapping):
        return _dict(value, arrays)
    array = np.asarray(value)
    key = str(len(arrays))
    arrays.append(array)
    storage = (
        b"(" + _text("storage") + _name("torch", STORAGES[array.dtype.name])
        + _text(key) + _text("cpu") + _integer(array.size) + b"tQ"
    )  # fmt: skip
    strides = [s // array.itemsize for s in np.ascontiguousarray(array).strides]
    strides = strides if array.ndim else []
    hooks = _call("collections", "OrderedDict", b")")
    arguments = (
        b"(" + storage + _integer(0) + _integers(array.shape) + _integers(strides)
        + pickle.NEWFALSE + hooks + b"t"
    )  # fmt: skip
    return _call("torch._utils", "_rebuild_tensor_v2", arguments)


def _call(module: str, name: str, arguments: bytes) -> bytes:
    return _name(module, name) + arguments + pickle.REDUCE


def _name(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    content = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _integer(n: int) -> bytes:
    if n < 2**31:
        return pickle.BININT + struct.pack("<i", n)
    return pickle.LONG1 + b"\x08" + struct.pack("<q", n)


def _integers(values) -> bytes:
    return b"(" + b"".join(map(_integer, values)) + b"t"
