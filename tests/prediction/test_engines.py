"""Every way to run a network says the same of the same images, and refuses what is none of ours."""

import json
import shutil
import struct
import sys
import zipfile

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

import jaxsent
from jaxsent.errors import UserError
from jaxsent.export import export, onnx_file, stablehlo_file, weights_file
from jaxsent.prediction import engines
from jaxsent.run.card import Card, card_of
from jaxsent.run.folder import network, step_of
from jaxsent.training import loop

SIZES = (1, 3, 32)
FAST = [
    ("wsidnet", "tiny", {"readout": "mean"}),
    ("wsidnet", "tiny", {"readout": "flatten", "head": "mlp", "map_weights": "softmax"}),
    ("wsidnet", "tiny", {"readout": "max", "pooling": "avg", "map_mean": True}),
    ("wscnet", "tiny", {"dtype": "bfloat16"}),
    ("wscnet", "resnet18", {}),
    ("classifier", "tiny", {"holistic": "pool"}),
]
SLOW = [
    ("wsidnet", "efficientnet_lite0", {}),
    ("wsidnet", "vgg16", {}),
    ("wscnet", "vgg16", {"coupling": "local"}),
    ("wscnet", "resnet101", {}),
    ("wsidnet", "alexnet", {}),
    ("classifier", "efficientnet_lite2", {}),
]
DETECTION = {"detect_probabilities", "class_maps", "sentiment_map"}


def described(config, name, backbone, **options) -> dict:
    """What a run of this network would say of itself."""
    config.model.name, config.model.backbone = name, backbone
    config.model.update(options)
    return {
        "jaxsent": "0",
        "model": json.loads(config.model.to_json()),
        "input": {"mean": [120.0] * 3, "std": [60.0] * 3, "interpolation": "bilinear"},
        "labels": {
            "classes": list(jaxsent.emotions.MIKELS),
            "emotions": [] if name == "classifier" else list(jaxsent.emotions.MIKELS),
        },
        "data": {"name": "photographs", "image_size": 64},
        "eval": {"resize": 64},
    }


def random_variables(said) -> dict:
    """As after training: no mean of batch norm is 0, no bias either."""
    images = np.zeros((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(network(ConfigDict(said["model"])).init, jax.random.key(0), images)
    rng = np.random.default_rng(0)
    arrays = {}
    for path, leaf in flatten_dict(shapes).items():
        fan = max(int(np.prod(leaf.shape[:-1])), 1)
        drawn = rng.normal(0, (2 / fan) ** 0.5 if len(leaf.shape) > 1 else 0.1, leaf.shape)
        arrays[path] = (np.abs(drawn) + 0.5 if path[-1] in ("var", "scale") else drawn).astype("f4")
    return {"batch_stats": {}} | unflatten_dict(arrays)


def images(count) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "backbone", "options"),
    [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
)
def test_engines_agree(name, backbone, options, tiny_config, tmp_path):
    said = described(tiny_config, name, backbone, **options)
    variables = random_variables(said)
    step = jax.jit(step_of(said))
    exact = jax.jit(step_of(said | {"model": said["model"] | {"dtype": "float32"}}))
    stablehlo_file.write(tmp_path / "model.jaxexport", variables, said)
    onnx_file.write(tmp_path / "model.onnx", variables, said)
    weights_file.write_safetensors(tmp_path / "model.safetensors", variables, said)
    started = {path.suffix: engines.start(path) for path in tmp_path.iterdir()}
    assert {engine.card for engine in started.values()} == {card_of(said, "it")}
    for count in SIZES:
        expected = jax.device_get(step(variables, images(count)))
        assert expected.keys() - DETECTION == {"class_probabilities"}
        assert expected.keys() >= DETECTION or name == "classifier"
        for suffix in (".jaxexport", ".safetensors"):
            found = started[suffix].network(images(count))
            for key, array in expected.items():
                np.testing.assert_array_equal(found[key], array, f"{suffix} {key} of {count}")
        found = started[".onnx"].network(images(count))
        expected = jax.device_get(exact(variables, images(count)))
        errors = onnx_file.disagreement(found, expected)
        assert max(errors.values()) < 1e-4, errors
        np.testing.assert_allclose(
            found["class_probabilities"], expected["class_probabilities"], atol=1e-3
        )


def test_a_program_for_every_platform(tiny_config, tmp_path):
    """Its weights apart, plain StableHLO: nothing of ours, of a CPU, or of Python is called."""
    said = described(tiny_config, "wsidnet", "efficientnet_lite0")
    stablehlo_file.write(tmp_path / "model.jaxexport", random_variables(said), said)
    with zipfile.ZipFile(tmp_path / "model.jaxexport") as file:
        program = jax.export.deserialize(bytearray(file.read("model.stablehlo")))
        assert json.loads(file.read("card.json")) == said
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert str(program.in_avals[-1]) == "uint8[b,64,64,3]"
    assert "custom_call" not in program.mlir_module().replace("custom_call @shape_assertion", "")


@pytest.fixture
def run(tiny_config, tmp_path):
    loop.train(tiny_config, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_and_its_exports(run, tmp_path, capsys):
    """From photographs to predictions, whatever the format, and the faster engine of a folder."""
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (50, 60, 3), np.uint8) for _ in range(3)]
    expected = jaxsent.load(run)
    assert capsys.readouterr().err == ""
    for form in ("stablehlo", "onnx", "safetensors"):
        path = export(run, form)
        assert path.parent == run
        predictor = jaxsent.load(path)
        assert predictor.card == expected.card
        for said, wanted in zip(predictor(photos), expected(photos), strict=True):
            assert said.labels == wanted.labels
            assert said.class_maps.keys() == wanted.class_maps.keys()
            np.testing.assert_allclose(said.probabilities, wanted.probabilities, atol=1e-5)
            np.testing.assert_allclose(said.sentiment_map, wanted.sentiment_map, atol=1e-4)
    assert not list(run.glob("*.part"))
    said = jaxsent.load(run)(photos[0])
    np.testing.assert_allclose(said.probabilities, expected(photos[0]).probabilities, atol=1e-5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("JAX ") and " onnxruntime " in lines[0]
    assert lines[0].endswith(("1 at a time: JAX.", "1 at a time: onnxruntime."))
    for choice, name in (("jax", "JAX"), ("onnx", "onnxruntime"), ("auto", "the faster")):
        assert engines.start(run, choice).name == name
    with pytest.raises(UserError, match="--engine tpu: expected one of auto, jax, onnx"):
        engines.start(run, "tpu")
    with pytest.raises(UserError, match=r"JAX cannot run it; pass the run, or a \.jaxexport"):
        engines.start(run / "model.onnx", "jax")
    with pytest.raises(UserError, match=r"onnxruntime needs an \.onnx file; .* --format onnx"):
        engines.start(run / "model.jaxexport", "onnx")
    path = export(run, "torch")
    with pytest.raises(UserError, match=r"model.pth: expected a run's folder.*do not say which"):
        engines.start(path)
    shutil.rmtree(run / "checkpoints")
    assert engines.start(run).name == "the faster"  # of model.safetensors and model.onnx
    (run / "model.safetensors").unlink()
    assert engines.start(run).name == "onnxruntime"
    (run / "model.onnx").unlink()
    with pytest.raises(UserError, match="expected a run folder with checkpoints/"):
        engines.start(run)
    with pytest.raises(UserError, match="there is no such file or folder"):
        engines.start(tmp_path / "nowhere")


CARD = Card(("a", "b"), (), 8, 8, "bilinear")


def engine(name, seconds, clock, shift=0.0):
    def predict(images):
        clock[0] += seconds * len(images)
        return {"class_probabilities": np.full((len(images), 2), 0.5) + shift}

    return engines.Engine(name, CARD, predict)


def test_the_faster_engine_is_measured_for_each_batch_size(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(engines.time, "perf_counter", lambda: clock[0])
    quick = engines.faster(engine("JAX", 0.041, clock), engine("onnxruntime", 0.018, clock))
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    quick.network(pixels)
    before = clock[0]
    quick.network(pixels)
    assert clock[0] - before == pytest.approx(0.018)
    said = capsys.readouterr().err.strip()
    assert said == "JAX 41 ms, onnxruntime 18 ms a photograph, 1 at a time: onnxruntime."


def test_an_export_of_other_weights_is_not_used(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(engines.time, "perf_counter", lambda: clock[0])
    both = engines.faster(engine("JAX", 1.0, clock), engine("onnxruntime", 0.1, clock, shift=0.1))
    out = both.network(np.zeros((1, 8, 8, 3), np.uint8))
    assert out["class_probabilities"][0, 0] == 0.5
    assert "of other weights than those beside it, and not used" in capsys.readouterr().err


@pytest.fixture
def exported(tiny_config, tmp_path):
    """One file of each format that carries its labels."""
    said = described(tiny_config, "wsidnet", "tiny")
    variables = random_variables(said)
    writers = {"jaxexport": stablehlo_file.write, "onnx": onnx_file.write,
               "safetensors": weights_file.write_safetensors}  # fmt: skip
    for suffix, write in writers.items():
        write(tmp_path / f"model.{suffix}", variables, said)
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
        said = json.loads(file.read("card.json"))

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
    fewer = said | {"labels": said["labels"] | {"classes": ["joy", "fear"]}}
    refused("class_probabilities", card=json.dumps(fewer))
    huge = said | {"eval": {"resize": 10**9}}
    refused("no network sees images of", card=json.dumps(huge))
    text = said | {"labels": {"classes": "joy", "emotions": []}}
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

    (variables, seen), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
    checks = [jax.export.DisabledSafetyCheck.custom_call("anything")]
    bad = jax.export.export(jax.jit(calls), disabled_checks=checks)(variables, seen)
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
    said = described(tiny_config, "fcnel", "tiny")
    with pytest.raises(UserError, match="model.name=fcnel predicts maps and no classes"):
        engines._jax_engine(said, card_of(said, tmp_path), {})


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
    said = described(tiny_config, "wsidnet", "tiny")
    monkeypatch.setattr(onnx_file, "TOLERANCE", 1e-12)
    with pytest.raises(UserError, match=r"No \.onnx is written: onnxruntime's .* would differ"):
        onnx_file.write(tmp_path / "model.onnx", random_variables(said), said)
    assert not list(tmp_path.iterdir())


def test_streams_are_of_constant_memory():
    """10,000 photographs through a network that does nothing: no more than two batches are held."""
    import tracemalloc

    from jaxsent.prediction.predictor import Predictor

    photo = np.zeros((48, 64, 3), np.uint8)
    sizes = set()

    def network(images):
        sizes.add(len(images))
        return {"class_probabilities": np.full((len(images), 2), 0.5, np.float32)}

    predictor = Predictor(Card(("a", "b"), (), 32, 32, "bilinear"), network)
    tracemalloc.start()
    peaks = []
    for count, _ in enumerate(predictor.stream(photo.copy() for _ in range(10_000)), 1):  # noqa: B007
        if count in (1_000, 10_000):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
    tracemalloc.stop()
    assert (count, sizes) == (10_000, {32})
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 8 * 32 * photo.nbytes
