"""What a trained network of ours says of photographs and of the most affective region of each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import rich.progress
from ml_collections import ConfigDict

from jaxsent.baselines import network_features, regions
from jaxsent.baselines.boxes import Boxes
from jaxsent.console import console
from jaxsent.data import augment, records
from jaxsent.errors import UserError
from jaxsent.models.inference import normalise
from jaxsent.run import folder
from jaxsent.run.checkpoint import read_run

VIEWS = 32  # that the network sees at once
IMAGES = 16  # whose views are held at once

RegionsOf = Callable[[str, np.ndarray], Boxes]
"""(name, photograph (H, W, 3) uint8) -> its boxes (n, 5), with objectness."""


class Network(NamedTuple):
    """A trained network that answers on views.

    Attributes:
      step: (B, S, S, 3) uint8 -> {"probabilities": (B, K), and "features": (B, D) where asked for}.
      image_size, resize: S, and the shorter side of a photograph that S is the centre of.
      interpolation: for enlarging.
      target: "label" or "polarity", what its classes are of.
      classes: their K names.
    """

    step: Callable[[np.ndarray], dict]
    image_size: int
    resize: int
    interpolation: str
    target: str
    classes: tuple[str, ...]


class Answers(NamedTuple):
    """What a network says of a split of N images, and of the region of each.

    Attributes:
      file: N names.
      truth: (N,) int32, -1 where not known.
      whole, region: (N, K) class probabilities; of an image without a region both are the whole's.
      features: (N, 2 D) of both, None where not asked for.
      boxes: of each image (n, 5), with its affective score.
    """

    file: list[str]
    truth: np.ndarray
    whole: np.ndarray
    region: np.ndarray
    features: np.ndarray | None
    boxes: list[Boxes]


def open_run(run: Path, featured: bool) -> Network:
    """A trained network at its best checkpoint; `featured`: with what its classifier reads.

    Raises:
      UserError: there is no finished run, or its network names no class or has no such features.
    """
    config = folder.read_config(run)
    model, expected = folder.network(ConfigDict(config["model"])), config["input"]
    variables = read_run(run, jax.sharding.SingleDeviceSharding(jax.local_devices()[0]))

    @jax.jit
    def step(variables, image):
        images = normalise(image, tuple(expected["mean"]), tuple(expected["std"]))
        outputs = model.apply(variables, images)
        if "class_logits" not in outputs:
            raise UserError(f"{run}: expected a network that names classes.")
        answers = {"probabilities": jax.nn.softmax(outputs["class_logits"].astype(jnp.float32))}
        if featured:
            parts = network_features.branches(model, variables, images)
            answers["features"] = network_features.joined(parts, "classification", str(run))
        return answers

    data = config["data"]
    return Network(
        lambda image: step(variables, image), data["image_size"], config["eval"]["resize"],
        expected["interpolation"], data["class_target"], tuple(config["labels"]["classes"]),
    )  # fmt: skip


def answer(network: Network, builder, split: str, regions_of: RegionsOf) -> Answers:
    """A network's answers on every photograph of a split and on its most affective region.

    Of a photograph the network sees the centre, as in evaluation, of a region all, squashed to its
    input. The region is the one of the highest objectness times sentiment score; an image without
    regions is seen as a whole alone.
    """
    examples = records.source(builder, split)
    columns = {name: [] for name in Answers._fields}
    parts = [range(len(examples))[i : i + IMAGES] for i in range(0, len(examples), IMAGES)]
    bar = rich.progress.track(
        parts, f"regions of {split}", console=console, disable=not console.is_terminal
    )
    with ThreadPoolExecutor() as threads:
        for part in bar:
            images = list(threads.map(lambda i: _views(network, regions_of, examples[i]), part))
            outputs = _in_batches(network.step, np.concatenate([views for _, views, _ in images]))
            ends = np.cumsum([len(views) for _, views, _ in images])[:-1]
            by_image = {name: np.split(values, ends) for name, values in outputs.items()}
            for k, (raw, _, boxes) in enumerate(images):
                probabilities = by_image["probabilities"][k]
                scored = regions.affective(boxes, probabilities[1:])
                chosen = 1 + scored[:, 4].argmax() if len(boxes) else 0
                columns["file"].append(records.text(raw["file"]))
                columns["truth"].append(raw[network.target])
                columns["whole"].append(probabilities[0])
                columns["region"].append(probabilities[chosen])
                columns["boxes"].append(scored)
                if "features" in by_image:
                    both = by_image["features"][k][[0, chosen]]
                    columns["features"].append(both.ravel())
    features = np.array(columns.pop("features")) if columns["features"] else None
    arrays = {name: np.array(columns[name]) for name in ("whole", "region")}
    truth = np.array(columns["truth"], np.int32)
    return Answers(columns["file"], truth, **arrays, features=features, boxes=columns["boxes"])


def _views(network: Network, regions_of: RegionsOf, raw: dict):
    """A stored example -> itself, the photograph's and its regions' views (1 + n, S, S, 3), boxes
    (n, 5)."""
    file, size = records.text(raw["file"]), network.image_size
    image = augment.decode(raw["image"], file)
    boxes = regions_of(file, image)
    shorter = augment.resize_shorter(image, network.resize, network.interpolation)
    views = [augment.centre_crop(shorter, size)]
    for x0, y0, x1, y1 in boxes[:, :4].astype(int):
        views.append(augment.resize(image[y0:y1, x0:x1], size, size, network.interpolation))
    return raw, np.stack(views), boxes


def _in_batches(step, views: np.ndarray) -> dict[str, np.ndarray]:
    """(n, S, S, 3) -> {name: (n, …)}, VIEWS at a time, so that one program is compiled."""
    missing = -len(views) % VIEWS
    padded = np.concatenate([views, np.zeros((missing, *views.shape[1:]), views.dtype)])
    batches = [jax.device_get(step(part)) for part in np.split(padded, len(padded) // VIEWS)]
    return {
        name: np.concatenate([batch[name] for batch in batches])[: len(views)]
        for name in batches[0]
    }
