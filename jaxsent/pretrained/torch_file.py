"""PyTorch weight files (`.pth`, `.pt`) as dicts of NumPy arrays, without torch.

Both layouts of `torch.save` are read: the zip archive of torch ≥ 1.6 and the older stream of
pickles followed by raw storages. Source: torch/serialization.py (`_load`, `_legacy_load`) and
torch/_utils.py (`_rebuild_tensor_v2`) of PyTorch 2.13.

A pickle is a program, so Python's own unpickler never sees the file. `_evaluate` runs the few
opcodes that weights need and knows a fixed list of names, none of which calls anything given by
the file; every other name is refused.
"""

import io
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxsent.errors import UserError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DAMAGE = (
    *(ValueError, TypeError, LookupError, OverflowError, NotImplementedError, struct.error),
    zipfile.BadZipFile,
)
_RESAVE = "save it again with torch.save(model.state_dict(), path)"

_STORAGES = {
    "torch DoubleStorage": np.float64,
    "torch FloatStorage": np.float32,
    "torch HalfStorage": np.float16,
    "torch BFloat16Storage": ml_dtypes.bfloat16,
    "torch LongStorage": np.int64,
    "torch IntStorage": np.int32,
    "torch ShortStorage": np.int16,
    "torch CharStorage": np.int8,
    "torch ByteStorage": np.uint8,
    "torch BoolStorage": np.bool_,
    "torch ComplexFloatStorage": np.complex64,
    "torch ComplexDoubleStorage": np.complex128,
}
_DTYPES = {
    **{f"torch {n}": getattr(np, n) for n in ("float64", "float32", "float16")},
    **{f"torch {n}": getattr(np, n) for n in ("int64", "int32", "int16", "int8", "uint8")},
    **{f"torch {n}": getattr(np, n) for n in ("complex64", "complex128")},
    "torch bool": np.bool_,
    "torch bfloat16": ml_dtypes.bfloat16,
}
_CALLABLES = (
    "collections OrderedDict",
    "torch Size",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
)


def read(path: str | Path) -> dict:
    """The dict that `torch.save` wrote, with tensors as read-only NumPy arrays.

    Nested dicts, lists, numbers and strings come through as they are; an OrderedDict becomes a
    dict and a parameter becomes its array.

    Raises:
      UserError: the file cannot be read, is damaged, or holds anything but plain weights.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as e:
        raise UserError(f"{path}: cannot be read: {e.strerror}.") from e
    try:
        tree = _read_zip(data) if data[:4] == b"PK\x03\x04" else _read_legacy(data)
        if not isinstance(tree, dict):
            raise _Refused(f"holds a {type(tree).__name__}, expected a dict of tensors; {_RESAVE}")
    except _Refused as e:
        raise UserError(f"{path}: {e}.") from None
    except _DAMAGE as e:
        reason = " ".join(str(e).split())[:200]
        raise UserError(
            f"{path}: not a PyTorch weight file, or a damaged one ({reason}); {_RESAVE}."
        ) from e
    return tree


class _Refused(Exception):
    """Why the file is not read; `read` puts the path in front."""


@dataclass(frozen=True)
class _Name:
    """A permitted "module name" of the pickle, as a value on its stack."""

    name: str


class _StorageId(NamedTuple):
    key: str
    dtype: np.dtype
    length: int  # elements


# --- the two layouts -----------------------------------------------------------------------------


def _read_zip(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {info.filename: info for info in archive.infolist()}
    pickles = [n for n in records if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(pickles) != 1:
        raise _Refused(
            f"expected one NAME/data.pkl in the archive, found {len(pickles)}; "
            "TorchScript and other archives are not weight files"
        )
    root = pickles[0].removesuffix("data.pkl")
    if root + "constants.pkl" in records:
        raise _Refused(f"is a TorchScript archive, expected weights; {_RESAVE}")
    swap = False
    if root + "byteorder" in records:
        order = bytes(_record(data, records[root + "byteorder"]))
        if order not in (b"little", b"big"):
            raise _Refused(f"expected byteorder little or big, found {order[:16]!r}")
        swap = order == b"big"
    arrays: dict[str, np.ndarray] = {}

    def storage(id_: _StorageId) -> np.ndarray:
        if id_.key not in arrays:
            name = f"{root}data/{id_.key}"
            if name not in records:
                raise _Refused(f"record {name} is missing; the file is damaged")
            raw = _record(data, records[name])
            if len(raw) != id_.length * id_.dtype.itemsize:
                raise _Refused(
                    f"record {name} should hold {id_.length} {id_.dtype} values, found "
                    f"{len(raw)} bytes; the file is damaged"
                )
            arrays[id_.key] = _array(raw, id_.dtype, swap)
        return _same_dtype(arrays[id_.key], id_)

    return _evaluate(io.BytesIO(_record(data, records[pickles[0]])), storage, _rebuild)


def _record(data: bytes, info: zipfile.ZipInfo) -> memoryview:
    """The bytes of one archive record, in place.

    torch stores records uncompressed, so a record can never be larger than the file.
    """
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise _Refused(f"record {info.filename} is compressed, which torch.save never does")
    if info.flag_bits & 1:
        raise _Refused(f"record {info.filename} is encrypted")
    start = info.header_offset
    signature, name_length, extra_length = struct.unpack_from("<4s22xHH", data, start)
    start += 30 + name_length + extra_length
    raw = memoryview(data)[start : start + info.file_size]
    if signature != b"PK\x03\x04" or len(raw) != info.file_size:
        raise _Refused(
            f"record {info.filename} should hold {info.file_size} bytes, found {len(raw)}; "
            "the file is damaged"
        )
    if zlib.crc32(raw) != info.CRC:
        raise _Refused(
            f"record {info.filename} fails its checksum; the file is damaged, or was saved under "
            "torch.serialization.set_crc32_options(False)"
        )
    return raw


def _read_legacy(data: bytes) -> Any:
    stream = io.BytesIO(data)

    def no_storage(_):
        raise _Refused("has a storage where none belongs; the file is damaged")

    def header():
        return _evaluate(stream, no_storage, _rebuild)

    if not data.startswith(b"\x80") or header() != _LEGACY_MAGIC:
        raise _Refused("not a PyTorch weight file: expected a zip archive or torch's magic number")
    if header() != _LEGACY_PROTOCOL:
        raise _Refused(f"expected protocol version {_LEGACY_PROTOCOL}")
    header()  # sys_info: storages are little-endian on every machine (torch's writeFileRaw)

    # The storages come last, and only the pickle says how wide their elements are: run it once
    # for the ids, then again with the arrays.
    ids: dict[str, _StorageId] = {}
    start = stream.tell()
    _evaluate(stream, lambda id_: ids.setdefault(id_.key, id_), lambda *_: None)
    keys = header()
    if not isinstance(keys, list) or set(keys) != set(ids) or len(keys) != len(ids):
        raise _Refused("its list of storages does not match its tensors; the file is damaged")
    position = stream.tell()
    arrays = {}
    for key in keys:
        _, dtype, length = ids[key]
        found = struct.unpack_from("<q", data, position)[0]
        position += 8
        raw = memoryview(data)[position : position + length * dtype.itemsize]
        if found != length or len(raw) != length * dtype.itemsize:
            raise _Refused(
                f"storage {key[:40]} should hold {length} {dtype} values, found {found} announced "
                f"and {len(raw)} bytes; the file is truncated or damaged"
            )
        arrays[key] = _array(raw, dtype, swap=False)
        position += len(raw)
    stream.seek(start)
    return _evaluate(stream, lambda id_: _same_dtype(arrays[id_.key], id_), _rebuild)


# --- tensors -------------------------------------------------------------------------------------


def _array(raw: memoryview, dtype: np.dtype, swap: bool) -> np.ndarray:
    """Bytes -> (n,) read-only array; `swap` turns big-endian values round."""
    if swap:
        width = dtype.itemsize // (2 if dtype.kind == "c" else 1)
        return np.frombuffer(raw, f"u{width}").byteswap().view(dtype)
    return np.frombuffer(raw, dtype)


def _same_dtype(array: np.ndarray, id_: _StorageId) -> np.ndarray:
    if array.dtype != id_.dtype or array.size != id_.length:
        raise _Refused(f"storage {id_.key[:40]} is declared twice, differently")
    return array


def _rebuild(storage: Any, offset: Any, size: Any, stride: Any) -> np.ndarray:
    """(n,) storage -> the tensor of `size` over it; offset and strides count elements."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1:
        raise _Refused("has a tensor without a storage; the file is damaged")
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)):
        raise _Refused("has a tensor whose size and stride do not match; the file is damaged")
    if len(size) > 32 or not all(type(v) is int and v >= 0 for v in (offset, *size, *stride)):
        raise _Refused("has a tensor with an impossible offset, size or stride")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    # More elements than the storage has would be a view that repeats itself: bytes on disk that
    # become any number of gigabytes once somebody copies the array.
    if 0 not in size and (last >= storage.size or math.prod(size) > storage.size):
        raise _Refused(
            f"has a tensor of size {size} at offset {offset} with strides {stride} that does not "
            f"fit its storage of {storage.size} values"
        )
    if 0 in size:
        return np.empty(size, storage.dtype)
    strides = [s * storage.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)


def _storage_id(pid: Any) -> _StorageId:
    """torch's persistent id ("storage", type, key, device, elements[, view])."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise _Refused("has a persistent id that is not a storage's")
    kind, key, _, length = pid[1:5]
    if not isinstance(kind, _Name) or kind.name not in _STORAGES:
        raise _Refused("has a storage of an unknown type")
    if not isinstance(key, str) or type(length) is not int or length < 0:
        raise _Refused("has a storage with an impossible name or length")
    if len(pid) == 6 and pid[5] is not None:
        raise _Refused(f"has views of storages, as written before torch 0.4; {_RESAVE}")
    return _StorageId(key, np.dtype(_STORAGES[kind.name]), length)


# --- the pickle ----------------------------------------------------------------------------------

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
}
_MARK = object()


def _evaluate(stream: io.BytesIO, storage: Callable, rebuild: Callable) -> Any:
    """Run one pickle of `stream`, from its position to just after its STOP.

    Args:
      stream: where the pickle starts.
      storage: _StorageId -> what stands for the storage.
      rebuild: (storage, offset, size, stride) -> what stands for the tensor.
    """
    stack: list = []
    memo: dict[int, Any] = {}

    def since_mark() -> list:
        items = []
        while (value := stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def set_items(target: Any, items: list) -> None:
        if not isinstance(target, dict):
            raise _Refused("assigns items to something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # A deeply nested tuple as a key would overflow the C stack when hashed.
            if not isinstance(key, str | int):
                raise _Refused("has a dict whose keys are neither text nor whole numbers")
            target[key] = value

    def extend(target: Any, items: list) -> None:
        if not isinstance(target, list):
            raise _Refused("appends to something that is not a list")
        target.extend(items)

    def call(function: Any, args: Any) -> Any:
        name = function.name if isinstance(function, _Name) else type(function).__name__
        if name not in _CALLABLES or not isinstance(args, tuple):
            raise _Refused(f"calls {name}, which is not allowed")
        if name == "collections OrderedDict":
            result: dict = {}
            for pairs in args:  # Python 2 wrote the pairs here
                set_items(result, [v for key, value in pairs for v in (key, value)])
            return result
        if name == "torch Size":
            return tuple(args[0])
        if name == "torch._utils _rebuild_parameter":
            return args[0]
        return rebuild(*args[:4])

    for opcode, arg, _ in pickletools.genops(stream):
        op = opcode.name
        if op in _LITERALS:
            stack.append(arg)
        elif op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in ("GLOBAL", "STACK_GLOBAL"):
            if op == "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                arg = f"{module} {name}" if type(module) is type(name) is str else "an odd name"
            stack.append(_permitted(arg))
        elif op == "MARK":
            stack.append(_MARK)
        elif op == "EMPTY_DICT":
            stack.append({})
        elif op == "EMPTY_LIST":
            stack.append([])
        elif op == "TUPLE":
            stack.append(tuple(since_mark()))
        elif op in ("TUPLE1", "TUPLE2", "TUPLE3"):
            n = int(op[-1])
            stack[-n:] = [tuple(stack[-n:])]
        elif op in ("SETITEM", "SETITEMS"):
            items = since_mark() if op == "SETITEMS" else [stack.pop(-2), stack.pop()]
            set_items(stack[-1], items)
        elif op in ("APPEND", "APPENDS"):
            items = since_mark() if op == "APPENDS" else [stack.pop()]
            extend(stack[-1], items)
        elif op in ("BINPUT", "LONG_BINPUT"):
            memo[arg] = stack[-1]
        elif op == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif op in ("BINGET", "LONG_BINGET"):
            stack.append(memo[arg])
        elif op == "BINPERSID":
            stack.append(storage(_storage_id(stack.pop())))
        elif op == "REDUCE":
            args = stack.pop()
            stack.append(call(stack.pop(), args))
        elif op == "BUILD":  # a state dict's `_metadata` (versions of modules): not weights
            stack.pop()
            if not isinstance(stack[-1], dict):
                raise _Refused("sets the state of something that is not an OrderedDict")
        elif op == "STOP":
            return stack.pop()
        elif op not in ("PROTO", "FRAME"):
            raise _Refused(f"uses the pickle instruction {op}, which weights do not need")
    raise _Refused("ends within its pickle; the file is truncated")


def _permitted(name: str) -> Any:
    """ "module name" -> its value on the stack; anything but torch's own few names is refused."""
    if name in _DTYPES:
        return np.dtype(_DTYPES[name])
    if name in _STORAGES or name in _CALLABLES:
        return _Name(name)
    shown = ".".join(name.split(" "))[:80]
    raise _Refused(
        f"names {shown!r}, which is not needed for weights and may be an attack; nothing was run. "
        f"If you trust its origin, {_RESAVE}"
    )
