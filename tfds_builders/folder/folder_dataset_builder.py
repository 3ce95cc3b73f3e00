"""Builder of any folder of photographs, under a name of the user's: `folder/mypets`."""

import dataclasses
import re
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.errors import UserError
from tfds_builders.base import FolderBuilder, SeededConfig
from tfds_builders.card import Card
from tfds_builders.folder import layouts
from tfds_builders.found import Found


@dataclasses.dataclass
class Config(SeededConfig):
    """A set of one's own, stored under `name`.

    `classes` in label order (empty: the folder's own, sorted); `polarity` of classes that are not
    emotions of jaxsent.emotions: 1 positive, 0 negative; `table` is the CSV's name where the folder
    has several.
    """

    classes: tuple[str, ...] = ()
    polarity: dict[str, int] = dataclasses.field(default_factory=dict)
    table: str = ""


class Builder(FolderBuilder):
    """DatasetBuilder for a user's own photographs."""

    CARD = Card(
        title="photographs of one's own, in folders by class or in a table",
        images=None,
        classes=(),
        layout=(
            "a folder with <class>/*.jpg, or {train,val,test}/<class>/*.jpg, or a *.csv with the "
            "columns path, label and, if it likes, split"
        ),
        source="They are yours: any JPEG, PNG, HEIC, AVIF, WebP, TIFF, GIF or BMP files do.",
        homepage="",
        licence="The user's.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Trees and tables."}
    BUILDER_CONFIGS: ClassVar = [
        Config(name="default", description="The folder's split, or 80/5/15.")
    ]
    SHARES: ClassVar = {"validation": 0.05, "test": 0.15}
    REQUIRED: ClassVar = ("train",)

    @classmethod
    def config_named(cls, name: str) -> Config:
        """The configuration of a set of one's own. Raises UserError for no file name."""
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise UserError(
                f"folder/{name}: expected a name of letters, digits, dots and dashes; choose one"
            )
        return Config(name=name, description="The folder's split, or 80/5/15.")

    def classes(self) -> tuple[str, ...]:
        return tuple(self.builder_config.classes)

    def polarity(self, label: str) -> int:
        return self.builder_config.polarity.get(label, super().polarity(label))

    def find(self, root: Path) -> Found | None:
        found = layouts.find(root, self.builder_config.table)
        if found is None:
            return None
        labels = sorted({item.label for item in found.items})
        if wanted := self.classes():
            found.missing += [f"{label}/" for label in wanted if label not in labels]
            others = [item for item in found.items if item.label not in wanted]
            if others:
                found.items = [item for item in found.items if item.label in wanted]
                found.aside += [item.path for item in others]
                found.left_out["of other classes"] = len(others)
        elif len(labels) < 2:
            empty = f"; without a photograph: {', '.join(found.empty)}" if found.empty else ""
            raise UserError(
                f"folder: {root} has {len(labels)} classes ({', '.join(labels)}), two or more are "
                f"needed{empty}; expected {self.CARD.instructions}"
            )
        else:
            self.info.features["label"].names = labels
        return found
