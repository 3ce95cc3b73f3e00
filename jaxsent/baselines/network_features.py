"""What a network sees in images, for an SVM: WSCNet's ImageNet features, and its branches' fused.

WSCNet (IV-B2) shows "fully-connected features extracted from the ImageNet CNN with LIBSVM", and
(IV-C2) fuses "features from the detection and classification branches".
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxsent import models, pretrained
from jaxsent.baselines.feature_file import FeatureTable
from jaxsent.data.batches import eval_batches, num_examples
from jaxsent.errors import UserError
from jaxsent.models.inference import LAST, normalise, watched
from jaxsent.pretrained.sources import PACKAGES
from jaxsent.run import folder
from jaxsent.run.checkpoint import read_run

BATCH = 32
BRANCHES = ("both", "classification", "detection")
MARGIN = 256 / 224  # shorter side of an image over the crop's, as torchvision's


class Extractor(NamedTuple):
    """A network that gives features.

    Attributes:
      step: (B, S, S, 3) uint8 -> (B, D) float32.
      image_size: S.
      resize: pixels of the shorter side before the central crop; 0: the image is squashed to S.
      interpolation: for enlarging.
    """

    step: Callable[[np.ndarray], jax.Array]
    image_size: int
    resize: int
    interpolation: str


def open_model(model: str, branch: str = "both") -> Extractor:
    """RUN, BACKBONE=FILE or the name of an EfficientNet-Lite -> its extractor.

    A backbone's features are what its last fully-connected layer reads: fc7 of VGG and AlexNet, the
    pooled last map of others. `branch` is a run's, see `of_run`.

    Raises:
      UserError: there is no such model, or it has no such branch.
    """
    if branch not in BRANCHES:
        raise UserError(f"--branch {branch}: expected one of {', '.join(BRANCHES)}.")
    backbone, _, weights = model.partition("=")
    if weights or model in models.BACKBONES:
        if not weights and model not in PACKAGES:
            raise UserError(f"{model}: say where its weights are, {model}=FILE.")
        return of_backbone(backbone, weights or model)
    if not Path(model).is_dir():
        raise UserError(
            f"{model}: expected a run's folder, or BACKBONE=FILE with one of "
            f"{', '.join(models.BACKBONES)}."
        )
    return of_run(Path(model), branch)


def of_backbone(backbone: str, weights: str) -> Extractor:
    """An ImageNet network, with weights as init.weights takes them. Raises UserError."""
    if backbone not in models.BACKBONES:
        raise UserError(f"There is no backbone {backbone!r}; {', '.join(models.BACKBONES)}.")
    expected = pretrained.preprocessing(weights, backbone)
    network = models.build(backbone, num_classes=1000)

    def embedded(module, images):
        return module.embed(module.features(images))

    images = jax.ShapeDtypeStruct((1, expected.size, expected.size, 3), jnp.float32)
    shapes = jax.eval_shape(
        lambda key, x: network.init(key, x, method=embedded), jax.random.key(0), images
    )
    variables = jax.device_put(pretrained.load(weights, network, shapes))

    @jax.jit
    def step(variables, image):
        x = normalise(image, expected.mean, expected.std)
        return network.apply(variables, x, method=embedded).astype(jnp.float32)

    resize = round(expected.size * MARGIN)
    return Extractor(
        lambda image: step(variables, image), expected.size, resize, expected.interpolation
    )


def of_run(run: Path, branch: str = "both") -> Extractor:
    """A trained network of ours, at its best checkpoint.

    "classification": what its classifier reads; "detection": the pooled detection vector v (Eq. 1);
    "both": one behind the other, or the former alone where there is no detection branch.

    Raises:
      UserError: there is no finished run, or its network has no such branch.
    """
    config = folder.read_config(run)
    network = folder.network(ConfigDict(config["model"]))
    variables = read_run(run, jax.sharding.SingleDeviceSharding(jax.local_devices()[0]))
    seen = config["input"]

    @jax.jit
    def step(variables, image):
        images = normalise(image, tuple(seen["mean"]), tuple(seen["std"]))
        return joined(branches(network, variables, images), branch, str(run))

    return Extractor(
        lambda image: step(variables, image), config["data"]["image_size"],
        config["eval"]["resize"], seen["interpolation"],
    )  # fmt: skip


def branches(network, variables: dict, images: jax.Array) -> dict[str, jax.Array]:
    """(B, H, W, 3) normalised -> {"classification": (B, D), "detection": (B, C)}, those there are,
    float32."""
    with watched() as read:
        outputs = network.apply(variables, images)
    caught = {"classification": read[LAST]} if LAST in read else {}
    if "detect_logits" in outputs:
        caught["detection"] = outputs["detect_logits"].astype(jnp.float32)
    return caught


def joined(parts: dict[str, jax.Array], branch: str, source: str) -> jax.Array:
    """The parts of `branches` -> (B, D) of one or both. Raises UserError where there is none."""
    wanted = ("classification", "detection") if branch == "both" else (branch,)
    chosen = [parts[name] for name in wanted if name in parts]
    if not chosen:
        raise UserError(
            f"{source}: its network has no features of the branch {branch}; it has "
            f"{', '.join(parts) or 'no layer between its maps and its classes'}."
        )
    return jnp.concatenate(chosen, axis=-1)


def extract(extractor: Extractor, builder, splits=None) -> FeatureTable:
    """Features of every image of a prepared set, split by split, in order.

    Args:
      extractor: of `open_model`.
      builder: the set, of `prepare`.
      splits: names; None for all that have images.

    Raises:
      UserError: a split is not there or an image does not decode.
    """
    splits = [s for s in splits or builder.info.splits if num_examples(builder, s)]
    columns = {name: [] for name in FeatureTable._fields}
    for split in splits:
        for batch, features in _batches(extractor, builder, split):
            real = batch["mask"]
            columns["features"].append(features[real])
            for name in ("label", "polarity"):
                columns[name].append(batch[name][real])
            columns["file"].append(np.array([str(f) for f in np.array(batch["file"])[real]]))
            columns["split"].append(np.full(real.sum(), split))
    return FeatureTable(**{name: np.concatenate(parts) for name, parts in columns.items()})


def _batches(extractor: Extractor, builder, split: str) -> Iterator[tuple[dict, np.ndarray]]:
    size, resize = extractor.image_size, extractor.resize
    whole = {} if resize else {"whole": size}
    batches = eval_batches(
        builder, split, batch_size=BATCH, image_size=size, resize=resize or size,
        enlarging=extractor.interpolation, **whole,
    )  # fmt: skip
    for batch in batches:
        yield batch, np.asarray(extractor.step(batch["image" if resize else "whole"]))
