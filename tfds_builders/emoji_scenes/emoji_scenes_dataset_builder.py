"""Builder of emoji_scenes: nothing is read, every scene is a function of (seed, split, index)."""

import dataclasses
import io
from typing import ClassVar

import cv2
import numpy as np
import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY, POSITIVE
from tfds_builders.card import Card
from tfds_builders.emoji_scenes import scenes

SPLITS = ("train", "test")


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """Scenes of each split, side in pixels, seed. Another choice needs another name."""

    train: int = 2400
    test: int = 600
    size: int = 224
    seed: int = 0


class Builder(tfds.core.GeneratorBasedBuilder):
    """DatasetBuilder for emoji_scenes."""

    CARD = Card(
        title="generated scenes of emoji in Mikels' eight emotions with exact masks",
        images=3_000,
        classes=scenes.CLASSES,
        layout="",
        source="Nothing to get: it is drawn here.",
        homepage="https://openmoji.org/",
        licence="CC BY-SA 4.0: drawings by OpenMoji, the open-source emoji and icon project.",
    )
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "OpenMoji 17."}
    BUILDER_CONFIGS: ClassVar = [
        Config(name="default", description="2,400 train and 600 test scenes of 224 x 224."),
        Config(
            name="tiny", description="64 train and 32 test scenes, for tests.", train=64, test=32
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.size
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(names=list(scenes.CLASSES)),
                    "polarity": tfds.features.ClassLabel(names=list(POLARITY)),
                    "file": tfds.features.Text(),
                    "region": tfds.features.Image(shape=(size, size, 1), encoding_format="png"),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=self.CARD.homepage,
            license=self.CARD.licence,
        )

    def _split_generators(self, dl_manager):
        del dl_manager
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split):
        config = self.builder_config
        for index in range(getattr(config, split)):
            label = index % len(scenes.CLASSES)
            rng = np.random.default_rng([config.seed, SPLITS.index(split), index])
            image, region = scenes.compose(rng, label, split, config.size)
            yield (
                index,
                {
                    "image": _encode(".jpg", image[..., ::-1], cv2.IMWRITE_JPEG_QUALITY, 92),
                    "label": label,
                    "polarity": int(scenes.CLASSES[label] in POSITIVE),
                    "file": f"{split}/{index:06d}.jpg",
                    "region": _encode(".png", region, cv2.IMWRITE_PNG_COMPRESSION, 3),
                },
            )


def _encode(suffix: str, image: np.ndarray, option: int, value: int) -> io.BytesIO:
    """A file object, since TFDS would need TensorFlow to encode an array."""
    _, data = cv2.imencode(suffix, image, [option, value])
    return io.BytesIO(data.tobytes())
