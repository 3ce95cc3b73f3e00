"""What a run was made with, and its network, of config.json alone.

Apart from experiment.py, since prediction does without data sets and what reads them.
"""

import collections
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxsent import files, locks, models
from jaxsent.console import console
from jaxsent.errors import UserError, shown
from jaxsent.models.inference import predict_step
from jaxsent.models.precision import computed
from jaxsent.pretrained import Preprocessing
from jaxsent.run import ranges, sharding
from jaxsent.run.card import Card


def create(run: Path) -> None:
    """Makes a run's folder. Raises UserError where it cannot be written."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run):
            pass
    except OSError as error:
        raise UserError(
            f"workdir={run} cannot be written ({error.strerror}); choose another --workdir."
        ) from None


@contextlib.contextmanager
def training(run: Path) -> Iterator[None]:
    """Keeps a second training out of a run's folder; of many hosts the first holds the lock.

    Raises:
      UserError: another process trains there.
    """
    refusal = (
        f"{run} is in use: {{}} trains there. Wait for its end (the same command then goes on from "
        "its last checkpoint), or choose another --workdir."
    )
    with _locked(run / ".training.lock", refusal):
        yield


@contextlib.contextmanager
def evaluating(run: Path) -> Iterator[None]:
    """Lets one process at a time write a run's results; others wait, the last one's remain.

    They are not refused: a training that ends would end without its results.

    Raises:
      UserError: the folder cannot be written.
    """
    waiting = f"{run}: {{}} is evaluating it; waiting for its end."
    with _locked(run / ".evaluation.lock", waiting, wait=True):
        yield


@contextlib.contextmanager
def _locked(path: Path, refusal: str, wait: bool = False) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        error = None
        if jax.process_index() == 0:
            try:
                stack.enter_context(locks.held(path, refusal, wait))
            except UserError as refused:
                error = refused
        if sharding.anywhere(error is not None):
            raise error or UserError(
                f"{path.parent}: the first host cannot write there; it says why."
            )
        yield


def begun(run: Path) -> bool:
    """Whether a run has a checkpoint to go on from."""
    folder = run / "checkpoints"
    steps = folder.iterdir() if folder.is_dir() else ()
    return (run / "config.json").is_file() and any(step.name.isdigit() for step in steps)


def write_config(run: Path, config: dict) -> None:
    """config.json, whole or as it was before. Raises UserError where it cannot be written."""
    files.write_text(run / "config.json", json.dumps(config, indent=2, default=list) + "\n")


def read_config(run: Path) -> dict:
    """config.json of a run's folder. Raises UserError where there is none."""
    path = run / "config.json"
    if not path.is_file():
        raise UserError(f"{run}: expected a run's folder with config.json in it.")
    try:
        config = json.loads(path.read_text())
    except (OSError, RecursionError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}).") from None
    if not isinstance(config, dict):
        raise UserError(f"{path} is damaged (expected an object, found {type(config).__name__}).")
    return config


def read_results(run: Path) -> dict:
    """report/results.json, {} of a run that was not tested. Raises UserError where damaged."""
    path = run / "report" / "results.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); test the run again.") from None


def network(config):
    """`config.model` -> the Linen module; keys that this kind of network lacks are left aside."""
    options = {k: v for k, v in config.items() if k not in ("name", "num_classes", "backbone")}
    kind = models.options(config.name)
    options = {k: v for k, v in options.items() if k in kind}
    if config.dtype not in ("float32", "bfloat16"):
        raise UserError(f"model.dtype={config.dtype!r}: expected float32 or bfloat16.")
    options["dtype"] = dtype_of(config.dtype)
    if config.name not in models.NETWORKS:
        raise UserError(
            f"model.name={config.name!r}: expected one of {', '.join(models.NETWORKS)}; "
            "a backbone alone is model.name=classifier with model.backbone."
        )
    return models.build(config.name, config.num_classes, config.backbone, **options)


BROKEN_BFLOAT16 = (0, 11)
"""The first JAX whose CPU backend computes NaN of bfloat16: WSIDNet on VGG-16, with AMX."""


def dtype_of(name: str) -> jnp.dtype:
    """The dtype of the computation that `model.dtype` names.

    On a CPU, JAX 0.11 and later get float32 in place of bfloat16, with a line that says so, and no
    error: a run that was trained on a GPU is evaluated and served on other machines.
    """
    dtype = jnp.dtype(name)
    version = tuple(int(part) for part in jax.__version__.split(".")[:2])
    if dtype == jnp.bfloat16 and jax.default_backend() == "cpu" and version >= BROKEN_BFLOAT16:
        console.print(
            f"model.dtype=bfloat16: JAX {jax.__version__} can compute NaN with it on a CPU; "
            "computing in float32. JAX 0.10 keeps bfloat16.",
            soft_wrap=True,
        )
        dtype = jnp.dtype(jnp.float32)
    return dtype


def step_of(metadata: dict, embedding: bool = False) -> Callable:
    """config.json, or the metadata of an exported file, -> predict_step of its network.

    Raises:
      UserError: there is no such network, or a part is missing.
    """
    try:
        model, described = network(ConfigDict(metadata["model"])), metadata["input"]
        preprocessing = Preprocessing(tuple(described["mean"]), tuple(described["std"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"What it says of its network is damaged ({error!r}).") from None
    step = predict_step(model, preprocessing, embedding=embedding)
    return computed(step, metadata["model"].get("precision", "fast"))


LONGEST = 64
"""Of a list in what a model says of its network: more layers than any has."""


def built(metadata: dict, card: Card, path: Path) -> tuple[Any, dict]:
    """The network that a model says it is, and the shapes of its variables.

    Raises:
      UserError: there is no such network, or a number of it is outside its range.
    """
    try:
        options = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in metadata["model"].items()
        }
        if any(isinstance(value, tuple) and len(value) > LONGEST for value in options.values()):
            raise ValueError(f"more than {LONGEST} layers")
        ranges.check(collections.defaultdict(dict, model=options))
        model = network(ConfigDict(metadata["model"]))
        images = jax.ShapeDtypeStruct((1, card.image_size, card.image_size, 3), np.float32)
        return model, jax.eval_shape(model.init, jax.random.key(0), images)
    except UserError as error:
        raise UserError(f"{path}: {shown(error, 400)}") from None
    except Exception as error:  # Flax raises whatever a network of odd parts leads it to
        raise UserError(
            f"{path}: what it says of its network is damaged ({shown(error, 200)})."
        ) from None
