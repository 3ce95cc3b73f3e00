"""Who computes with a trained network: JAX or onnxruntime, whichever can and is faster.

A model is a run's folder, a file of `jaxsent export`, or what `jaxsent push` wrote: a folder, or
`hf:OWNER/NAME` on the hub. None of them can run code on being opened.
"""

import importlib.util
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.errors import UserError, shown
from jaxsent.run.card import Card, card_of
from jaxsent.startup import keep_programs

CHOICES = ("auto", "jax", "onnx")
RACE = 0.3  # seconds after which no further round begins
SAME = 1e-2  # a network and its own export differ less in every probability


class Engine(NamedTuple):
    """A network that runs.

    Attributes:
      name: who computes: "JAX", "onnxruntime" or "the faster".
      card: names and geometry.
      network: (B, S, S, 3) uint8 -> predictions of inference.predict_step, as NumPy arrays.
    """

    name: str
    card: Card
    network: Callable[[np.ndarray], dict[str, np.ndarray]]


def start(model: str | Path, choice: str = "auto") -> Engine:
    """Opens a model.

    Args:
      model: where it is.
      choice: of CHOICES. "auto" takes what the model allows; where that is both (a folder with
        `model.onnx` in it) and JAX has only a CPU, the faster, see `faster`.

    Raises:
      UserError: there is none, it is damaged, or the engine cannot run it.
    """
    if choice not in CHOICES:
        raise UserError(f"--engine {choice}: expected one of {', '.join(CHOICES)}.")
    path = _locate(model, choice)
    with_jax, with_onnx = _ways(path)
    if choice == "onnx":
        if not with_onnx:
            raise UserError(f"{path}: onnxruntime needs an .onnx file; {_export(path)}")
        return with_onnx()
    if not with_jax:
        if choice == "jax":
            raise UserError(f"{path}: JAX cannot run it; pass the run, or a .jaxexport of it.")
        return with_onnx()
    keep_programs(at_least=0.3)
    engine = with_jax()
    if choice == "auto" and with_onnx and _on_cpu() and importlib.util.find_spec("onnxruntime"):
        return faster(engine, with_onnx())
    return engine


def faster(reference: Engine, other: Engine) -> Engine:
    """Either of two engines of one network, for each batch size the one that was faster at first.

    stderr is told; `reference` it is where `other` says something else of the same images.
    """
    fastest = {}

    def network(images: np.ndarray) -> dict[str, np.ndarray]:
        if len(images) not in fastest:
            fastest[len(images)] = _race(reference, other, images)
        return fastest[len(images)].network(images)

    return Engine("the faster", reference.card, network)


def _race(reference: Engine, other: Engine, images: np.ndarray) -> Engine:
    engines = (reference, other)
    first, second = (engine.network(images)["class_probabilities"] for engine in engines)
    if first.shape != second.shape or np.abs(first - second).max() > SAME:
        _log("model.onnx is of other weights than those beside it, and not used: export it again.")
        return reference
    rounds, began = [], time.perf_counter()
    while len(rounds) < 3 and time.perf_counter() - began < RACE:
        rounds.append([_time(engine, images) for engine in engines])
    seconds = np.min(rounds, axis=0) / len(images)
    best = engines[int(np.argmin(seconds))]
    times = ", ".join(f"{e.name} {1000 * t:.0f} ms" for e, t in zip(engines, seconds))
    _log(f"{times} a photograph, {len(images)} at a time: {best.name}.")
    return best


def _time(engine: Engine, images: np.ndarray) -> float:
    began = time.perf_counter()
    engine.network(images)
    return time.perf_counter() - began


def _log(text: str) -> None:
    print(text, file=sys.stderr)


def _export(path: Path) -> str:
    return f"Write one by: jaxsent export {path} --format onnx"


def _on_cpu() -> bool:
    import jax

    return jax.default_backend() == "cpu"


def _locate(model: str | Path, choice: str) -> Path:
    if str(model).startswith("hf:"):
        from jaxsent.export.hub import fetch

        return fetch(str(model).removeprefix("hf:"), choice)
    return Path(model).expanduser()


def _ways(path: Path) -> tuple[Callable[[], Engine] | None, Callable[[], Engine] | None]:
    """How JAX and onnxruntime would open it, each None where it cannot."""
    if path.is_dir():
        weights, exported = path / "model.safetensors", path / "model.onnx"
        with_onnx = partial(_onnx, exported) if exported.is_file() else None
        if (path / "checkpoints").is_dir() or not (weights.is_file() or with_onnx):
            return partial(_run, path), with_onnx
        return partial(_safetensors, weights) if weights.is_file() else None, with_onnx
    if not path.is_file():
        raise UserError(f"{path}: there is no such file or folder; expected a run or an export.")
    if path.suffix == ".onnx":
        return None, partial(_onnx, path)
    if path.suffix in (".jaxexport", ".safetensors"):
        return partial({".jaxexport": _stablehlo}.get(path.suffix, _safetensors), path), None
    raise UserError(
        f"{path}: expected a run's folder, hf:OWNER/NAME, or a .jaxexport, .onnx or .safetensors "
        "that `jaxsent export` wrote; other weights do not say which network they are of."
    )


def _run(run: Path) -> Engine:
    import jax

    from jaxsent.run.checkpoint import read_run
    from jaxsent.run.folder import built, read_config, read_results

    config = read_config(run) | {"results": read_results(run)}
    card = card_of(config, run / "config.json")
    built(config, card, run / "config.json")
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return _jax_engine(config, card, read_run(run, device))


def _safetensors(path: Path) -> Engine:
    import jax

    from jaxsent.export.weights_file import read

    metadata, _, variables = read(path)
    return _jax_engine(metadata, card_of(metadata, path), jax.device_put(variables))


def _jax_engine(metadata: dict, card: Card, variables: dict) -> Engine:
    from jaxsent.export.memory import judged
    from jaxsent.models import SUPERVISED
    from jaxsent.models.settled import compiled
    from jaxsent.run.folder import step_of

    if metadata["model"]["name"] in SUPERVISED:
        raise UserError(
            f"model.name={metadata['model']['name']} predicts maps and no classes; expected a "
            "network that classifies photographs."
        )
    step = compiled(step_of(metadata, embedding=True))
    return Engine("JAX", card, judged(step, variables, "The model"))


def _stablehlo(path: Path) -> Engine:
    from jaxsent.export import stablehlo_file

    return _exported("JAX", path, *stablehlo_file.read(path))


def _onnx(path: Path) -> Engine:
    from jaxsent.export import onnx_file

    return _exported("onnxruntime", path, *onnx_file.read(path))


WITHOUT_NAMES = ("sentiment_map", "affect", "strangeness")
"""Outputs that are not one number for each class."""
AXES = {
    "class_probabilities": 2, "detect_probabilities": 2, "class_maps": 4, "sentiment_map": 3,
    "affect": 2, "strangeness": 1,
}  # fmt: skip


def _exported(name: str, path: Path, metadata: dict, network: Callable, shapes: dict) -> Engine:
    """Raises UserError where a file's names and geometry are not those of its network's arrays.

    `shapes` are those of its outputs, None for the batch, and perhaps of "image".
    """
    card = card_of(metadata, path)
    side, answers = card.image_size, {k: v for k, v in shapes.items() if k != "image"}
    maps = len(card.emotions or card.classes)
    counts = {"class_probabilities": len(card.classes), "detect_probabilities": len(card.emotions)}
    widths = {key: shape[-1] for key, shape in answers.items() if key not in WITHOUT_NAMES}
    expected = {key: (counts | {"class_maps": maps}).get(key) for key in widths}
    if "class_probabilities" not in widths or widths != expected:
        raise UserError(
            f"{path}: its network says {shown(widths, 200)}, its labels are "
            f"{shown(expected, 200)}; it is damaged."
        )
    image = shapes.get("image", (None, side, side, 3))
    if image != (None, side, side, 3) or any(len(s) != AXES.get(k) for k, s in answers.items()):
        raise UserError(
            f"{path}: its network reads {image} and answers {shown(answers, 200)}; its labels are "
            f"for images of {side} pixels; it is damaged."
        )

    def answered(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = network(images)
        counts = {key: np.shape(array)[:1] for key, array in outputs.items()}
        if set(counts.values()) != {(len(images),)}:
            raise UserError(f"{path}: its network answers {len(images)} images with {counts}.")
        return outputs

    return Engine(name, card, answered)
