"""Builder of Twitter II from a user's folder: one of its five partitions is test."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from tfds_builders.base import FolderBuilder
from tfds_builders.card import Card
from tfds_builders.found import Found, Item
from tfds_builders.layouts import first_folder, lines, photographs

PARTITIONS = 5
EXPECTED = {"all": {"negative": 133, "positive": 470, "all": 603}}


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """`fold`: which of the five partitions is `test`; the others are `train`."""

    fold: int = 1


class Builder(FolderBuilder):
    """DatasetBuilder for Twitter II."""

    CARD = Card(
        title="photographs of tweets on 21 topics, positive or negative",
        images=603,
        classes=POLARITY,
        layout=(
            "a folder with twitter/partition{1..5}/<n>.jpg and twitter/groundTruthLabel.txt, "
            "separated by tabs, whose row n tells whether image n is `positive`"
        ),
        source="Twitter II is its authors' (Borth et al., ACM MM 2013): ask them.",
        homepage="https://www.ee.columbia.edu/ln/dvmm/vso/download/sentibank.html",
        licence="From its authors.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "The authors' partitions."}
    BUILDER_CONFIGS: ClassVar = [
        Config(name=f"fold{k}", description=f"Partition {k} of {PARTITIONS} is test.", fold=k)
        for k in range(1, PARTITIONS + 1)
    ]

    def find(self, root: Path) -> Found | None:
        root = first_folder(root / "twitter") or root
        table = root / "groundTruthLabel.txt"
        partitions = {k: root / f"partition{k}" for k in range(1, PARTITIONS + 1)}
        if not (table.is_file() and all(p.is_dir() for p in partitions.values())):
            return None
        labels = read_labels(table)
        found = Found("partition{1..5}/ + groundTruthLabel.txt", [], expected=EXPECTED)
        found.tables = [table]
        for k, folder in partitions.items():
            split = "test" if k == self.builder_config.fold else "train"
            for path in photographs(folder):
                if label := labels.get(_number(path)):
                    found.items.append(Item(path, label, split))
                else:
                    found.left_out["without a row in the table"] += 1
                    found.aside.append(path)
        there = {_number(item.path) for item in found.items}
        found.missing = [f"{n}.jpg" for n in labels if n not in there]
        return found


def read_labels(table: Path) -> dict[int, str]:
    """{image's number from 1: polarity} by the rows' order.

    The label is whichever column holds `positive`. Its first row is a heading if it says neither
    positive nor negative and no other row says the same. Raises UserError where no row has one.
    """
    rows = [[cell.strip().lower() for cell in line.split("\t")] for _, line in lines(table)]
    column = next((row.index("positive") for row in rows if "positive" in row), None)
    if column is None:
        raise UserError(f"{table}: expected a column with `positive` between tabs; no row has one")
    words = [row[column] if column < len(row) else "" for row in rows]
    if words[0] not in POLARITY and words.count(words[0]) == 1:
        words = words[1:]
    return {n: POLARITY[word == "positive"] for n, word in enumerate(words, 1)}


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0
