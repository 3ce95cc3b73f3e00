"""CAM, in a network and out of it, and Grad-CAM against CAM and finite differences."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent import models
from jaxsent.errors import UserError
from jaxsent.models import convolution, explain
from jaxsent.models.inference import normalise, predict_step
from jaxsent.pretrained import Preprocessing
from tests.models import heads

CLASSES = np.array([2, 0])


def cams(model, variables):
    return np.asarray(jax.jit(partial(explain.cam, model))(variables, heads.IMAGES))


def grad_cams(model, variables, tap=None, images=heads.IMAGES):
    explained = jax.jit(lambda v, x: explain.grad_cam(model, v, x, jnp.asarray(CLASSES), tap))
    return np.asarray(explained(variables, images))


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_cam_averages_to_the_logits(backbone):
    model, variables = heads.made("classifier", backbone, holistic="pool")
    variables["params"]["classifier"]["bias"] += 1
    expected = heads.applied(model, variables)["class_logits"] - 1
    maps = cams(model, variables)
    chex.assert_trees_all_close(maps.mean((1, 2)), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("backbone", ["resnet18", "vgg16", "alexnet", "efficientnet_lite0"])
def test_the_cam_network_averages_to_its_logits(backbone):
    model, variables = heads.made("cam", backbone)
    variables["params"]["classifier"]["bias"] += 1
    out = heads.applied(model, variables)
    maps, logits = out["class_maps"], out["class_logits"]
    chex.assert_trees_all_close(maps.mean((1, 2)) + 1, logits, rtol=1e-3, atol=1e-5)
    for b in range(2):
        np.testing.assert_array_equal(out["sentiment_map"][b], maps[b, ..., logits[b].argmax()])


def test_the_cam_network_is_the_classifier():
    """A fine-tuned ResNet's weights give the same logits and maps in both."""
    classifier, variables = heads.made("classifier", holistic="pool")
    out = heads.applied(models.build("cam", 3, backbone="resnet18"), variables)
    expected = heads.applied(classifier, variables)["class_logits"]
    chex.assert_trees_all_close(out["class_logits"], expected, rtol=1e-4, atol=1e-5)
    chex.assert_trees_all_close(
        out["class_maps"], cams(classifier, variables), rtol=1e-4, atol=1e-5
    )


def test_parameters_of_the_cam_network():
    resnet101 = 44_549_160 - 2_049_000
    assert heads.count("cam") == (42_516_552, resnet101, 2048 * 8 + 8)
    widened = 9 * 256 * 1024 + 1024
    assert heads.count("cam", "vgg16")[1:] == (14_714_688, widened + 1024 * 8 + 8)


@pytest.mark.parametrize(
    ("name", "backbone", "options"),
    [
        ("classifier", "vgg16", {"holistic": "pool"}),
        ("classifier", "resnet18", {}),
        ("wscnet", "resnet18", {}),
        ("wsidnet", "resnet18", {"holistic": "pool"}),
    ],
)
def test_where_cam_is_not_defined(name, backbone, options):
    model = models.build(name, 3, backbone=backbone, **options)
    with pytest.raises(UserError, match="reads the average of the last map"):
        explain.cam(model, {}, heads.IMAGES)


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_grad_cam_is_cam_after_global_average_pooling(backbone):
    """∂y_c/∂A_n is w_nc / (h·w) everywhere, so Grad-CAM is ReLU(CAM) / (h·w) (its section 3.1)."""
    model, variables = heads.made("classifier", backbone, holistic="pool")
    maps = cams(model, variables)
    expected = np.stack([np.maximum(maps[b, ..., c], 0) for b, c in enumerate(CLASSES)])
    maps = grad_cams(model, variables) * expected[0].size
    assert maps.max() > 0
    chex.assert_trees_all_close(maps, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "tap"),
    [
        ("classifier", "layer3"),
        ("wscnet", "layer4"),
        pytest.param("wscnet", "layer3", marks=pytest.mark.slow),
    ],
)
def test_grad_cam_by_directional_derivatives(name, tap, monkeypatch):
    """Raising one channel of A everywhere raises y_c at the rate h·w·α of that channel.

    Forward mode, channel by channel: finite differences cross the kinks of ReLU, how many of them
    depends on the machine's rounding.
    """
    monkeypatch.setattr(convolution, "_alone", lambda: False)  # has no forward mode
    model, variables = heads.made(name)
    images = heads.IMAGES[:, ::2, ::2]

    def rest(m, a):
        """Tap -> logits, written out: nothing here goes through `perturbed`."""
        for layer in range(int(tap[-1]) + 1, 5):
            for block in range(2):
                a = getattr(m.backbone, f"layer{layer}_{block}")(a, False)
        mean = a.mean((1, 2))
        if name == "classifier":
            return m.classifier(m.projection(mean))
        v, maps = m.detector(a)
        weights = jnp.einsum("bc,bhwc->bhw", v, maps)
        local = (weights[..., None] * a).mean((1, 2))
        return m.classifier(jnp.concatenate([mean, local], -1))

    a = heads.tapped(model, variables, images, beyond=name == "classifier")[1][tap]

    @jax.jit
    def rate(direction):
        return jax.jvp(lambda x: model.apply(variables, x, method=rest), (a,), (direction,))[1]

    image, change = np.arange(2), np.zeros((2, a.shape[-1]))
    for channel in range(a.shape[-1]):
        direction = np.zeros_like(a)
        direction[..., channel] = 1
        change[:, channel] = np.asarray(rate(direction))[image, CLASSES]
    alpha = change / (a.shape[1] * a.shape[2])
    expected = np.maximum(np.einsum("bhwn,bn->bhw", a, alpha), 0)
    maps = grad_cams(model, variables, tap, images)
    np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-4 * expected.max())


@pytest.mark.parametrize(
    ("name", "backbone", "tap"),
    [("wsidnet", "alexnet", "conv3"), ("spn", "resnet18", "stem"), ("cam", "vgg16", None),
     pytest.param("wildcat", "efficientnet_lite0", "stage3", marks=pytest.mark.slow)],
)  # fmt: skip
def test_grad_cam_of_every_network_at_every_depth(name, backbone, tap):
    model, variables = heads.made(name, backbone, num_classes=8)
    maps = grad_cams(model, variables, tap)
    shape = heads.tapped(model, variables)[1][tap or model.backbone.TAP].shape
    assert maps.shape == shape[:3]
    assert maps.max() > 0
    assert np.isfinite(maps).all()


def test_a_frozen_backbone_has_the_same_grad_cam():
    model, variables = heads.made("wscnet")
    maps = grad_cams(model.clone(freeze="backbone"), variables)
    chex.assert_trees_all_close(maps, grad_cams(model, variables))
    assert maps.max() > 0


@pytest.mark.parametrize("tap", ["conv5", "head"])
def test_a_tap_that_is_not_read_is_named(tap):
    model, variables = heads.made("wscnet", "efficientnet_lite0", tap="stage2")
    with pytest.raises(ValueError, match=f"tap='{tap}': this network reads stem, stage1, stage2"):
        grad_cams(model, variables, tap)


def test_predictions_explain_the_predicted_class():
    model, variables = heads.made("classifier", holistic="pool")
    crops = np.random.default_rng(0).integers(0, 256, (2, 5, 64, 64, 3), np.uint8)
    step = jax.jit(predict_step(model, Preprocessing(), tuple(explain.MAPS)))
    out = step(variables, crops)
    images = normalise(crops[:, -1], Preprocessing().mean, Preprocessing().std)
    classes = out["class_probabilities"].argmax(-1)
    for name, explanation in explain.MAPS.items():
        expected = jax.jit(partial(explanation, model))(variables, images, classes)
        chex.assert_trees_all_close(out[name], expected, rtol=1e-3, atol=1e-4)
