"""TPU slices without a TPU: steps lowered for them, and what devices tell each other in a step.

The program for 8, 64 or 256 chips needs no chip: an abstract mesh stands for them. What goes over
the wires is decided when XLA splits the program, which it does for CPU devices alike.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh, AxisType

from configs import base
from jaxsent import emotions, models
from jaxsent.models.inference import predict_step
from jaxsent.models.precision import computed
from jaxsent.pretrained import Preprocessing
from jaxsent.run import sharding
from jaxsent.run.state import TrainState
from jaxsent.training import optim
from jaxsent.training.step import train_step

ROOT = Path(__file__).parents[1]
SIZE, PER_DEVICE = 64, 4
COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "reduce-scatter", "collective-permute")


class Program(NamedTuple):
    """A jitted step, the shapes of what it takes, and the parameters among them."""

    step: object
    arguments: tuple
    parameters: dict


def shapes(batch_size):
    return {
        "image": jax.ShapeDtypeStruct((batch_size, SIZE, SIZE, 3), jnp.uint8),
        "label": jax.ShapeDtypeStruct((batch_size,), jnp.int32),
        "polarity": jax.ShapeDtypeStruct((batch_size,), jnp.int32),
        "mask": jax.ShapeDtypeStruct((batch_size,), jnp.bool_),
    }


def network(name, backbone, dtype="float32"):
    model = models.build(name, 8, backbone=backbone, dtype=jnp.dtype(dtype))
    images = jnp.zeros((1, SIZE, SIZE, 3))
    return model, jax.eval_shape(model.init, jax.random.key(0), images)


def training(mesh, count, name="wscnet", backbone="resnet18", dtype="float32"):
    """As loop.py jits it: state everywhere, the batch split."""
    c = base.get_config()
    c.model.dtype, c.data.class_target = dtype, "label"
    model, variables = network(name, backbone, dtype)
    factor = optim.schedule(c.optim, 100, 1000)
    tx = optim.optimizer(c.optim, factor, False)
    state = jax.eval_shape(lambda v: TrainState.create(v, tx, False), variables)
    everywhere, split = sharding.replicated(mesh), sharding.by_batch(mesh)
    step = train_step(model, tx, factor, c, emotions.polarity(emotions.MIKELS), Preprocessing())
    step = jax.jit(
        step, in_shardings=(everywhere, split), out_shardings=everywhere, donate_argnums=0
    )
    return Program(step, (state, shapes(count * PER_DEVICE)), variables["params"])


def prediction(mesh, count, name="wscnet", backbone="resnet18"):
    """As evaluate.py jits it."""
    model, variables = network(name, backbone)
    everywhere, split = sharding.replicated(mesh), sharding.by_batch(mesh)
    step = jax.jit(
        computed(predict_step(model, Preprocessing()), "fast"),
        in_shardings=(everywhere, split), out_shardings=split,
    )  # fmt: skip
    images = shapes(count * PER_DEVICE)["image"]
    return Program(step, (variables, images), variables["params"])


def slice_of(count):
    """A mesh of so many chips that are not there."""
    return AbstractMesh((count,), ("data",), axis_types=(AxisType.Auto,))


@pytest.mark.parametrize("chips", [8, 64, 256])
@pytest.mark.parametrize("made", [training, prediction])
def test_a_step_lowers_for_a_slice(made, chips):
    program = made(slice_of(chips), chips)
    lowered = program.step.trace(*program.arguments).lower(lowering_platforms=("tpu",))
    text = lowered.as_text()
    assert f"num_partitions = {chips} " in text
    assert re.search(rf'"data"\s*=\s*{chips}\b', text)
    batch = rf"tensor<{chips * PER_DEVICE}x{SIZE}x{SIZE}x3xui8>"
    # Every chip gets its share of the images.
    assert re.search(rf'{batch} {{[^}}]*sdy\.sharding = #sdy\.sharding<@mesh, \[{{"data"}}', text)


@pytest.mark.slow
@pytest.mark.parametrize("network", [("wsidnet", "vgg16"), ("wscnet", "resnet101")])
def test_the_papers_networks_lower_in_bfloat16(network):
    program = training(slice_of(256), 256, *network, dtype="bfloat16")
    lowered = program.step.trace(*program.arguments).lower(lowering_platforms=("tpu",))
    assert "num_partitions = 256 " in lowered.as_text()


def collectives(program):
    """[(kind, the shapes that it moves)] of the program that each device runs."""
    text = program.step.lower(*program.arguments).compile().as_text()
    pattern = rf"= (.*?) ({'|'.join(COLLECTIVES)})(?:-start)?\("
    return [(kind, re.findall(r"\w+\[([\d,]*)\]", moved)) for moved, kind in
            re.findall(pattern, text)]  # fmt: skip


def numbers(moved):
    """How many numbers such shapes are, one each with the shape "" of a scalar."""
    total = 0
    for shape in moved:
        size = 1
        for side in filter(None, shape.split(",")):
            size *= int(side)
        total += size
    return total


@pytest.mark.usefixtures("four_devices")
@pytest.mark.parametrize(
    ("backbone", "norms"),
    [("alexnet", 0), pytest.param("resnet18", 20, marks=pytest.mark.slow)],
)
def test_a_training_step_sends_its_gradients_once(backbone, norms):
    """One all-reduce has them, another the number of images; batch norm adds one forward and one
    backward for each layer at most, which have the gradients of its scale and bias."""
    program = training(sharding.mesh(), 4, backbone=backbone)
    sent = collectives(program)
    assert {kind for kind, _ in sent} == {"all-reduce"}
    sizes = sorted(numbers(moved) for _, moved in sent)
    count = sum(x.size for x in jax.tree.leaves(program.parameters))
    assert len(sizes) <= 2 * norms + 2
    assert sizes[-1] > 0.99 * count
    assert count <= sum(sizes) < 1.002 * count + 100  # and the terms of the loss


@pytest.mark.usefixtures("four_devices")
def test_a_prediction_sends_nothing():
    assert collectives(prediction(sharding.mesh(), 4)) == []


def test_the_page_has_what_its_script_calculates():
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    printed = subprocess.check_output(
        [sys.executable, ROOT / "benchmarks" / "scale_model.py"], text=True
    )
    for part in printed.strip().split("\n\n"):
        assert part in page, "run python benchmarks/scale_model.py and put its tables there"


@pytest.mark.parametrize(("name", "backbone"), [("wsidnet", "vgg16"), ("wscnet", "resnet101")])
def test_the_script_knows_how_many_parameters_there_are(name, backbone):
    printed = (ROOT / "benchmarks" / "scale_model.py").read_text("utf-8")
    size = 448 if name == "wscnet" else 224
    model = models.build(name, 8, backbone=backbone)
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    count = sum(x.size for x in jax.tree.leaves(variables["params"]))
    norms = sum(
        "mean" in str(path)
        for path, _ in jax.tree_util.tree_leaves_with_path(variables.get("batch_stats", {}))
    )
    assert f"{count:_}, {norms})" in printed
