"""What others read of a run: names, layouts, and the way back."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from jaxsent import commands, models, pretrained
from jaxsent.errors import UserError
from jaxsent.export import export
from jaxsent.pretrained import torch_file
from jaxsent.run import experiment, initial
from jaxsent.training import loop

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
def run(tiny_config, tmp_path):
    def make(name, **model):
        tiny_config.model.backbone, tiny_config.model.name = "resnet18", name
        tiny_config.model.update(model)
        tiny_config.train.steps = 1
        loop.train(tiny_config, tmp_path / name)
        return tmp_path / name

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


def test_nothing_is_left_of_what_cannot_be_written(run, tmp_path):
    folder = run("wscnet")
    for form in ("torch", "safetensors", "stablehlo"):
        with pytest.raises(UserError, match=r"cannot be written .*; its folder is not there"):
            export(folder, form, tmp_path / "nowhere" / "model")
    out = tmp_path / "mine"
    assert export(folder, "safetensors", out) == out
    assert not list(tmp_path.rglob("*.part"))


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
