"""Weights by other publishers' names, from Keras, from the hub's cache; what they expect to see."""

import json

import h5py
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxsent import models, pretrained
from jaxsent.errors import UserError
from jaxsent.pretrained import sources
from jaxsent.pretrained.names import KERAS_VGG, canonical
from tests import recipe


@pytest.fixture(scope="module")
def narrow():
    """A VGG-16's state dict with small fully-connected layers."""
    state = {}
    widths = [3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 512]
    for i, name in enumerate(list(KERAS_VGG.values())[:13]):
        state[f"{name}.weight"] = recipe.tensor(f"{name}.weight", (widths[i + 1], widths[i], 3, 3))
        state[f"{name}.bias"] = recipe.tensor(f"{name}.bias", (widths[i + 1],))
    for name, shape in (("0", (6, 512 * 49)), ("3", (5, 6)), ("6", (4, 5))):
        state[f"classifier.{name}.weight"] = recipe.tensor(f"classifier.{name}.weight", shape)
        state[f"classifier.{name}.bias"] = recipe.tensor(f"classifier.{name}.bias", shape[:1])
    return state


@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("layout", ["old", "new"])
def test_keras_vgg16(top, layout, narrow, tmp_path):
    """Keras's product on BGR images in h·w·c equals torch's on RGB images in c·h·w."""
    with h5py.File(tmp_path / "vgg16.h5", "w") as file:
        for layer, torch_name in KERAS_VGG.items():
            if layer in ("fc1", "fc2", "predictions") and not top:
                continue
            weight, bias = narrow[f"{torch_name}.weight"], narrow[f"{torch_name}.bias"]
            if layer == "block1_conv1":
                weight = weight[:, ::-1]
            if weight.ndim == 4:
                weight = weight.transpose(2, 3, 1, 0)
            elif layer == "fc1":
                weight = weight.reshape(-1, 512, 7, 7).transpose(2, 3, 1, 0).reshape(512 * 49, -1)
            else:
                weight = weight.T
            names = {"old": (f"{layer}_W_1:0", f"{layer}_b_1:0"),
                     "new": (f"{layer}/kernel:0", f"{layer}/bias:0")}[layout]  # fmt: skip
            group = file.create_group(layer)
            group.create_dataset(names[0], data=weight)
            group.create_dataset(names[1], data=bias)
    state = pretrained.state_dict(tmp_path / "vgg16.h5")
    expected = {k: v for k, v in narrow.items() if top or k.startswith("features")}
    assert state.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(state[key], array)
    expects = pretrained.preprocessing(tmp_path / "vgg16.h5", "vgg16")
    assert expects.mean == (123.68, 116.779, 103.939)
    assert expects.std == (1.0, 1.0, 1.0)


def test_a_vgg16_without_top_enters_a_network_that_wants_one(tmp_path):
    """The convolutions are loaded; fc6 and fc7 stay new, and the table says so."""
    vgg = models.build("vgg16", 1000)
    shapes = jax.eval_shape(vgg.init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32))
    state = recipe.state_dict(vgg, shapes)
    convolutions = {k: v for k, v in state.items() if k.startswith("features")}
    save_file(convolutions, tmp_path / "notop.safetensors")
    model = models.build("wsidnet", 2)
    variables = jax.eval_shape(
        model.init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32)
    )
    reports = []
    loaded = pretrained.load(tmp_path / "notop.safetensors", model, variables, reports.append)
    backbone = loaded["params"]["backbone"]
    np.testing.assert_array_equal(
        backbone["conv5_3"]["kernel"], state["features.28.weight"].transpose(2, 3, 1, 0)
    )
    assert backbone["fc6"] == variables["params"]["backbone"]["fc6"]
    new = {line.split()[0]: line.split()[2] for line in reports[0].splitlines()}
    assert new["backbone/fc6"] == f"{4096 * 25088 + 4096:,}"
    assert new["backbone/conv5_3"] == "0"
    half = convolutions | {k: v for k, v in state.items() if k.startswith("classifier.0")}
    with pytest.raises(UserError, match=r"2 missing \(classifier.3"):
        pretrained.from_torch(half, model, variables, new_layers=True)
    with pytest.raises(UserError, match=r"missing \(classifier.0"):
        pretrained.from_torch(convolutions, vgg, shapes)


def test_an_h5_of_another_network(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("conv2d_7/kernel:0", data=np.zeros(3))
    with pytest.raises(UserError, match="conv2d_7.* none of VGG-16's"):
        pretrained.state_dict(tmp_path / "other.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "other.h5").read_bytes()[:300])
    with pytest.raises(UserError, match="no HDF5 file, or cut short"):
        pretrained.state_dict(tmp_path / "cut.h5")


def test_timms_vgg16(narrow):
    timm_state = {}
    for key, array in narrow.items():
        for torch_name, timm_name in (
            ("classifier.0", "pre_logits.fc1"),
            ("classifier.3", "pre_logits.fc2"),
            ("classifier.6", "head.fc"),
        ):
            key = key.replace(torch_name, timm_name)
        timm_state[key] = array
    fc1 = timm_state["pre_logits.fc1.weight"]
    timm_state["pre_logits.fc1.weight"] = fc1.reshape(-1, 512, 7, 7)
    named = canonical(timm_state)
    assert set(named) == set(narrow)
    kernel = pretrained.to_flax(named["classifier.0.weight"], (512 * 49, 6))
    np.testing.assert_array_equal(kernel, pretrained.to_flax(fc1, (512 * 49, 6)))


def test_timms_efficientnet_lite():
    model = models.build("efficientnet_lite0", 10)
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 64, 64, 3), np.float32))
    state = recipe.state_dict(model, shapes)
    depths = (1, 2, 2, 3, 3, 4, 1)
    places = [(s, b) for s, n in enumerate(depths) for b in range(n)]
    inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
             "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
             "_fc": "classifier"}  # fmt: skip
    timm_state = {}
    for key, array in state.items():
        parts = key.split(".")
        if parts[0] == "_blocks":
            stage, block = places[int(parts[1])]
            name = (first if stage == 0 else inner)[parts[2]]
            timm_state[f"blocks.{stage}.{block}.{name}.{parts[3]}"] = array
        else:
            timm_state[f"{outer[parts[0]]}.{parts[1]}"] = array
    named = canonical(timm_state)
    assert set(named) == set(state)
    assert all(named[k] is state[k] for k in state)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub cache that holds one model, and no network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "models--timm--resnet18.a1_in1k"
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    save_file({"fc.bias": np.arange(3, dtype=np.float32)}, snapshot / "model.safetensors")
    described = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 288, 288],
                 "interpolation": "bicubic"}  # fmt: skip
    (snapshot / "config.json").write_text(json.dumps({"pretrained_cfg": described}))
    return tmp_path


def test_the_hub_through_its_cache(hub):
    state = pretrained.state_dict("hf:timm/resnet18.a1_in1k")
    np.testing.assert_array_equal(state["fc.bias"], [0, 1, 2])
    expects = pretrained.preprocessing("hf:timm/resnet18.a1_in1k", "resnet18")
    assert expects == sources.Preprocessing((127.5,) * 3, (63.75,) * 3, 288, "bicubic")


def test_the_hub_without_network(hub):
    with pytest.raises(UserError, match=r"neither in the hub's cache nor reachable .*fetch model"):
        pretrained.state_dict("hf:timm/resnet50.a1_in1k")
    with pytest.raises(UserError, match="expected hf:OWNER/NAME"):
        pretrained.state_dict("hf:resnet50")


def test_what_publishers_expect():
    lite = pretrained.preprocessing("efficientnet_lite2", "efficientnet_lite2")
    assert (lite.mean, lite.std, lite.size) == ((127.0,) * 3, (128.0,) * 3, 260)
    torchvision = pretrained.preprocessing("", "vgg16")
    np.testing.assert_allclose(torchvision.mean, np.array([0.485, 0.456, 0.406]) * 255)
    np.testing.assert_allclose(torchvision.std, np.array([0.229, 0.224, 0.225]) * 255)
