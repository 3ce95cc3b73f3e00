"""A network on its frozen backbone's stored outputs is the network on images."""

import chex
import jax
import numpy as np
import pytest

from jaxsent import models
from jaxsent.errors import UserError
from jaxsent.models import stored
from tests.models import heads

NETWORKS = {name: {} for name in sorted(set(models.NETWORKS) - set(models.SUPERVISED))} | {
    "cam": {"tap": "layer3"},
    "classifier": {"holistic": "embedding"},
}
CASES = [*NETWORKS.items(), ("cam", {}), ("wsidnet", {"tap": "layer4", "regress": ("valence",)})]


@pytest.mark.parametrize(
    ("name", "options"),
    [*CASES[-3:], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[:-3])],
)
def test_every_network_answers_alike(name, options):
    model, variables = heads.made(name, freeze="backbone", **options)
    outputs = jax.jit(stored.outputs, static_argnums=0)(model, variables, heads.IMAGES)
    above = {"params": {k: v for k, v in variables["params"].items() if k != "backbone"}}
    answers = heads.applied(stored.above(model), above, outputs)
    expected = heads.applied(model, variables)
    assert answers.keys() == expected.keys()
    chex.assert_trees_all_close(answers, expected, rtol=2e-5, atol=1e-6)
    shapes = jax.eval_shape(stored.above(model).init, jax.random.key(0), outputs)["params"]
    chex.assert_trees_all_equal_shapes(shapes, above["params"])


def test_the_embeddings_dropout_is_drawn_in_training_alone():
    model = models.build("classifier", 3, backbone="efficientnet_lite0", freeze="backbone",
                         holistic="pool")  # fmt: skip
    above = stored.above(model)
    images = {"features": np.ones((1, 2, 2, 4), np.float32), "embedding": np.ones((1, 4000), "f4")}
    variables = above.init(jax.random.key(0), images)
    rngs = {"dropout": jax.random.key(1)}
    dropped = np.asarray(above.apply(variables, images, True, rngs=rngs)["holistic"])
    assert abs((dropped == 0).mean() - 0.2) < 0.03
    np.testing.assert_allclose(dropped.max(), 1.25)
    assert (above.apply(variables, images)["holistic"] == 1).all()


@pytest.mark.parametrize(
    ("backbone", "freeze", "match"),
    [("resnet18", "none", "freeze=none"), ("vgg16", "backbone", "VGG and AlexNet")],
)
def test_what_cannot_be_stored_is_refused(backbone, freeze, match):
    model = models.build("wscnet", 3, backbone=backbone, freeze=freeze)
    with pytest.raises(UserError, match=match):
        stored.above(model)


def test_what_one_network_stored_another_reads():
    """A network that reads no embedding takes F of outputs that hold both."""
    wsidnet, variables = heads.made("wsidnet", freeze="backbone", tap="layer4")
    outputs = jax.jit(stored.outputs, static_argnums=0)(wsidnet, variables, heads.IMAGES)
    assert outputs.keys() == set(stored.OUTPUTS)
    cam, own = heads.made("cam", freeze="backbone", seed=1)
    above = {"params": {"classifier": own["params"]["classifier"]}}
    answers = heads.applied(stored.above(cam), above, outputs)
    shared = own["params"] | {"backbone": variables["params"]["backbone"]}
    expected = heads.applied(cam, {"params": shared, "batch_stats": variables["batch_stats"]})
    chex.assert_trees_all_close(answers, expected, rtol=2e-5, atol=1e-6)
