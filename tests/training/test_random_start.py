"""From random weights: what makes the papers' first steps finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import random_start, wscnet_fi, wscnet_twitter1, wsidnet_fi
from jaxsent.pretrained import Preprocessing
from jaxsent.run import folder
from jaxsent.run.state import TrainState
from jaxsent.training import optim
from jaxsent.training.step import train_step
from tests import tensors

SIZE = 64


def losses(config, steps: int) -> list[float]:
    """The loss of each step of the config's WSCNet, on ResNet-18 and small images."""
    config.model.backbone, config.model.num_classes = "resnet18", 8
    model = folder.network(config.model)
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))
    factor = optim.schedule(config.optim, 100, 1000)
    tx = optim.optimizer(config.optim, factor, False)
    state = TrainState.create(variables, tx, False)
    step = jax.jit(train_step(model, tx, factor, config, None, Preprocessing()))
    values = []
    for i in range(steps):
        batch = tensors.batch(i, 8, SIZE, 8)
        state, metrics = step(state, {key: batch[key] for key in ("image", "label", "mask")})
        values.append(float(metrics["loss"]))
    return values


@pytest.mark.slow
def test_the_first_steps_are_finite():
    values = losses(random_start.get_config(), 8)
    assert np.isfinite(values).all()


@pytest.mark.slow
def test_the_papers_own_first_steps_are_not():
    """Else nothing of it would be needed."""
    assert not np.isfinite(losses(wscnet_fi.get_config(), 12)).all()


@pytest.mark.parametrize(
    ("part", "plain", "residual"),
    [
        ("wscnet_fi", wscnet_fi.get_config(), True),
        ("wscnet_twitter1:agree4_fold2", wscnet_twitter1.get_config("agree4_fold2"), True),
        ("wsidnet_fi", wsidnet_fi.get_config(), False),
    ],
)
def test_the_part_is_the_config_that_starts_so(part, plain, residual):
    config = random_start.get_config(part)
    assert (config.optim.clip, config.model.zero_init_residual) == (1.0, residual)
    plain.optim.clip, plain.model.zero_init_residual = 1.0, residual
    assert config.to_dict() == plain.to_dict()
