"""Names, shapes, parameter counts, precision and freezing of whole networks."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from jaxsent import models
from jaxsent.errors import UserError
from jaxsent.models import resnet
from jaxsent.training import optim

IMAGES = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)


def count(model, size=224):
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    return sum(x.size for x in jax.tree.leaves(shapes["params"]))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("vgg16", {}, 138_357_544),
        ("alexnet", {}, 61_100_840),
        ("resnet18", {}, 11_689_512),
        ("resnet34", {}, 21_797_672),
        ("resnet50", {}, 25_557_032),
        ("resnet101", {}, 44_549_160),
        ("efficientnet_lite0", {}, 4_652_008),
    ],
)
def test_parameters_of_backbones(name, options, expected):
    assert count(models.build(name, 1000, **options)) == expected


@pytest.mark.parametrize(("name", "expected"), [("resnet50", 53_120), ("resnet101", 105_344)])
def test_statistics_of_backbones(name, expected):
    model = models.build(name, 1000)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    assert sum(x.size for x in jax.tree.leaves(shapes["batch_stats"])) == expected


def test_parameters_of_networks():
    assert count(models.build("wscnet", 8, maps_per_class=4), 448) == 42_598_504
    assert count(models.build("wscnet", 8, coupling="local"), 448) == 42_598_504 - 2048 * 8
    vgg_to_2048 = 138_357_544 - (4096 * 1000 + 1000) + (4096 * 2048 + 2048)
    gcn = 512 * 512 + 512 + 512 * 2048 + 2048
    detector, classifier = 512 * 32 + 32, 4096 * 2 + 2
    assert count(models.build("wsidnet", 2)) == vgg_to_2048 + gcn + detector + classifier
    assert count(models.build("classifier", 2)) == vgg_to_2048 + 2048 * 2 + 2
    assert count(models.build("vgg16", 2048)) == vgg_to_2048


@pytest.mark.parametrize(("expansion", "last"), [(1, "bn2"), (4, "bn3")])
def test_zero_init_residual_is_torchvisions(expansion, last):
    """The scale of every block's last norm starts at zero, every other at one."""
    model = resnet.ResNet(3, depths=(2, 1, 1, 1), expansion=expansion, zero_init_residual=True)
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES[:1, :32, :32])
    leaves = traverse_util.flatten_dict(variables["params"])
    scales = {path[:-1]: np.unique(leaf).tolist() for path, leaf in leaves.items()
              if path[-1] == "scale"}  # fmt: skip
    assert len([path for path in scales if path[-1] == last]) == 5
    assert scales == {path: [0.0] if path[-1] == last else [1.0] for path in scales}


def test_zero_init_residual_is_the_backbones():
    model = models.build("wscnet", 8, backbone="resnet18", zero_init_residual=True)
    assert model.backbone.zero_init_residual
    assert "zero_init_residual" in models.options("wscnet")
    models.build("wsidnet", 2, zero_init_residual=False)
    with pytest.raises(UserError, match="expected a ResNet as model.backbone, found vgg16"):
        models.build("wsidnet", 2, zero_init_residual=True)


BACKBONES = ["vgg16", "alexnet", "resnet18", "efficientnet_lite0"]


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", ["wscnet", "wsidnet", "classifier"])
def test_every_network_stands_on_every_backbone(name, backbone):
    model = models.build(name, 2, backbone=backbone)
    variables = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    out = jax.eval_shape(lambda v: model.apply(v, IMAGES), variables)
    assert out["class_logits"].shape == (2, 2)
    if name != "classifier":
        c = 2 if name == "wscnet" else 8
        b, h, w = out["sentiment_map"].shape
        assert out["class_maps"].shape == (b, h, w, c)
        assert out["detect_logits"].shape == (b, c)
    if name == "wsidnet":
        assert out["nodes"].shape[:2] == (2, 8)
        assert out["interaction"].shape == out["holistic"].shape == (2, 2048)


def test_a_tap_is_an_option():
    model = models.build("wscnet", 8, backbone="efficientnet_lite0", tap="stage3")
    variables = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    assert "stage4" not in variables["params"]["backbone"]
    out = jax.eval_shape(lambda v: model.apply(v, IMAGES), variables)
    assert out["sentiment_map"].shape == (2, 8, 8)


@pytest.mark.parametrize(
    "backbone",
    ["resnet18", pytest.param("vgg16", marks=pytest.mark.slow),
     pytest.param("efficientnet_lite0", marks=pytest.mark.slow)],
)  # fmt: skip
def test_bfloat16_computes_low_and_keeps_float32(backbone):
    # Flax's BatchNorm itself promotes bfloat16 implicitly, so strictness is off for the others.
    strict = "strict" if backbone == "vgg16" else "standard"
    with jax.numpy_dtype_promotion(strict):
        model = models.build("wsidnet", 8, backbone=backbone, dtype=jnp.bfloat16)
        variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
        out = jax.jit(model.apply)(variables, IMAGES)
        taps = jax.eval_shape(
            lambda v: model.apply(v, IMAGES, False, True, method="tapped"), variables
        )
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert {x.dtype for x in out.values()} == {jnp.dtype("float32")}
    assert taps[0].dtype == jnp.bfloat16
    exact = jax.jit(models.build("wsidnet", 8, backbone=backbone).apply)(variables, IMAGES)
    error = np.linalg.norm(out["class_logits"] - exact["class_logits"])
    assert 0 < error < 0.1 * np.linalg.norm(exact["class_logits"])


@pytest.mark.parametrize("freeze", ["none", "statistics", "backbone"])
def test_freezing(freeze):
    model = models.build("wscnet", 2, backbone="resnet18", freeze=freeze)
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)

    def loss(params):
        out, new = model.apply(
            variables | {"params": params}, IMAGES, train=True, mutable=["batch_stats"]
        )
        return (out["class_logits"] ** 2).sum(), new["batch_stats"]

    grads, statistics = jax.jit(jax.grad(loss, has_aux=True))(variables["params"])
    moved = any(jax.tree.leaves(jax.tree.map(lambda g: bool(jnp.any(g != 0)), grads["backbone"])))
    assert moved == (freeze != "backbone")
    assert bool(jnp.any(grads["classifier"]["kernel"] != 0))
    same = jax.tree.map(lambda a, b: bool(jnp.all(a == b)), statistics, variables["batch_stats"])
    assert all(jax.tree.leaves(same)) == (freeze != "none")


def test_dropout_is_random_in_training_only():
    model = models.build("classifier", 2, backbone="alexnet")
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)

    def logits(seed, train):
        rngs = {"dropout": jax.random.key(seed)}
        return model.apply(variables, IMAGES, train=train, rngs=rngs)["class_logits"]

    chex.assert_trees_all_equal(logits(0, False), logits(1, False))
    assert np.abs(logits(0, True) - logits(1, True)).max() > 0


def test_groups_of_parameters():
    model = models.build("wsidnet", 2, backbone="resnet18")
    variables = jax.eval_shape(model.init, jax.random.key(0), IMAGES)
    groups = optim.group(variables["params"])
    assert set(jax.tree.leaves(groups["backbone"])) == {"backbone"}
    assert set(jax.tree.leaves({k: v for k, v in groups.items() if k != "backbone"})) == {"new"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.build("wscnett", 2), "did you mean wscnet"),
        (lambda: models.build("wscnet", 2, backbone="resnet100"), "did you mean resnet101"),
        (lambda: models.build("wscnet", 2, poolling="max"), "did you mean pooling"),
        (lambda: models.build("wscnet", 2, pooling="sum"), "expected one of max, avg"),
        (lambda: models.build("wsidnet", 2, detect_classes=5), "8 classes"),
    ],
)
def test_errors_say_what_exists(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_tabulate_counts():
    table = models.tabulate(models.build("wscnet", 8, backbone="resnet18"), 64)
    assert "detector" in table
    assert "Total Parameters" in table
