"""Builder of EmotionROI from a user's folder, with the authors' split where it is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from jaxsent.emotions import EMOTIONROI
from jaxsent.errors import UserError
from tfds_builders.base import FolderBuilder, SeededConfig
from tfds_builders.card import Card
from tfds_builders.found import Found, Item, counted
from tfds_builders.layouts import by_class, class_folders, first_file, lines
from tfds_builders.maps import SOFT

EACH = 330
LISTS = {"train": "training.txt", "test": "testing.txt"}


class Builder(FolderBuilder):
    """DatasetBuilder for EmotionROI."""

    CARD = Card(
        title="photographs of six emotions with soft maps of the regions that evoke them",
        images=EACH * len(EMOTIONROI),
        classes=EMOTIONROI,
        layout=(
            "a folder with images/<emotion>/*.jpg, ground_truth/<emotion>/*.jpg of the same names "
            "and training_testing_split/{training,testing}.txt of <emotion>/<name> lines"
        ),
        source="EmotionROI is its authors' (Peng et al., ICIP 2016): ask them.",
        homepage="http://chenlab.ece.cornell.edu/downloads.html",
        licence="From its authors.",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = CARD.instructions
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "The authors' split, or 80/20."}
    BUILDER_CONFIGS: ClassVar = [
        SeededConfig(name="default", description="The authors' split, or 80/20.")
    ]
    MAPS: ClassVar = {"region": SOFT}
    SHARES: ClassVar = {"test": 0.2}

    def find(self, root: Path) -> Found | None:
        if not class_folders(root / "images", {c: c for c in EMOTIONROI}):
            return None
        tables = {s: root / "training_testing_split" / name for s, name in LISTS.items()}
        if all(table.is_file() for table in tables.values()):
            return _with_maps(root, _listed(root, tables))
        return _with_maps(root, _tree(root))


def _listed(root: Path, tables: dict[str, Path]) -> Found:
    found = Found("images/ + ground_truth/ + training_testing_split/", [])
    found.tables = list(tables.values())
    listed = []
    for split, table in tables.items():
        for label, name in _names(table):
            listed.append((split, label))
            path = root / "images" / label / name
            if path.is_file():
                found.items.append(Item(path, label, split))
            else:
                found.missing.append(f"images/{label}/{name}")
    found.expected = counted(listed) | _expected()
    if more := {i.path for i in _tree(root).items} - {i.path for i in found.items}:
        found.left_out["in neither list"] = len(more)
        found.aside += [*more, *filter(None, (_map(root, path) for path in more))]
    return found


def _names(table: Path) -> Iterator[tuple[str, str]]:
    for number, line in lines(table):
        label, _, name = line.partition("/")
        if label not in EMOTIONROI or not name:
            raise UserError(
                f"{table}, line {number}: expected emotion/name with an emotion of "
                f"{', '.join(EMOTIONROI)}; found {line!r}"
            )
        yield label, name


def _tree(root: Path) -> Found:
    folders = class_folders(root / "images", {c: c for c in EMOTIONROI})
    missing = [f"images/{c}/" for c in EMOTIONROI if c not in folders]
    found = by_class("images/ + ground_truth/, split by us", root, {"": folders}, missing)
    found.expected = _expected()
    return found


def _expected() -> dict[str, dict[str, int]]:
    return {"all": dict.fromkeys(EMOTIONROI, EACH) | {"all": EACH * len(EMOTIONROI)}}


def _with_maps(root: Path, found: Found) -> Found:
    """The photographs that have a map, since those of a split are scored together."""
    items, found.items = found.items, []
    for item in items:
        if path := _map(root, item.path):
            found.items.append(Item(item.path, item.label, item.split, maps={"region": path}))
        else:
            found.missing.append(_same(root, item.path).relative_to(root).as_posix())
            found.aside.append(item.path)
    return found


def _map(root: Path, photograph: Path) -> Path | None:
    same = _same(root, photograph)
    return first_file(same, *(same.with_suffix(suffix) for suffix in (".jpg", ".png", ".bmp")))


def _same(root: Path, photograph: Path) -> Path:
    return root / "ground_truth" / photograph.relative_to(root / "images")
