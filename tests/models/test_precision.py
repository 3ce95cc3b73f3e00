"""`model.precision`: which products are asked for, forwards and backwards; none is narrowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core
from jax.lax import Precision
from ml_collections import ConfigDict

from configs import base
from jaxsent.evaluation import evaluate
from jaxsent.models import dense, pooling
from jaxsent.models.precision import computed
from jaxsent.pretrained import Preprocessing
from jaxsent.run import experiment, folder, initial
from jaxsent.run.state import TrainState
from jaxsent.training import crops, optim
from jaxsent.training.step import train_step
from tests.training.test_step import BATCH, Plain, Small

PRODUCTS = ("dot_general", "conv_general_dilated")


def equations(jaxpr):
    """All of a program, those of the programs inside it too."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: isinstance(x, core.ClosedJaxpr)
        ):
            if isinstance(value, (core.ClosedJaxpr, core.Jaxpr)):
                yield from equations(getattr(value, "jaxpr", value))


def precisions(function, *arguments):
    """What each product of a function asks for."""
    program = jax.make_jaxpr(function)(*arguments)
    products = [e for e in equations(program.jaxpr) if e.primitive.name in PRODUCTS]
    return {precision for e in products for precision in (e.params["precision"] or (None,))}


def trained(precision):
    """A training step and its arguments."""
    c = base.get_config()
    c.model.precision = precision
    model = Plain(backbone=Small(), num_classes=2)
    factor = optim.schedule(c.optim, 10, 100)
    tx = optim.optimizer(c.optim, factor, False)
    state = TrainState.create(model.init(jax.random.key(0), jnp.zeros((1, 6, 6, 3))), tx, False)
    return train_step(model, tx, factor, c, None, Preprocessing()), state, BATCH


@pytest.fixture
def devices_own():
    """Without the tests' own setting."""
    with jax.default_matmul_precision(None):
        yield


@pytest.mark.usefixtures("devices_own")
@pytest.mark.parametrize(("name", "asked"), [("fast", None), ("exact", Precision.HIGHEST)])
def test_a_training_step_asks_for_it_in_every_product(name, asked):
    assert precisions(*trained(name)) == {asked}


@pytest.mark.usefixtures("devices_own")
def test_exact_ends_with_the_function():
    x = np.ones((2, 2), np.float32)
    assert precisions(computed(jnp.dot, "exact"), x, x) == {Precision.HIGHEST}
    assert precisions(jnp.dot, x, x) == {None}


def test_fast_leaves_what_a_person_set():
    x = np.ones((2, 2), np.float32)
    with jax.default_matmul_precision("high"):
        assert precisions(computed(jnp.dot, "fast"), x, x) == {Precision.HIGH}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_no_product_is_narrower_than_what_it_is_of(dtype):
    """cuBLAS refuses a float64 product with a float32 result."""
    with jax.enable_x64(True):
        f = jnp.ones((1, 2, 2, 3), dtype)
        wide = "float64" if dtype == "float64" else "float32"
        functions = {
            "float32_product": lambda: dense.float32_product(f, jnp.ones((3, 2), dtype)),
            "activation_maps": lambda: pooling.activation_maps(f, jnp.ones((3, 2), dtype)),
            "couple": lambda: pooling.couple(jnp.ones((1, 2, 2), wide), f, "local"),
            "node_features": lambda: pooling.node_features(jnp.ones((1, 2, 2, 5), wide), f),
        }
        assert {name: str(make().dtype) for name, make in functions.items()} == dict.fromkeys(
            functions, wide
        )


@pytest.mark.usefixtures("devices_own")
@pytest.mark.parametrize(("name", "asked"), [("fast", None), ("exact", Precision.HIGHEST)])
def test_a_stored_model_predicts_as_it_was_asked_to(name, asked):
    model = {"name": "cam", "backbone": "alexnet", "num_classes": 2, "dtype": "float32"}
    metadata = {
        "model": model | {"precision": name}, "input": Preprocessing()._asdict()
    }  # fmt: skip
    network = folder.network(ConfigDict(metadata["model"]))
    images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.uint8)
    floats = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), floats)
    assert precisions(folder.step_of(metadata), variables, images) == {asked}
    assert precisions(folder.step_of({**metadata, "model": model}), variables, images) == {None}


@pytest.mark.parametrize("split", ["train", "test"])
def test_evaluation_and_crops_are_as_the_config_asks(split, tiny_config, monkeypatch):
    """Of what reads a network beside training: which precision it is given."""
    asked = []

    def recorded(function, precision):
        asked.append(precision)
        return function

    monkeypatch.setattr(evaluate, "computed", recorded)
    monkeypatch.setattr(crops, "computed", recorded)
    tiny_config.model.precision = "exact"
    task = experiment.make(tiny_config)
    if split == "test":
        evaluate.accuracy_and_loss(task, initial.random_variables(task), split)
    else:
        crops.reader(task)
    assert asked == ["exact"]
