"""Recognise how a user's copy of FI is laid out. Names only; no image is opened."""

from pathlib import Path

from jaxsent.emotions import MIKELS
from jaxsent.errors import UserError
from tfds_builders.found import Found, Item
from tfds_builders.layouts import by_class, class_folders, first_file, lines

SPLITS = {"train": "train", "validation": "val", "test": "test"}
STEMS = ("amuse", "anger", "awe", "content", "disgust", "excit", "fear", "sad")
CLASS_OF = {name: c for names in (MIKELS, STEMS) for name, c in zip(names, MIKELS, strict=True)}

EACH = (4_942, 1_266, 3_151, 5_374, 1_658, 2_963, 1_032, 2_922)  # of MIKELS, by You et al.
TOTAL = sum(EACH)


def find(root: Path) -> Found | None:
    """The first layout that `root` has, or None."""
    found = _lists(root) or _split_trees(root) or _tree(root)
    if found:
        found.expected = {"all": dict(zip(MIKELS, EACH, strict=True)) | {"all": TOTAL}}
    return found


def _lists(root: Path) -> Found | None:
    lists = {split: root / f"{short.title()}Images.txt" for split, short in SPLITS.items()}
    if not ((root / "Images").is_dir() and lists["train"].is_file() and lists["test"].is_file()):
        return None
    found = Found("Images/ with lists of label/name", [], tables=list(lists.values()))
    for split, table in lists.items():
        for number, line in lines(table) if table.is_file() else []:
            folder, _, name = line.partition("/")
            if folder.lower() not in CLASS_OF or not name:
                raise UserError(
                    f"{table}, line {number}: expected label/name with a label of "
                    f"{', '.join(MIKELS)}; found {line!r}"
                )
            path = first_file(root / "Images" / line, root / "Images" / name)
            if path:
                found.items.append(Item(path, CLASS_OF[folder.lower()], split))
            else:
                found.missing.append(line)
    return found


def _split_trees(root: Path) -> Found | None:
    trees = {split: class_folders(root / short, CLASS_OF) for split, short in SPLITS.items()}
    if not (trees["train"] and trees["test"]):
        return None
    missing = [
        f"{SPLITS[split]}/{c}/"
        for split, folders in trees.items()
        for c in MIKELS
        if folders and c not in folders
    ]
    return by_class("{train,val,test}/<emotion>/", root, trees, missing)


def _tree(root: Path) -> Found | None:
    folders = class_folders(root / "emotion_dataset", CLASS_OF) or class_folders(root, CLASS_OF)
    if not folders:
        return None
    missing = [f"{c}/" for c in MIKELS if c not in folders]
    return by_class("<emotion>/, split by us", root, {"": folders}, missing)
