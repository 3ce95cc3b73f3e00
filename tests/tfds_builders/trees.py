"""Small trees in the layouts of the sets: every photograph is noise of its own."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from jaxsent.data.batches import class_names, num_examples


def noise(name: str, height: int = 12, width: int = 16) -> np.ndarray:
    """uint8 (height, width, 3) that hangs on the name alone."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def photograph(path: Path, name: str = "", **options) -> None:
    """Save noise under a path; `name` chooses the noise, `options` are Pillow's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(name or str(path))).save(path, **options)


def grey(path: Path, values: np.ndarray, **options) -> None:
    """Save a grey map, uint8 (H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)


def stored(builder, split: str):
    """A split's examples, images as the bytes that are stored."""
    features = builder.info.features
    images = [name for name, f in features.items() if isinstance(f, tfds.features.Image)]
    undecoded = {name: tfds.decode.SkipDecoding() for name in images}
    return builder.as_data_source(split=split, decoders=undecoded)


def examples(builder, split: str) -> dict[str, dict]:
    """A split's examples by file."""
    return {e["file"].decode(): e for e in stored(builder, split)}


def sizes(builder) -> dict[str, int]:
    """{split: number of images}."""
    return {split: num_examples(builder, split) for split in builder.info.splits}


def labels(builder, split: str) -> dict[str, str]:
    """{file: label's name} of a split."""
    names = class_names(builder)
    return {file: names[e["label"]] for file, e in examples(builder, split).items()}


def told(caplog):
    """A context in which `caplog.text` holds what is told of a preparation."""
    return caplog.at_level(logging.INFO, "absl")
