"""Files that are damaged, of others, or not of one piece are refused in one line."""

import json
import struct
import sys
import zipfile

import jax
import numpy as np
import pytest
from safetensors import safe_open

from jaxsent.errors import UserError
from jaxsent.export import onnx_file, stablehlo_file, weights_file
from jaxsent.prediction import engines
from jaxsent.prediction.predictor import SHIPPED
from jaxsent.run import digests
from jaxsent.run.card import card_of
from tests.prediction.networks import described, random_variables


@pytest.fixture
def exported(tiny_config, tmp_path):
    """One file of each format that carries its labels."""
    metadata = described(tiny_config, "wsidnet", "tiny")
    variables = random_variables(metadata)
    writers = {"jaxexport": stablehlo_file.write, "onnx": onnx_file.write,
               "safetensors": weights_file.write_safetensors}  # fmt: skip
    for suffix, write in writers.items():
        write(tmp_path / f"model.{suffix}", variables, metadata)
    return tmp_path


@pytest.mark.parametrize("suffix", ["jaxexport", "onnx", "safetensors"])
def test_damaged_files_are_refused_in_one_line(suffix, exported):
    path = exported / f"model.{suffix}"
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:40], whole[: len(whole) // 2], whole[:-60],
                    b"\x80\x04" + whole[2:]):  # fmt: skip
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=f"model.{suffix}") as refused:
            engines.start(path)
        assert "\n" not in str(refused.value)


def rezipped(path, **replaced):
    """The .jaxexport again, with other members."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, replaced.get(name.partition(".")[0], data))


def test_an_export_whose_parts_are_of_others(exported):
    path = exported / "model.jaxexport"
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        metadata = json.loads(file.read("card.json"))

    def refused(match, **parts):
        path.write_bytes(whole)
        rezipped(path, **parts)
        with pytest.raises(UserError, match=match):
            engines.start(path)

    refused("its program is damaged", model=b"\x10\0\0\0" * 50)
    refused("found none; it is not a file that `jaxsent export` wrote", card=b"")
    refused("the metadata in it is damaged", card=b"{")
    refused("the metadata in it is damaged", card=b"[]")
    refused("what it says of its model is damaged", card=b"{}")
    fewer = metadata | {"labels": metadata["labels"] | {"classes": ["joy", "fear"]}}
    refused("class_probabilities", card=json.dumps(fewer))
    huge = metadata | {"eval": {"resize": 10**9}}
    refused("no network sees images of", card=json.dumps(huge))
    text = metadata | {"labels": {"classes": "joy", "emotions": []}}
    refused("names 'joy'", card=json.dumps(text))
    refused("its weights are not those of its program", weights=struct.pack("<Q", 2) + b"{}")
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    with pytest.raises(UserError, match="is compressed"):
        engines.start(path)


def test_a_program_that_calls_out_is_not_run(exported):
    """StableHLO itself only computes; a custom call may do whatever is registered."""
    path = exported / "model.jaxexport"
    with zipfile.ZipFile(path) as file:
        program = jax.export.deserialize(bytearray(file.read("model.stablehlo")))

    def calls(variables, images):
        out = program.call(variables, images)
        anything = jax.ffi.ffi_call("anything", jax.ShapeDtypeStruct((), np.float32))
        return out | {"class_probabilities": out["class_probabilities"] + anything()}

    (variables, pixels), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
    checks = [jax.export.DisabledSafetyCheck.custom_call("anything")]
    bad = jax.export.export(jax.jit(calls), disabled_checks=checks)(variables, pixels)
    rezipped(path, model=bytes(bad.serialize()))
    with pytest.raises(UserError, match="calls functions outside StableHLO"):
        engines.start(path)


def test_onnx_of_others(exported):
    """A file without our metadata, and one that names a file to be read beside it."""
    import onnx

    model = onnx.load(exported / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, exported / "plain.onnx")
    with pytest.raises(UserError, match=r"plain.onnx: expected labels .* found none"):
        engines.start(exported / "plain.onnx")
    model = onnx.load(exported / "model.onnx")
    onnx.save(model, exported / "outside.onnx", save_as_external_data=True, location="secret",
              size_threshold=0)  # fmt: skip
    with pytest.raises(UserError, match=r"outside.onnx: damaged, or no ONNX file"):
        engines.start(exported / "outside.onnx")


def test_safetensors_of_others(exported):
    from safetensors.numpy import load_file, save_file

    state = load_file(exported / "model.safetensors")
    save_file(state, exported / "plain.safetensors")
    with pytest.raises(UserError, match="it is not a file that `jaxsent export` wrote"):
        engines.start(exported / "plain.safetensors")


def test_a_network_without_classes_is_no_predictor(tiny_config, tmp_path):
    metadata = described(tiny_config, "fcnel", "tiny")
    with pytest.raises(UserError, match="model.name=fcnel predicts maps and no classes"):
        engines._jax_engine(metadata, card_of(metadata, tmp_path), {})


def test_without_the_onnx_extra(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"needs onnxruntime: pip install 'jaxsent\[onnx\]'"):
        engines.start(exported / "model.onnx")
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(UserError, match=r"needs jax2onnx: pip install 'jaxsent\[onnx\]'"):
        onnx_file._converted(lambda images: {"x": images}, 8)


def test_an_export_that_onnxruntime_computes_otherwise_is_not_written(
    tiny_config, tmp_path, monkeypatch
):
    metadata = described(tiny_config, "wsidnet", "tiny")
    monkeypatch.setattr(onnx_file, "TOLERANCE", 1e-12)
    with pytest.raises(UserError, match=r"No \.onnx is written: onnxruntime's .* would differ"):
        onnx_file.write(tmp_path / "model.onnx", random_variables(metadata), metadata)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["jaxexport", "onnx", "safetensors"])
def test_no_wrong_bit_is_answered_with(suffix, exported):
    """Whichever it is, the file is refused, or the bit is none that an answer hangs on."""
    path = exported / f"model.{suffix}"
    whole = path.read_bytes()
    images = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3), np.uint8)
    expected = engines.start(path).network(images)["class_probabilities"]
    rng, refused = np.random.default_rng(0), 0
    for at in rng.integers(0, len(whole), 20):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            answered = engines.start(path).network(images)["class_probabilities"]
        except UserError:
            refused += 1
            continue
        np.testing.assert_array_equal(answered, expected)
    assert refused >= 15


def test_the_model_that_ships_is_sealed():
    path = SHIPPED
    data = bytearray(path.read_bytes())
    with safe_open(path, "np") as file:
        seal = file.metadata()[digests.SEAL]
    digests.check_seal(bytes(data), seal, path)
    data[-5] ^= 1
    with pytest.raises(UserError, match="damaged, it is not as it was written"):
        digests.check_seal(bytes(data), seal, path)
