"""Recognise how a user's copy of FI is laid out. Names only; no image is opened."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from jaxsent.emotions import MIKELS
from jaxsent.errors import UserError
from tfds_builders.survey import SUFFIXES

SPLITS = {"train": "train", "validation": "val", "test": "test"}
SHARES = {"validation": 0.05, "test": 0.15}
STEMS = ("amuse", "anger", "awe", "content", "disgust", "excit", "fear", "sad")
CLASS_OF = {name: c for names in (MIKELS, STEMS) for name, c in zip(names, MIKELS, strict=True)}


class Item(NamedTuple):
    """A photograph and its emotion."""

    path: Path
    label: str


class Found(NamedTuple):
    """A layout's name, its items by split, and what it lacks."""

    layout: str
    splits: dict[str, list[Item]]
    missing: list[str]


def find(root: Path, seed: int) -> Found | None:
    """The first layout that `root` has, or None. `seed` draws a split where there is none."""
    return _lists(root) or _split_trees(root) or _tree(root, seed)


def _lists(root: Path) -> Found | None:
    lists = {split: root / f"{short.title()}Images.txt" for split, short in SPLITS.items()}
    if not ((root / "Images").is_dir() and lists["train"].is_file() and lists["test"].is_file()):
        return None
    splits, missing = {}, []
    for split, table in lists.items():
        splits[split] = []
        lines = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
        for number, line in enumerate(filter(None, map(str.strip, lines)), 1):
            folder, _, name = line.partition("/")
            if folder.lower() not in CLASS_OF or not name:
                raise UserError(
                    f"{table}, line {number}: expected label/name with a label of "
                    f"{', '.join(MIKELS)}; found {line!r}"
                )
            places = [root / "Images" / line, root / "Images" / name]
            path = next((p for p in places if p.is_file()), None)
            if path:
                splits[split].append(Item(path, CLASS_OF[folder.lower()]))
            else:
                missing.append(line)
    return Found("Images/ with lists of label/name", splits, missing)


def _split_trees(root: Path) -> Found | None:
    trees = {split: root / short for split, short in SPLITS.items()}
    if not (_classes(trees["train"]) and _classes(trees["test"])):
        return None
    splits, missing = {}, []
    for split, tree in trees.items():
        splits[split] = _items(tree)
        if tree.is_dir():
            missing += [f"{tree.name}/{c}/" for c in MIKELS if c not in _classes(tree)]
    return Found("{train,val,test}/<emotion>/", splits, missing)


def _tree(root: Path, seed: int) -> Found | None:
    tree = root / "emotion_dataset"
    tree = tree if _classes(tree) else root
    if not _classes(tree):
        return None
    missing = [f"{c}/" for c in MIKELS if c not in _classes(tree)]
    return Found("<emotion>/, split by us", split_items(_items(tree), seed), missing)


def split_items(items: list[Item], seed: int) -> dict[str, list[Item]]:
    """80/5/15 of each class, by a digest of seed and name: independent of order and folder."""

    def draw(item: Item) -> bytes:
        return hashlib.blake2b(f"{seed}/{item.label}/{item.path.name}".encode()).digest()

    splits = {split: [] for split in SPLITS}
    for label in MIKELS:
        rest = sorted((item for item in items if item.label == label), key=draw)
        total = len(rest)
        for split, share in SHARES.items():
            count = round(share * total)
            splits[split] += rest[:count]
            rest = rest[count:]
        splits["train"] += rest
    return splits


def _classes(tree: Path) -> dict[str, Path]:
    """The class folders of a tree, by emotion."""
    if not tree.is_dir():
        return {}
    folders = (p for p in sorted(tree.iterdir()) if p.is_dir())
    return {CLASS_OF[p.name.lower()]: p for p in folders if p.name.lower() in CLASS_OF}


def _items(tree: Path) -> list[Item]:
    return [
        Item(path, label)
        for label, folder in _classes(tree).items()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]
