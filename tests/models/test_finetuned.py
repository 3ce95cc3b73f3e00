"""The fine-tuned networks: the backbone's own, with another last layer."""

import chex
import jax
import numpy as np
import pytest

from jaxsent import models, pretrained
from jaxsent.models.classifier import LAST
from tests import recipe, tiny
from tests.models import heads

K = 5
COUNTS = {"vgg16": 138_357_544, "alexnet": 61_100_840, "resnet101": 44_549_160}
"""Parameters at 1,000 classes (torchvision)."""
WIDTH = {"vgg16": 4096, "alexnet": 4096, "resnet101": 2048}


@pytest.mark.parametrize("backbone", COUNTS)
def test_the_last_layer_alone_is_another(backbone):
    total, _, new = heads.count("classifier", backbone, K, holistic="embedding")
    assert new == (WIDTH[backbone] + 1) * K
    assert total == COUNTS[backbone] - (WIDTH[backbone] + 1) * (1000 - K)


@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "resnet18"])
def test_its_layers_are_torchvisions(backbone):
    imagenet = models.build(backbone, 1000)
    names = imagenet.torch_names()
    last = next(name for name in LAST if name in names)
    model = models.build("classifier", K, backbone=backbone, holistic="embedding")
    ours = {m.removeprefix("backbone/"): n for m, n in model.torch_names().items()}
    assert ours.pop("classifier") == names.pop(last)
    assert ours == names


def test_a_torchvision_file_enters_and_leaves():
    """With 1,000 classes all of it; with K all but the last layer, which is new."""
    model = models.build("classifier", 1000, backbone="alexnet", holistic="embedding")
    shapes = jax.eval_shape(model.init, jax.random.key(0), heads.IMAGES)
    state = recipe.state_dict(model, shapes)
    assert state["classifier.6.weight"].shape == (1000, 4096)
    loaded = pretrained.from_torch(state, model, shapes)
    back = pretrained.to_torch(model, loaded)
    assert back.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(back[name], array)
    out = heads.applied(model, loaded)
    expected = out["holistic"] @ state["classifier.6.weight"].T + state["classifier.6.bias"]
    chex.assert_trees_all_close(out["class_logits"], expected, rtol=1e-3, atol=1e-3)

    new = np.full((4096, K), 7.0, np.float32)
    small = model.clone(num_classes=K)
    params = loaded["params"] | {"classifier": {"kernel": new, "bias": new[0]}}
    variables = loaded | {"params": params}
    loaded = pretrained.from_torch(state, small, variables, new_layers=True)["params"]
    np.testing.assert_array_equal(loaded["classifier"]["kernel"], new)
    fc7 = loaded["backbone"]["fc7"]["kernel"]
    np.testing.assert_array_equal(fc7, state["classifier.4.weight"].T)


def test_on_a_resnet_it_is_cams_network():
    """Why Table II's row of ResNet-101 needs no run besides CAM's."""
    cam, variables = heads.made("cam")
    plain = models.build("classifier", 3, backbone="resnet18", holistic="embedding")
    chex.assert_trees_all_close(
        heads.applied(plain, variables)["class_logits"],
        heads.applied(cam, variables)["class_logits"], rtol=1e-5, atol=1e-6,
    )  # fmt: skip


def test_it_learns_above_chance(tiny_config, tmp_path):
    tiny_config.model.name, tiny_config.model.holistic = "classifier", "embedding"
    assert tiny.learnt(tiny_config, tmp_path)["accuracy_interval"][0] > 1 / 8
