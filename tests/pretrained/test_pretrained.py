"""Weights from files, by names of torchvision and of the first author; refusals."""

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxsent import models, pretrained
from jaxsent.errors import UserError
from tests import recipe

IMAGES = np.zeros((1, 64, 64, 3), np.float32)


@pytest.fixture(scope="module")
def resnet():
    model = models.build("resnet18", 1000)
    shapes = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    return model, shapes, recipe.state_dict(model, shapes)


def test_safetensors_file_of_a_backbone(resnet, tmp_path):
    model, shapes, state = resnet
    save_file(state, tmp_path / "resnet18.safetensors")
    loaded = pretrained.load(tmp_path / "resnet18.safetensors", model, shapes)
    kernel = loaded["params"]["layer2_0"]["conv1"]["kernel"]
    expected = state["layer2.0.conv1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(kernel, expected)
    np.testing.assert_array_equal(loaded["batch_stats"]["bn1"]["var"], state["bn1.running_var"])


def test_a_backbones_weights_enter_a_network_and_new_layers_stay(resnet):
    _, _, state = resnet
    model = models.build("wscnet", 2, backbone="resnet18")
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
    loaded = pretrained.from_torch(state, model, variables, new_layers=True)
    np.testing.assert_array_equal(
        loaded["params"]["backbone"]["conv1"]["kernel"],
        state["conv1.weight"].transpose(2, 3, 1, 0),
    )
    for name in ("detector", "classifier"):
        jax.tree.map(
            np.testing.assert_array_equal, loaded["params"][name], variables["params"][name]
        )


def test_the_first_authors_checkpoint_is_looked_into():
    model = models.build("wscnet", 8, backbone="resnet18")
    shapes = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    state = recipe.state_dict(model, shapes)
    assert "features.0.weight" in state
    assert "downconv.0.weight" in state
    loaded = pretrained.from_torch({"model_state_dict": state}, model, shapes)
    kernel = loaded["params"]["detector"]["conv"]["kernel"]
    np.testing.assert_array_equal(kernel, state["downconv.0.weight"][:, :, 0, 0].T)


def test_the_first_fully_connected_layer_reads_channels_last():
    """Flattening h·w·c and c·h·w gives the same product."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(5, 512 * 49)).astype(np.float32)
    x = rng.normal(size=(512, 7, 7)).astype(np.float32)
    flax_output = x.transpose(1, 2, 0).ravel() @ pretrained.to_flax(weight, (512 * 49, 5))
    np.testing.assert_allclose(flax_output, weight @ x.ravel(), rtol=1e-3, atol=1e-2)


def test_what_does_not_fit_is_listed(resnet, tmp_path):
    model, shapes, state = resnet
    lacking = {k: v for k, v in state.items() if not k.startswith("layer4")}
    with pytest.raises(UserError, match=r"25 missing \(layer4.0.* and 15 more\)"):
        pretrained.from_torch(lacking, model, shapes)
    with pytest.raises(UserError, match=r"1 unexpected \(layer9.weight\)"):
        pretrained.from_torch(state | {"layer9.weight": np.zeros(3)}, model, shapes)
    other = models.build("resnet18", 10)
    small = jax.eval_shape(other.init, jax.random.key(0), IMAGES)
    wrong = r"fc.weight \(1000, 512\) for \(512, 10\).*model.num_classes=1000 would fit"
    with pytest.raises(UserError, match=wrong):
        pretrained.from_torch(state, other, small)
    deeper = models.build("resnet34", 1000)
    shapes = jax.eval_shape(deeper.init, jax.random.key(0), IMAGES)
    with pytest.raises(UserError, match=r"missing .* model.backbone=resnet18 would fit"):
        pretrained.from_torch(state, deeper, shapes)
    with pytest.raises(UserError, match="unexpected .* model.backbone=resnet34 would fit"):
        pretrained.from_torch(recipe.state_dict(deeper, shapes), model, resnet[1])


def test_files_that_are_none(resnet, tmp_path):
    model, shapes, _ = resnet
    for name, content, message in (
        ("missing.pth", None, "no such file"),
        ("weights.h6", b"", r"expected a file ending in .safetensors"),
        ("short.safetensors", b"\x10", "cut short"),
        ("header.safetensors", (2).to_bytes(8, "little") + b"{]", "header is damaged"),
        ("run", None, "no such file"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=message):
            pretrained.load(tmp_path / name, model, shapes)


def test_a_truncated_safetensors_file(resnet, tmp_path):
    model, shapes, state = resnet
    save_file(state, tmp_path / "whole.safetensors")
    content = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cut short: .* ends beyond"):
        pretrained.load(tmp_path / "half.safetensors", model, shapes)


def test_there_and_back_is_the_same_bit_for_bit():
    for name, options in (("wscnet", {"backbone": "resnet18"}), ("alexnet", {})):
        model = models.build(name, 8, **options)
        images = np.zeros((1, 224, 224, 3), np.float32)
        shapes = jax.eval_shape(model.init, jax.random.key(0), images)
        variables = pretrained.from_torch(recipe.state_dict(model, shapes), model, shapes)
        state = pretrained.to_torch(model, variables)
        assert state.keys() >= recipe.state_dict(model, shapes).keys()
        again = pretrained.from_torch(state, model, shapes)
        jax.tree.map(np.testing.assert_array_equal, again, variables)


def test_packaged_weights():
    model = models.build("efficientnet_lite0", 1000)
    shapes = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    loaded = pretrained.load("efficientnet_lite0", model, shapes)
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(loaded))
