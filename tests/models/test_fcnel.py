"""FCNEL: which maps it scores, how it adds them, its loss and that it learns."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsent import losses
from jaxsent.models import fcnel
from jaxsent.models.vgg import CONVOLUTIONS
from tests.models import heads


def test_the_last_map_of_each_coarsest_grid():
    model, variables = heads.made("fcnel", "vgg16")
    _, taps = heads.tapped(model, variables, beyond=True)
    taps = {name: taps[name] for name in CONVOLUTIONS}  # jit sorts a dict by name
    maps = fcnel.coarsest(taps)
    assert [x.shape[1:] for x in maps] == [(4, 4, 512), (8, 8, 512), (16, 16, 256)]
    for x, name in zip(maps, ("conv5_3", "conv4_3", "conv3_3"), strict=True):
        assert x is taps[name]


@pytest.mark.parametrize(
    ("backbone", "scored"),
    [("resnet18", ("layer4", "layer3", "layer2")),
     pytest.param("efficientnet_lite0", ("head", "stage5", "stage3"), marks=pytest.mark.slow)],
)  # fmt: skip
def test_scores_are_added_from_coarse_to_fine(backbone, scored):
    model, variables = heads.made("fcnel", backbone)
    out = heads.applied(model, variables)
    assert set(out) == {"sentiment_map"}
    _, taps = heads.tapped(model, variables, beyond=True)
    total = 0.0
    for i, name in enumerate(scored):
        score = variables["params"][f"score{i}"]
        own = taps[name] @ score["kernel"][:, 0] + score["bias"]
        # Enlarging is linear, so each score may be brought to the finest grid by itself.
        while own.shape[1] < 8:
            own = jax.image.resize(own, (2, 2 * own.shape[1], 2 * own.shape[2]), "bilinear")
        total = total + own
    chex.assert_trees_all_close(out["sentiment_map"], total, rtol=1e-3, atol=1e-4)


def test_loss_is_half_the_mean_square():
    rng = np.random.default_rng(0)
    sentiment_map = rng.normal(size=(3, 4, 5)).astype(np.float32)
    truth = rng.integers(0, 256, (3, 12, 10), np.uint8)
    small = truth.reshape(3, 4, 3, 5, 2).mean((2, 4)) / 255
    expected = ((sentiment_map - small) ** 2).mean((1, 2)) / 2
    loss = losses.map_loss({"sentiment_map": jnp.asarray(sentiment_map)}, jnp.asarray(truth))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("size", [(4, 5), (7, 7), (3, 8)])
def test_area_resize_by_small_steps(size):
    """Against repeating every pixel until cells hold whole numbers of them."""
    maps = np.random.default_rng(0).random((2, 6, 10)).astype(np.float32)
    h, w = size
    fine = maps.repeat(h, 1).repeat(w, 2)
    expected = fine.reshape(2, h, 6, w, 10).mean((2, 4))
    resized = losses.area_resize(jnp.asarray(maps), h, w)
    np.testing.assert_allclose(resized, expected, rtol=1e-5)
    np.testing.assert_allclose(resized.mean((1, 2)), maps.mean((1, 2)), rtol=1e-5)


def test_parameters():
    assert heads.count("fcnel") == (14_715_971, 14_714_688, 513 + 513 + 257)
    assert heads.count("fcnel", "resnet101")[2] == 2049 + 1025 + 513
