"""Every way to run a network says the same of the same images."""

import json
import shutil
import zipfile

import jax
import numpy as np
import pytest

import jaxsent
from jaxsent.errors import UserError
from jaxsent.export import export, onnx_file, stablehlo_file, weights_file
from jaxsent.models.settled import compiled
from jaxsent.prediction import engines
from jaxsent.run.card import Card, card_of
from jaxsent.run.folder import step_of
from tests.prediction.networks import described, random_variables

SIZES = (1, 3, 32)
FAST = [
    ("wsidnet", "tiny", {"readout": "mean"}),
    ("wsidnet", "tiny", {"readout": "flatten", "head": "mlp", "map_weights": "softmax"}),
    ("wsidnet", "tiny", {"readout": "max", "pooling": "avg", "map_mean": True}),
    ("wscnet", "tiny", {"dtype": "bfloat16"}),
    ("classifier", "tiny", {"holistic": "pool"}),
]
SLOW = [
    ("wscnet", "resnet18", {}),
    ("wsidnet", "efficientnet_lite0", {}),
    ("wsidnet", "vgg16", {}),
    ("wscnet", "vgg16", {"coupling": "local"}),
    ("wscnet", "resnet101", {}),
    ("wsidnet", "alexnet", {}),
    ("classifier", "efficientnet_lite2", {}),
]
DETECTION = {"detect_probabilities", "class_maps", "sentiment_map"}


def images(count) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 64, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "backbone", "options"),
    [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)],
)
def test_engines_agree(name, backbone, options, tiny_config, tmp_path):
    metadata = described(tiny_config, name, backbone, **options)
    variables = random_variables(metadata)
    step = compiled(step_of(metadata))
    exact = jax.jit(step_of(metadata | {"model": metadata["model"] | {"dtype": "float32"}}))
    stablehlo_file.write(tmp_path / "model.jaxexport", variables, metadata)
    onnx_file.write(tmp_path / "model.onnx", variables, metadata)
    weights_file.write_safetensors(tmp_path / "model.safetensors", variables, metadata)
    started = {path.suffix: engines.start(path) for path in tmp_path.iterdir()}
    assert {engine.card for engine in started.values()} == {card_of(metadata, "it")}
    for count in SIZES:
        expected = jax.device_get(step(variables, images(count)))
        assert expected.keys() - DETECTION == {"class_probabilities"}
        assert expected.keys() >= DETECTION or name == "classifier"
        for suffix in (".jaxexport", ".safetensors"):
            outputs = started[suffix].network(images(count))
            for key, array in expected.items():
                np.testing.assert_array_equal(outputs[key], array, f"{suffix} {key} of {count}")
        outputs = started[".onnx"].network(images(count))
        expected = jax.device_get(exact(variables, images(count)))
        errors = onnx_file.disagreement(outputs, expected)
        assert max(errors.values()) < 1e-4, errors
        np.testing.assert_allclose(
            outputs["class_probabilities"], expected["class_probabilities"], atol=1e-3
        )


def test_a_program_for_every_platform(tiny_config, tmp_path):
    """Its weights apart, plain StableHLO: nothing of ours, of a CPU, or of Python is called."""
    metadata = described(tiny_config, "wsidnet", "efficientnet_lite0")
    stablehlo_file.write(tmp_path / "model.jaxexport", random_variables(metadata), metadata)
    with zipfile.ZipFile(tmp_path / "model.jaxexport") as file:
        program = jax.export.deserialize(bytearray(file.read("model.stablehlo")))
        assert json.loads(file.read("card.json")) == metadata
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert str(program.in_avals[-1]) == "uint8[b,64,64,3]"
    assert "custom_call" not in program.mlir_module().replace("custom_call @shape_assertion", "")


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    return trained(tiny_config, tmp_path / "run")


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
        for prediction, reference in zip(predictor(photos), expected(photos), strict=True):
            assert prediction.labels == reference.labels
            assert prediction.class_maps.keys() == reference.class_maps.keys()
            np.testing.assert_allclose(prediction.probabilities, reference.probabilities, atol=1e-5)
            np.testing.assert_allclose(prediction.sentiment_map, reference.sentiment_map, atol=1e-4)
    assert not list(run.glob("*.part"))
    prediction = jaxsent.load(run)(photos[0])
    np.testing.assert_allclose(
        prediction.probabilities, expected(photos[0]).probabilities, atol=1e-5
    )
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
    line = capsys.readouterr().err.strip()
    assert line == "JAX 41 ms, onnxruntime 18 ms a photograph, 1 at a time: onnxruntime."


def test_an_export_of_other_weights_is_not_used(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(engines.time, "perf_counter", lambda: clock[0])
    both = engines.faster(engine("JAX", 1.0, clock), engine("onnxruntime", 0.1, clock, shift=0.1))
    out = both.network(np.zeros((1, 8, 8, 3), np.uint8))
    assert out["class_probabilities"][0, 0] == 0.5
    assert "of other weights than those beside it, and not used" in capsys.readouterr().err
