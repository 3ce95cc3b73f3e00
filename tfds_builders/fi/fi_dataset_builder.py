"""Builder of FI from a user's folder in any of its layouts."""

from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import MIKELS
from tfds_builders.base import FolderBuilder, SeededConfig
from tfds_builders.card import Card
from tfds_builders.fi import layouts
from tfds_builders.found import Found


class Builder(FolderBuilder):
    """DatasetBuilder for FI."""

    CARD = Card(
        title="photographs of Flickr and Instagram in Mikels' eight emotions",
        images=layouts.TOTAL,
        classes=MIKELS,
        layout=(
            "a folder with Images/ and {Train,Val,Test}Images.txt of label/name lines, or "
            "{train,val,test}/<emotion>/*.jpg, or emotion_dataset/<emotion>/*.jpg"
        ),
        source=(
            "FI may not be redistributed: ask its authors (You et al., AAAI 2016), "
            "https://qzyou.github.io."
        ),
        homepage="https://qzyou.github.io",
        licence="From its authors; not to be redistributed.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Three layouts."}
    BUILDER_CONFIGS: ClassVar = [
        SeededConfig(name="default", description="The folder's split, or 80/5/15.")
    ]
    SHARES: ClassVar = {"validation": 0.05, "test": 0.15}

    def find(self, root: Path) -> Found | None:
        return layouts.find(root)
