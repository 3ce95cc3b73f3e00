"""State dicts on disk: .safetensors, .pth and .pt, Keras's .h5."""

import json
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from jaxsent.errors import UserError
from jaxsent.pretrained import torch_file
from jaxsent.pretrained.names import canonical, from_keras

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".h5")
DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip


def read(path: Path) -> Mapping:
    """A weights file -> {torchvision's name: array in torch's layout}.

    Raises:
      UserError: missing, of an unknown kind, damaged, or asking for code to be run.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected weights ({', '.join(SUFFIXES)}).")
    if path.suffix == ".safetensors":
        return canonical(Safetensors(path))
    if path.suffix in (".pth", ".pt", ".bin"):
        from jaxsent.pretrained.convert import unwrap

        return canonical(unwrap(torch_file.read(path)))
    if path.suffix == ".h5":
        return read_keras(path)
    raise UserError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}.")


class Safetensors(Mapping):
    """A .safetensors file whose arrays are read one by one, when asked for.

    The library's own NumPy reader holds the whole file beside what is made of it; here the peak is
    one array above the result.

    Raises:
      UserError: the file is damaged.
    """

    def __init__(self, path: Path):
        self.path, size = path, path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, 100_000_000):
                raise UserError(f"{path}: no safetensors file, or cut short ({size:,} bytes).")
            try:
                self.header = json.loads(file.read(length))
            except ValueError:
                raise UserError(f"{path}: its safetensors header is damaged.") from None
        self.metadata = self.header.pop("__metadata__", {})
        self.start = 8 + length
        for name, entry in self.header.items():
            begin, end = entry["data_offsets"]
            itemsize = np.dtype(DTYPES.get(entry["dtype"], np.void)).itemsize
            expected_bytes = int(np.prod(entry["shape"], dtype=np.int64)) * itemsize
            if entry["dtype"] not in DTYPES or end - begin != expected_bytes:
                raise UserError(f"{path}: {name} has dtype {entry['dtype']} and a size that lies.")
            if not 0 <= begin <= end <= size - self.start:
                raise UserError(f"{path}: cut short: {name} ends beyond its {size:,} bytes.")

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


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Keras's VGG-16 weights, with and without top -> torchvision's names and layouts."""
    try:
        import h5py
    except ImportError:
        raise UserError(f"{path}: reading .h5 needs h5py: pip install h5py") from None
    state = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            layer = name.split("/")[0] if "/" in name else name
            leaf = name.rpartition("/")[2]
            kind = "kernel" if "kernel" in leaf or "_W" in leaf else "bias"
            torch_name, array = from_keras(layer, kind, item[()])
            state[torch_name] = array

    try:
        with h5py.File(path) as file:
            file.get("model_weights", file).visititems(visit)
    except KeyError as error:
        raise UserError(
            f"{path}: layer {error} is none of VGG-16's; no other .h5 is read."
        ) from None
    except OSError as error:
        raise UserError(f"{path}: no HDF5 file, or cut short ({error}).") from None
    return state
