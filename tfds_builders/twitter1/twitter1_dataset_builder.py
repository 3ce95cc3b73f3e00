"""Builder of Twitter I from a user's folder, with the published five folds."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from tfds_builders.base import FolderBuilder
from tfds_builders.card import Card
from tfds_builders.found import Found, Item, counted
from tfds_builders.layouts import first_folder, photographs
from tfds_builders.twitter1 import folds


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """`agree`: how many of five workers agreed at least; `fold`: which of five folds is `test`."""

    agree: int = 5
    fold: int = 1


class Builder(FolderBuilder):
    """DatasetBuilder for Twitter I."""

    CARD = Card(
        title="photographs of tweets, positive or negative by five workers",
        images=1_269,
        classes=POLARITY,
        layout=(
            "a folder with Agg_AMT_Candidates/*.jpg, or the photographs themselves; its "
            "{five,four,three}_agrees tables are checked if there, folds of one's own as "
            "{five,four,three}_agrees/test{1..5}/{train,test}.txt are used"
        ),
        source="Twitter I is its authors' (You et al., AAAI 2015): https://qzyou.github.io.",
        homepage="https://qzyou.github.io",
        licence="From its authors; the folds under the MIT licence (official/LICENSE.txt).",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "The folds of Campos et al., 2017."}
    BUILDER_CONFIGS: ClassVar = [
        Config(
            name=f"agree{agree}_fold{fold}",
            description=f"At least {agree} workers agreed; fold {fold} of {folds.FOLDS} is test.",
            agree=agree,
            fold=fold,
        )
        for agree in folds.AGREES
        for fold in range(1, folds.FOLDS + 1)
    ]

    def find(self, root: Path) -> Found | None:
        agree, number = self.builder_config.agree, self.builder_config.fold
        folder = first_folder(root / "Agg_AMT_Candidates", root / "images") or root
        if not photographs(folder):
            return None
        own = folds.has_folds(root, agree)
        parts = folds.fold(root if own else folds.OFFICIAL, agree, number)
        named = [(name, label, split) for split, part in parts.items() for name, label in part]
        found = Found(
            layout=f"{folder.name}/ with {'its' if own else 'the published'} folds",
            items=[Item(folder / n, label, s) for n, label, s in named if (folder / n).is_file()],
            missing=[name for name, _, _ in named if not (folder / name).is_file()],
            expected=counted((split, label) for _, label, split in named),
        )
        if own:
            found.tables += folds.tables(root, agree)
        table = folds.plain_table([folder, root], agree)
        return _checked(found, table, folder) if table else found


def _checked(found: Found, table: Path, folder: Path) -> Found:
    """Count what the folds leave out of a table, and add its labels that contradict them.

    A photograph that is named with two labels is left out as contradictory, like one picture under
    two names.
    """
    labels = folds.labels(table)
    found.tables.append(table)
    by_name = {item.path.name: item for item in found.items}
    for name, label in labels:
        item = by_name.get(name)
        if item and item.label != label:
            found.items.append(Item(item.path, label, item.split))
    trimmed = {name for name, _ in labels} - by_name.keys() - set(found.missing)
    if trimmed:
        found.left_out["in no fold"] = len(trimmed)
        found.aside += [folder / name for name in trimmed]
    return found
