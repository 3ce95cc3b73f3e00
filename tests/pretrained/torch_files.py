"""Writes files as torch does, without torch: any pickle, in both layouts."""

import io
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np

ORDERED = ("collections", "OrderedDict")
STORAGES = {
    np.dtype(np.float32): "FloatStorage",
    np.dtype(np.float64): "DoubleStorage",
    np.dtype(np.float16): "HalfStorage",
    np.dtype(ml_dtypes.bfloat16): "BFloat16Storage",
    np.dtype(np.int64): "LongStorage",
    np.dtype(np.bool_): "BoolStorage",
    np.dtype(np.complex64): "ComplexFloatStorage",
}


class Named:
    """Pickles as the bare name `module.name`."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickles as the call of a Named with arguments."""

    def __init__(self, function, *args, state=None):
        self.function, self.args, self.state = function, args, state


class Storage:
    """Pickles as a persistent id; `length` may lie."""

    def __init__(self, array, key, length=None):
        self.array, self.key = array, key
        self.length = array.size if length is None else length


class Pickler(pickle._Pickler):
    """Writes names that do not exist here."""

    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            kind = Named("torch", STORAGES[obj.array.dtype])
            return ("storage", kind, obj.key, "cpu", obj.length)
        return None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(obj.args)
            self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
        else:
            super().save(obj, save_persistent_id)


def pickled(obj, protocol=2):
    stream = io.BytesIO()
    Pickler(stream, protocol).dump(obj)
    return stream.getvalue()


def tensor(array, key="0", offset=0, size=None, stride=None, length=None):
    size = array.shape if size is None else size
    stride = tuple(s // array.itemsize for s in array.strides) if stride is None else stride
    hooks = Call(Named("collections", "OrderedDict"))
    rebuild = Named("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, Storage(array, key, length), offset, size, stride, False, hooks)


def write_zip(path, tree, records, order=b"little", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", tree if isinstance(tree, bytes) else pickled(tree))
        archive.writestr("archive/byteorder", order)
        for key, array in records.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return path


def write_legacy(path, tree, records):
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, tree, list(records)]
    parts = [p if isinstance(p, bytes) else pickled(p) for p in head]
    for array in records.values():
        parts += [struct.pack("<q", array.size), array.tobytes()]
    path.write_bytes(b"".join(parts))
    return path
