"""PyTorch weight files (`.pth`, `.pt`) as dicts of NumPy arrays, without torch.

Both layouts of `torch.save` are read: the zip archive of torch ≥ 1.6 and the older stream of
pickles followed by raw storages. Source: torch/serialization.py (`_load`, `_legacy_load`) and
torch/_utils.py (`_rebuild_tensor_v2`) of PyTorch 2.13. No pickle is run that could do anything but
describe tensors (torch_pickle.py).
"""

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from jaxsent.errors import UserError
from jaxsent.pretrained.torch_pickle import RESAVE, Refused, StorageId, evaluate

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DAMAGE = (
    *(ValueError, TypeError, LookupError, OverflowError, NotImplementedError, struct.error),
    zipfile.BadZipFile,
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
            raise Refused(f"holds a {type(tree).__name__}, expected a dict of tensors; {RESAVE}")
    except Refused as e:
        raise UserError(f"{path}: {e}.") from None
    except _DAMAGE as e:
        reason = " ".join(str(e).split())[:200]
        raise UserError(
            f"{path}: not a PyTorch weight file, or a damaged one ({reason}); {RESAVE}."
        ) from e
    return tree


def _read_zip(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {info.filename: info for info in archive.infolist()}
    if sum(info.file_size for info in records.values()) > len(data):
        raise Refused("has records that overlap, or end beyond it; the file is damaged")
    pickles = [n for n in records if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(pickles) != 1:
        raise Refused(
            f"expected one NAME/data.pkl in the archive, found {len(pickles)}; "
            "TorchScript and other archives are not weight files"
        )
    root = pickles[0].removesuffix("data.pkl")
    if root + "constants.pkl" in records:
        raise Refused(f"is a TorchScript archive, expected weights; {RESAVE}")
    swap = False
    if root + "byteorder" in records:
        order = bytes(_record(data, records[root + "byteorder"]))
        if order not in (b"little", b"big"):
            raise Refused(f"expected byteorder little or big, found {order[:16]!r}")
        swap = order == b"big"
    arrays: dict[str, np.ndarray] = {}

    def storage(id_: StorageId) -> np.ndarray:
        if id_.key not in arrays:
            name = f"{root}data/{id_.key}"
            if name not in records:
                raise Refused(f"record {name} is missing; the file is damaged")
            raw = _record(data, records[name])
            if len(raw) != id_.length * id_.dtype.itemsize:
                raise Refused(
                    f"record {name} should hold {id_.length} {id_.dtype} values, found "
                    f"{len(raw)} bytes; the file is damaged"
                )
            arrays[id_.key] = _array(raw, id_.dtype, swap)
        return _same_dtype(arrays[id_.key], id_)

    return evaluate(io.BytesIO(_record(data, records[pickles[0]])), storage, _rebuild)


def _record(data: bytes, info: zipfile.ZipInfo) -> memoryview:
    """The bytes of one archive record, in place.

    torch stores records uncompressed, so a record can never be larger than the file.
    """
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise Refused(f"record {info.filename} is compressed, which torch.save never does")
    if info.flag_bits & 1:
        raise Refused(f"record {info.filename} is encrypted")
    start = info.header_offset
    signature, name_length, extra_length = struct.unpack_from("<4s22xHH", data, start)
    start += 30 + name_length + extra_length
    raw = memoryview(data)[start : start + info.file_size]
    if signature != b"PK\x03\x04" or len(raw) != info.file_size:
        raise Refused(
            f"record {info.filename} should hold {info.file_size} bytes, found {len(raw)}; "
            "the file is damaged"
        )
    if zlib.crc32(raw) != info.CRC:
        raise Refused(
            f"record {info.filename} fails its checksum; the file is damaged, or was saved under "
            "torch.serialization.set_crc32_options(False)"
        )
    return raw


def _read_legacy(data: bytes) -> Any:
    stream = io.BytesIO(data)

    def no_storage(_):
        raise Refused("has a storage where none belongs; the file is damaged")

    def header():
        return evaluate(stream, no_storage, _rebuild)

    if not data.startswith(b"\x80") or header() != _LEGACY_MAGIC:
        raise Refused("not a PyTorch weight file: expected a zip archive or torch's magic number")
    if header() != _LEGACY_PROTOCOL:
        raise Refused(f"expected protocol version {_LEGACY_PROTOCOL}")
    header()  # sys_info: storages are little-endian on every machine (torch's writeFileRaw)

    # The storages come last, and only the pickle says how wide their elements are: run it once
    # for the ids, then again with the arrays.
    ids: dict[str, StorageId] = {}
    start = stream.tell()
    evaluate(stream, lambda id_: ids.setdefault(id_.key, id_), lambda *_: None)
    keys = header()
    texts = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not texts or set(keys) != set(ids) or len(keys) != len(ids):
        raise Refused("its list of storages does not match its tensors; the file is damaged")
    position = stream.tell()
    arrays = {}
    for key in keys:
        _, dtype, length = ids[key]
        announced = struct.unpack_from("<q", data, position)[0]
        position += 8
        raw = memoryview(data)[position : position + length * dtype.itemsize]
        if announced != length or len(raw) != length * dtype.itemsize:
            raise Refused(
                f"storage {key[:40]} should hold {length} {dtype} values, found "
                f"{announced} announced and {len(raw)} bytes; the file is truncated or damaged"
            )
        arrays[key] = _array(raw, dtype, swap=False)
        position += len(raw)
    stream.seek(start)
    return evaluate(stream, lambda id_: _same_dtype(arrays[id_.key], id_), _rebuild)


def _array(raw: memoryview, dtype: np.dtype, swap: bool) -> np.ndarray:
    """Bytes -> (n,) read-only array; `swap` turns big-endian values round."""
    if swap:
        width = dtype.itemsize // (2 if dtype.kind == "c" else 1)
        return np.frombuffer(raw, f"u{width}").byteswap().view(dtype)
    return np.frombuffer(raw, dtype)


def _same_dtype(array: np.ndarray, id_: StorageId) -> np.ndarray:
    if array.dtype != id_.dtype or array.size != id_.length:
        raise Refused(f"storage {id_.key[:40]} is declared twice, differently")
    return array


def _rebuild(storage: Any, offset: Any, size: Any, stride: Any) -> np.ndarray:
    """(n,) storage -> the tensor of `size` over it; offset and strides count elements."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1:
        raise Refused("has a tensor without a storage; the file is damaged")
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)):
        raise Refused("has a tensor whose size and stride do not match; the file is damaged")
    if len(size) > 32 or not all(type(v) is int and v >= 0 for v in (offset, *size, *stride)):
        raise Refused("has a tensor with an impossible offset, size or stride")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    # More elements than the storage has would be a view that repeats itself: bytes on disk that
    # become any number of gigabytes once somebody copies the array.
    if 0 not in size and (last >= storage.size or math.prod(size) > storage.size):
        raise Refused(
            f"has a tensor of size {size} at offset {offset} with strides {stride} that does not "
            f"fit its storage of {storage.size} values"
        )
    if 0 in size:
        return np.empty(size, storage.dtype)
    strides = [s * storage.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)
