"""What a run starts from: random variables, weights that others trained, another run's."""

from pathlib import Path

import jax
import jax.numpy as jnp

from jaxsent import pretrained
from jaxsent.console import console
from jaxsent.run import sharding
from jaxsent.run.checkpoint import check_shapes, read_run
from jaxsent.run.experiment import Experiment


def random_variables(experiment: Experiment) -> dict:
    """{"params", "batch_stats"} on all devices, drawn with the config's seed."""
    size = experiment.config.data.image_size
    images = jnp.zeros((1, size, size, 3), jnp.float32)
    init = jax.jit(
        lambda key: experiment.model.init(key, images),
        out_shardings=sharding.replicated(experiment.mesh),
    )
    return init(jax.random.key(experiment.config.seed))


def initial_variables(experiment: Experiment) -> dict:
    """{"params", "batch_stats"} on all devices: random, then weights, then another run's."""
    config, model = experiment.config, experiment.model
    everywhere = sharding.replicated(experiment.mesh)
    variables = random_variables(experiment)
    if config.init.weights and (Path(config.init.weights).expanduser() / "checkpoints").is_dir():
        variables = _from_run(Path(config.init.weights).expanduser(), "all", variables, model)
    elif config.init.weights:
        variables = pretrained.load(config.init.weights, model, variables, report=console.print)
    elif not config.init.checkpoint:
        console.print(_of_random_start(config), soft_wrap=True)
    if config.init.checkpoint:
        if set(model.backbone.TOP) & variables["params"].get("backbone", {}).keys():
            _warn_of_top(config.init)
        variables = _from_run(Path(config.init.checkpoint), config.init.scope, variables, model)
    return jax.device_put(variables, everywhere)


def _of_random_start(config) -> str:
    """What a run without weights is told before it trains."""
    text = (
        f"No init.weights: starting from random ones, {config.model.name} on "
        f"{config.model.backbone}. Both papers start from ImageNet, such as "
        "--config.init.weights=hf:timm/vgg16.tv_in1k or a torchvision .pth file."
    )
    if not config.optim.clip:
        # WSCNet on ResNet-101 at its paper's rates is not finite at step 5; so clipped it trains.
        text += (
            " From random ones the papers' rates can make the loss infinite within a few steps; "
            "--config random_start:CONFIG is the same config with settings that keep it finite, of "
            "which --config.optim.clip=1 is the first."
        )
    return text


def _warn_of_top(init) -> None:
    """The layers behind the feature maps are no part of these scopes."""
    if init.scope in ("features", "detection") and not init.weights:
        console.print(
            f"init.scope={init.scope} leaves the fully-connected layers of the backbone out, and "
            "without init.weights they start from random ones; the paper's are ImageNet's.",
            soft_wrap=True,
        )


def _from_run(run: Path, scope: str, variables: dict, model) -> dict:
    """The best variables of a finished run in place of those that `scope` names.

    "all"; "backbone"; "features": the backbone without the layers behind its feature maps, which
    the classification branch alone reads; "detection": the features and the detection branch.
    """
    stored = read_run(run, jax.tree.leaves(variables)[0].sharding)
    parts = {"backbone": {"backbone"}, "features": {"backbone"}}
    parts = parts | {"detection": {"backbone", "detector"}}
    names = parts.get(scope)
    top = model.backbone.TOP if scope in ("features", "detection") else ()

    def within(trees):
        chosen = {name: tree for name, tree in trees.items() if names is None or name in names}
        if top and "backbone" in chosen:
            layers = chosen["backbone"].items()
            chosen["backbone"] = {name: tree for name, tree in layers if name not in top}
        return chosen

    merged = {}
    for kind, trees in variables.items():
        check_shapes(str(run), within(stored[kind]), within(trees))
        merged[kind] = trees | within(stored[kind])
        if top and "backbone" in trees:
            merged[kind]["backbone"] = trees["backbone"] | within(stored[kind])["backbone"]
    return merged
