"""The pickle inside a PyTorch weight file, run without Python's own unpickler.

A pickle is a program, so Python's unpickler never sees the file. `evaluate` runs the few opcodes
that weights need and knows a fixed list of names, none of which calls anything given by the file;
every other name is refused. A memo makes a few bytes name a thing many times over, which costs
nothing while it is named only: nothing here looks into what is nested, or copies it again and
again. Source: torch/_utils.py and torch/serialization.py of PyTorch 2.13.
"""

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

RESAVE = "save it again with torch.save(model.state_dict(), path)"

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
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
}
_MARK = object()
_MOST = 1_000_000
"""Instructions of one pickle, and items that it copies: each takes about 64 bytes. ResNet-101 needs
30,000 of the first and none of the second."""


class Refused(Exception):
    """Why a file is not read; `torch_file.read` puts its path in front."""


@dataclass(frozen=True)
class Name:
    """A permitted "module name" of the pickle, as a value on its stack."""

    name: str


class StorageId(NamedTuple):
    """A storage that the pickle speaks of: its name in the file, and what it holds."""

    key: str
    dtype: np.dtype
    length: int  # elements


def evaluate(stream: io.BytesIO, storage: Callable, rebuild: Callable) -> Any:
    """Run one pickle of `stream`, from its position to just after its STOP.

    Args:
      stream: where the pickle starts.
      storage: StorageId -> what stands for the storage.
      rebuild: (storage, offset, size, stride) -> what stands for the tensor.

    Raises:
      Refused: it does anything that weights do not need, or is cut short.
    """
    stack: list = []
    memo: dict[int, Any] = {}
    copied = 0

    def since_mark() -> list:
        items = []
        while (value := stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def set_items(target: Any, items: list) -> None:
        if not isinstance(target, dict):
            raise Refused("assigns items to something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # A deeply nested tuple as a key would overflow the C stack when hashed.
            if not isinstance(key, str | int):
                raise Refused("has a dict whose keys are neither text nor whole numbers")
            target[key] = value

    def extend(target: Any, items: list) -> None:
        if not isinstance(target, list):
            raise Refused("appends to something that is not a list")
        target.extend(items)

    def count(items: Any) -> None:
        nonlocal copied
        if not isinstance(items, list | tuple):
            raise Refused("makes a dict, or a torch.Size, of something that is no list")
        copied += len(items)
        if copied > _MOST:
            raise Refused("repeats a list again and again, which weights do not need")

    def call(function: Any, args: Any) -> Any:
        name = function.name if isinstance(function, Name) else type(function).__name__
        if name not in _CALLABLES or not isinstance(args, tuple):
            raise Refused(f"calls {name}, which is not allowed")
        if name == "collections OrderedDict":
            result: dict = {}
            for pairs in args:  # Python 2 wrote the pairs here
                count(pairs)
                set_items(result, [v for key, value in pairs for v in (key, value)])
            return result
        if name == "torch Size":
            count(args[0])
            if not all(type(v) is int for v in args[0]):
                raise Refused("has a torch.Size of something else than whole numbers")
            return tuple(args[0])
        if name == "torch._utils _rebuild_parameter":
            return args[0]
        return rebuild(*args[:4])

    for number, (opcode, arg, _) in enumerate(pickletools.genops(stream)):
        op = opcode.name
        if number >= _MOST:
            raise Refused(f"has a pickle of more than {_MOST:,} instructions")
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
                raise Refused("sets the state of something that is not an OrderedDict")
        elif op == "STOP":
            return stack.pop()
        elif op not in ("PROTO", "FRAME"):
            raise Refused(f"uses the pickle instruction {op}, which weights do not need")
    raise Refused("ends within its pickle; the file is truncated")


def _permitted(name: str) -> Any:
    """ "module name" -> its value on the stack; anything but torch's own few names is refused."""
    if name in _DTYPES:
        return np.dtype(_DTYPES[name])
    if name in _STORAGES or name in _CALLABLES:
        return Name(name)
    shown = ".".join(name.split(" "))[:80]
    raise Refused(
        f"names {shown!r}, which is not needed for weights and may be an attack; nothing was run. "
        f"If you trust its origin, {RESAVE}"
    )


def _storage_id(pid: Any) -> StorageId:
    """torch's persistent id ("storage", type, key, device, elements[, view])."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
        raise Refused("has a persistent id that is not a storage's")
    kind, key, _, length = pid[1:5]
    if not isinstance(kind, Name) or kind.name not in _STORAGES:
        raise Refused("has a storage of an unknown type")
    if not isinstance(key, str) or type(length) is not int or length < 0:
        raise Refused("has a storage with an impossible name or length")
    if len(pid) == 6 and pid[5] is not None:
        raise Refused(f"has views of storages, as written before torch 0.4; {RESAVE}")
    return StorageId(key, np.dtype(_STORAGES[kind.name]), length)
