"""One update: parallel, accumulated, averaged — against the plain one."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from jaxsent.errors import UserError
from jaxsent.models.backbone import Backbone
from jaxsent.models.inference import normalise, predict_step
from jaxsent.models.network import Network
from jaxsent.pretrained import Preprocessing
from jaxsent.run import sharding
from jaxsent.run.state import TrainState
from jaxsent.training import optim
from jaxsent.training.step import train_step

RNG = np.random.default_rng(0)
INPUT = Preprocessing()
BATCH = {
    "image": RNG.integers(0, 256, (8, 6, 6, 3), np.uint8),
    "label": RNG.integers(0, 2, 8).astype(np.int32),
    "polarity": RNG.integers(0, 2, 8).astype(np.int32),
    "mask": np.ones(8, bool),
}


class Small(Backbone):
    """A convolution, batch norm where asked for, dropout where asked for."""

    norm: bool = False

    TAP = "conv"

    def setup(self):
        self.conv = nn.Conv(4, (3, 3))
        self.bn = nn.BatchNorm(momentum=0.5)

    def features(self, images, train=False, last=None):
        x = self.conv(images)
        return {"conv": self.bn(x, use_running_average=not train) if self.norm else x}

    def embed(self, features, train=False):
        return features["conv"].mean((1, 2))


class Plain(Network):
    @nn.compact
    def __call__(self, images, train=False):
        _, taps = self.tapped(images, train, beyond=True)
        return {"class_logits": nn.Dense(self.num_classes)(self.embedded(taps, train))}


def updated(norm=False, ema=0.0, accumulate=1, updates=2, parallel=False):
    c = base.get_config()
    c.train.ema, c.train.accumulate = ema, accumulate
    model = Plain(backbone=Small(norm=norm), num_classes=2)
    factor = optim.schedule(c.optim, 10, 100)
    tx = optim.optimizer(c.optim, factor, False)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 6, 6, 3)))
    state = TrainState.create(variables, tx, ema > 0)
    step = jax.jit(train_step(model, tx, factor, c, None, INPUT))
    batch, history = BATCH, []
    if parallel:
        mesh = sharding.mesh()
        batch = sharding.put(BATCH, mesh)
        state = jax.device_put(state, sharding.replicated(mesh))
    for _ in range(updates):
        state, metrics = step(state, batch)
        history.append((state, metrics))
    return history


@pytest.mark.usefixtures("four_devices")
@pytest.mark.parametrize("norm", [False, True])
def test_four_devices_do_what_one_does(norm):
    one, four = updated(norm=norm), updated(norm=norm, parallel=True)
    chex.assert_trees_all_close(four[-1][0].params, one[-1][0].params, rtol=1e-4, atol=1e-6)
    # Batch norm sees the global batch.
    chex.assert_trees_all_close(
        four[-1][0].batch_stats, one[-1][0].batch_stats, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("parallel", [False, True])
def test_accumulated_gradients_are_those_of_the_whole_batch(parallel):
    whole = updated()
    parts = updated(accumulate=2, parallel=parallel)
    chex.assert_trees_all_close(parts[-1][0].params, whole[-1][0].params, rtol=1e-4, atol=1e-6)
    for name in ("loss", "accuracy", "gradient_norm"):
        np.testing.assert_allclose(parts[0][1][name], whole[0][1][name], rtol=1e-4)


def test_running_statistics_move_as_flax_says():
    first = updated(norm=True, updates=1)[0][0]
    x = normalise(BATCH["image"], INPUT.mean, INPUT.std)
    model = Plain(backbone=Small(norm=True), num_classes=2)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 6, 6, 3)))
    conv = variables["params"]["backbone"]["conv"]
    y = nn.Conv(4, (3, 3)).apply({"params": conv}, x)
    expected = 0.5 * 0 + 0.5 * y.mean((0, 1, 2))
    chex.assert_trees_all_close(
        first.batch_stats["backbone"]["bn"]["mean"], expected, rtol=1e-4, atol=1e-5
    )


def test_average_of_parameters():
    history = updated(ema=0.9, updates=2)
    (one, _), (two, _) = history
    expected = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, one.ema, two.params)
    chex.assert_trees_all_close(two.ema, expected, rtol=1e-5)
    chex.assert_trees_all_equal(two.variables()["params"], two.ema)


def test_normalise():
    out = normalise(BATCH["image"], (127.0,) * 3, (128.0,) * 3)
    np.testing.assert_allclose(out, (BATCH["image"].astype(float) - 127) / 128, rtol=1e-6)


def test_ten_crops_average_probabilities():
    model = Plain(backbone=Small(), num_classes=2)
    variables = model.init(jax.random.key(0), jnp.zeros((1, 6, 6, 3)))
    crops = RNG.integers(0, 256, (2, 5, 6, 6, 3), np.uint8)
    out = predict_step(model, INPUT)(variables, crops)
    for i in range(2):
        views = [*crops[i], *crops[i][:, :, ::-1]]
        single = [
            predict_step(model, INPUT)(variables, v[None])["class_probabilities"] for v in views
        ]
        np.testing.assert_allclose(out["ten_crop"][i], np.mean(single, 0)[0], rtol=1e-5)
        np.testing.assert_allclose(out["class_probabilities"][i], single[4][0], rtol=1e-5)


@pytest.mark.usefixtures("four_devices")
def test_batch_sizes_that_do_not_divide():
    sharding.check_batch_size("train.batch_size", 8, 2)
    with pytest.raises(UserError, match=r"train.batch_size=30 does not divide over 4 .*28 or 32"):
        sharding.check_batch_size("train.batch_size", 30)
    with pytest.raises(UserError, match="try 8"):
        sharding.check_batch_size("train.batch_size", 3, 2)
