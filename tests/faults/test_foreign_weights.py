"""Weights of strangers: they name no other file, and ask for no more memory than they bring."""

import json
import pickle
import tracemalloc

import h5py
import jax
import numpy as np
import pytest

from jaxsent import models, pretrained
from jaxsent.errors import UserError
from jaxsent.pretrained import torch_file, torch_pickle
from tests.pretrained.torch_files import ORDERED, tensor, write_legacy, write_zip

LARGE = 50_000_000  # bytes


def refused(path, match, read=lambda path: dict(pretrained.state_dict(path))):
    """A UserError of one line, before memory is asked for."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=match) as error:
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = str(error.value)
    assert str(path) in text
    assert text.isprintable() and len(text) < 1000
    assert peak < LARGE


def convolution(path, **options):
    """An .h5 with VGG-16's first layer: its bias, and a kernel created as `options` say."""
    with h5py.File(path, "w") as file:
        layer = file.create_group("block1_conv1")
        layer.create_dataset("bias:0", data=np.ones(64, "f4"))
        layer.create_dataset("kernel:0", **options)
    return path


def test_an_h5_whose_numbers_are_in_another_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"ours" * 1728)
    external = [(str(secret), 0, h5py.h5f.UNLIMITED)]
    path = convolution(tmp_path / "w.h5", shape=(3, 3, 3, 64), dtype="f4", external=external)
    refused(path, "outside it")


def test_an_h5_put_together_from_others(tmp_path):
    other = convolution(tmp_path / "other.h5", data=np.ones((3, 3, 3, 64), "f4"))
    path = convolution(tmp_path / "w.h5", data=np.ones((3, 3, 3, 64), "f4"))
    with h5py.File(path, "a") as file:
        del file["block1_conv1/kernel:0"]
        layout = h5py.VirtualLayout((3, 3, 3, 64), "f4")
        layout[:] = h5py.VirtualSource(other, "block1_conv1/kernel:0", (3, 3, 3, 64))
        file.create_virtual_dataset("block1_conv1/kernel:0", layout)
    refused(path, "outside it")


@pytest.mark.parametrize("place", ["model_weights", "block1_conv1"])
@pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/elsewhere")])
def test_an_h5_that_leads_elsewhere(tmp_path, place, link):
    convolution(tmp_path / "other.h5", data=np.ones((3, 3, 3, 64), "f4"))
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file[place] = link
    refused(path, "leads elsewhere")


def test_a_small_h5_of_a_gigabyte(tmp_path):
    path = convolution(tmp_path / "w.h5", shape=(3, 3, 30_000, 1000), dtype="f4")
    assert path.stat().st_size < 10_000
    refused(path, "a size that lies")
    path = convolution(tmp_path / "v.h5", shape=(3, 3, 3, 300_000), dtype="f4", compression="gzip")
    refused(path, "outside it, or compressed")


def test_an_h5_of_other_things_than_numbers(tmp_path):
    path = convolution(tmp_path / "w.h5", data=["a", "b"], dtype=h5py.string_dtype())
    refused(path, "expected numbers")
    path = convolution(tmp_path / "w.h5", dtype="f4", shape=None)
    refused(path, "expected numbers")
    path = convolution(tmp_path / "w.h5", data=np.ones(7, "f4"))
    refused(path, "block1_conv1")


def test_an_h5_of_groups_in_groups(tmp_path):
    """As deep as a name is long: HDF5 itself would go down by recursion."""
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.create_group("/".join(["block1_conv1"] * 50))
    refused(path, "groups")
    with h5py.File(path, "w") as file:
        file["block1_conv1"] = file["/"]  # a circle
    refused(path, "groups")


def safetensors(path, header, data=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "header",
    [
        [],
        7,
        {"a": 7},
        {"a": {}},
        {"a": ENTRY | {"dtype": ["F32"]}},
        {"a": ENTRY | {"shape": "22"}},
        {"a": ENTRY | {"shape": [-1, -2]}},
        {"a": ENTRY | {"shape": [2.0]}},
        {"a": ENTRY | {"shape": [True, 2]}},
        {"a": ENTRY | {"shape": [2**63, 2]}},
        {"a": ENTRY | {"shape": [1] * 100 + [2]}},
        {"a": ENTRY | {"data_offsets": [0]}},
        {"a": ENTRY | {"data_offsets": ["0", "8"]}},
        {"a": ENTRY | {"data_offsets": [-8, 0]}},
        {"a": ENTRY | {"data_offsets": None}},
        {"a": ENTRY, "__metadata__": 7},
        {"line\nbreak" * 9999: ENTRY | {"shape": [3]}},
        b"[" * 100_000,
        b"{" + b" " * 20_000_000,
        b"\xff\xfe{",
    ],
)
def test_headers_of_safetensors_that_make_no_sense(tmp_path, header):
    refused(safetensors(tmp_path / "w.safetensors", header), "safetensors")


def test_one_megabyte_under_many_names(tmp_path):
    data = bytes(1_000_000)
    entry = {"dtype": "F32", "shape": [250_000], "data_offsets": [0, len(data)]}
    path = safetensors(tmp_path / "w.safetensors", {f"a{i}": entry for i in range(99)}, data)
    refused(path, "safetensors")


def test_names_and_arrays_of_no_network(tmp_path):
    """What the header allows and a network then trips over."""
    model = models.build("vgg16", 1000)
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32))

    def load(header):
        path = safetensors(tmp_path / "w.safetensors", header)
        with pytest.raises(UserError, match="do not fit") as error:
            pretrained.load(path, model, shapes)
        assert str(error.value).isprintable() and len(str(error.value)) < 2000

    load({"line\nbreak" * 9999: ENTRY})
    load({"classifier.6.bias": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]}})
    none = {"dtype": "F32", "data_offsets": [0, 0]}
    load({"classifier.0.weight": none | {"shape": [0, 25088]}})
    load({"classifier.0.weight": none | {"shape": [0, 512, 7, 7]}})
    load({"classifier.3.weight": ENTRY | {"shape": [1, 1, 1, 2]}})
    lite = {"conv_stem.weight": none | {"shape": [0]}}
    lite |= {f"blocks.{n}.0.conv_dw.weight": none | {"shape": [0]} for n in ("0", 5000 * "9")}
    load(lite)


def text_sizes(copies):
    """A text, once, and `copies` of its letters."""
    size = pickle.GLOBAL + b"torch\nSize\n"
    text = pickle.BINUNICODE + (100_000).to_bytes(4, "little") + 100_000 * b"x" + b"q\x00"
    return b"\x80\x02}(" + text + b"K\x01K\x01](" + copies * (size + b"h\x00\x85R") + b"eu."


def nested_tuples(depth):
    """A tuple of two of the same, `depth` times, as a weight: an array would have 2**depth."""
    twice = b"".join(b"q%ch%c\x86" % (i, i) for i in range(depth))
    return b"\x80\x02}(X\x01\x00\x00\x00aK\x01" + twice + b"u."


def pairs(copies):
    """One long list of pairs, made a dict again and again."""
    many = pickle.EMPTY_LIST + pickle.MARK + 2_000 * b"K\x01K\x02\x86" + b"eq\x00"
    ordered = pickle.GLOBAL + "\n".join([*ORDERED, ""]).encode() + b"h\x00\x85R"
    return b"\x80\x02}(K\x01](" + many + copies * ordered + b"eu."


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize(
    ("code", "match"),
    [
        (text_sizes(300), "torch.Size"),
        (nested_tuples(22), "tuple"),
        (pairs(500), "repeats"),
        (b"\x80\x02}(" + b"K\x01" + b"}" * 30_000 + b"u.", "instructions"),
        (b"\x80\x02}(K\x01\x8b\x10\x00\x00\x00" + b"\x7f" * 16 + b"u.", "LONG4"),
    ],
)
def test_small_pickles_that_unfold(tmp_path, write, code, match, monkeypatch):
    monkeypatch.setattr(torch_pickle, "_MOST", 10_000)
    refused(write(tmp_path / "w.pth", code, {}), match)


def test_a_list_of_storages_that_takes_for_ever_to_compare(tmp_path):
    keys = b"\x80\x02](" + b"K\x01" + nested_tuples(40).partition(b"aK\x01")[2][:-2] + b"e."
    head = [0x1950A86A20F9469CFC6C, 1001, {}, {}]
    path = tmp_path / "w.pth"
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in head) + keys)
    refused(path, "list of storages")


def test_weights_that_are_none(tmp_path):
    array = np.ones(2, "f4")
    for odd in ({"a": None}, {"a": "text"}, {"a": [tensor(array)]}, {7: tensor(array)}):
        refused(write_zip(tmp_path / "w.pth", odd, {"0": array}), "expected tensors by name")
    array = np.ones(2, "c8")
    path = write_zip(tmp_path / "w.pth", {"a": tensor(array)}, {"0": array})
    refused(path, "complex")


def test_records_that_share_their_bytes(tmp_path):
    """Of another byte order, each becomes an array of its own."""
    array = np.ones(250_000, "f4")
    tree = {str(i): tensor(array, key=str(i)) for i in range(99)}
    path = write_zip(tmp_path / "w.pth", tree, {"0": array}, order=b"big")
    whole = path.read_bytes()
    end = len(whole) - 22
    begin = int.from_bytes(whole[end + 16 : end + 20], "little")
    entries, record = whole[begin:end], whole.rindex(b"PK\x01\x02")
    entry, name = whole[record:end], b"archive/data/"
    assert entry.count(name + b"0") == 1
    more = b"".join(
        entry.replace(name + b"0", name + str(i).encode()).replace(
            b"\x0e\x00\x00\x00\x00\x00", bytes([len(name) + len(str(i))]) + bytes(5), 1
        )
        for i in range(1, 99)
    )
    count = (3 + 98).to_bytes(2, "little")
    size = (len(entries) + len(more)).to_bytes(4, "little")
    tail = b"PK\x05\x06" + bytes(4) + count + count + size + begin.to_bytes(4, "little") + bytes(2)
    path.write_bytes(whole[:end] + more + tail)
    refused(path, "overlap", torch_file.read)


def test_one_storage_under_every_name_of_a_network(tmp_path):
    """Views cost nothing; a copy of each, before anyone looks at its shape, would."""
    model = models.build("resnet18", 1000)
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32))
    modules = model.torch_names().values()
    array = np.ones(1_000_000, bool)
    tree = {f"{name}.weight": tensor(array) for name in modules}
    path = write_zip(tmp_path / "w.pth", tree, {"0": array})

    def load(path):
        try:
            pretrained.load(path, model, shapes)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    refused(path, "of another shape", load)


@pytest.mark.parametrize(
    "config",
    [
        b"{",
        b"[]",
        b"7",
        b"[" * 100_000,
        b"\xff",
        b'{"pretrained_cfg": 7}',
        b'{"pretrained_cfg": {"mean": 7, "std": [1, 1, 1]}}',
        b'{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}}',
        b'{"pretrained_cfg": {"mean": ["a", "b", "c"], "std": [1, 1, 1]}}',
        b'{"pretrained_cfg": {"mean": [0.5, 0.5], "std": [1, 1, 1]}}',
        b'{"pretrained_cfg": {"mean": [NaN, 1, 1], "std": [1, 1, 1]}}',
        b'{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0, 0, 0]}}',
        b'{"pretrained_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "input_size": 5}}',
        b'{"pretrained_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "input_size": [3, 1, 1e99]}}',
        b'{"input": {"mean": [1, 1, 1], "colour": 7}}',
        b'{"input": {"std": null}}',
        b'{"input": {"interpolation": []}}',
        b'{"input": 7}',
    ],
)
def test_a_config_beside_weights_that_makes_no_sense(tmp_path, config):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_bytes(config)
    refused(
        tmp_path / "config.json",
        "preprocessing",
        lambda _: pretrained.preprocessing(tmp_path / "model.safetensors", "vgg16"),
    )
