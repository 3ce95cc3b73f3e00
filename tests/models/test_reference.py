"""Agreement with independent PyTorch implementations (shared/reference/README.md)."""

import functools
import tempfile
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxsent import models, pretrained
from jaxsent.pretrained import torch_writer
from tests import recipe

REFERENCE = Path(__file__).parents[1] / "reference"

AUTHOR = dict(pooling="avg", map_mean=True)
FLATTEN = dict(readout="flatten")
CASES = {
    "vgg16": ("vgg16", 1000, {}, 1e-5),
    "alexnet": ("alexnet", 1000, {}, 1e-5),
    "resnet101": ("resnet101", 1000, {}, 1e-5),
    "wscnet_paper": ("wscnet", 8, {}, 1e-4),
    "wscnet_author": ("wscnet", 8, AUTHOR, 1e-4),
    "wsidnet_cross": ("wsidnet", 2, {}, 1e-4),
    "wsidnet_same": ("wsidnet", 2, {"edges": "same"}, 1e-4),
    "wsidnet_none": ("wsidnet", 2, {"edges": "none"}, 1e-4),
    "wsidnet_flatten": ("wsidnet", 2, FLATTEN, 1e-4),
}


@functools.cache
def outputs(case):
    name, classes, options, _ = CASES[case]
    model = models.build(name, num_classes=classes, **options)
    seed, size = (1000, 448) if name == "wscnet" else (0, 224)
    images = recipe.images(seed, (2, size, size, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    state = recipe.state_dict(model, shapes)
    with tempfile.TemporaryDirectory() as folder:
        # Through files, as a user's weights come: WSCNet's as its first author saves them.
        if case in ("wscnet_paper", "wscnet_author", "alexnet", "resnet101"):
            path = Path(folder) / "weights.pth"
            nested = {"model_state_dict": state} if name == "wscnet" else state
            torch_writer.write(path, nested)
        else:
            path = Path(folder) / "weights.safetensors"
            save_file(state, path)
        del state
        variables = pretrained.load(path, model, shapes)
    out = dict(jax.jit(model.apply)(variables, images))
    if name in models.BACKBONES:
        last = model.TAP
        taps = jax.jit(lambda v, x: model.apply(v, x, last=last, method="features"))
        out["features"] = taps(variables, images[:1])[last]
        out["logits"] = out["class_logits"]
    return jax.tree.map(np.asarray, out)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["vgg16", "alexnet", "resnet101", "wscnet_paper", "wsidnet_cross"])
def test_both_formats_hold_the_same(case, tmp_path):
    name, classes, options, _ = CASES[case]
    model = models.build(name, num_classes=classes, **options)
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32))
    state = recipe.state_dict(model, shapes)
    save_file(state, tmp_path / "weights.safetensors")
    torch_writer.write(tmp_path / "weights.pth", {"model_state_dict": state})
    one, two = (
        pretrained.load(tmp_path / f"weights.{kind}", model, shapes)
        for kind in ("safetensors", "pth")
    )
    jax.tree.map(np.testing.assert_array_equal, one, two)


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case):
    tolerance = CASES[case][-1]
    with np.load(REFERENCE / f"{case}.npz") as reference:
        for key, expected in reference.items():
            output = outputs(case)[key]
            chex.assert_shape(output, expected.shape)
            error = np.linalg.norm(output - expected) / np.linalg.norm(expected)
            assert error < tolerance, f"{key}: relative error {error:.1e}"
