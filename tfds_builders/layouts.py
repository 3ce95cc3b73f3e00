"""What the layouts of several sets have in common. Names only; no image is opened."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from jaxsent.errors import UserError
from tfds_builders import origin
from tfds_builders.found import Found, Item, readable
from tfds_builders.images import SUFFIXES

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("val", "validation", "valid"),
    "test": ("test", "testing"),
}
SPLIT_NAMES = frozenset(name for names in SPLIT_FOLDERS.values() for name in names)


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of a root that are named after a split, by the split."""
    names = {p.name.lower(): p for p in _folders(root)}
    return {
        split: names[known]
        for split, aliases in SPLIT_FOLDERS.items()
        for known in aliases[::-1]
        if known in names
    }


def class_folders(tree: Path, class_of: Mapping[str, str]) -> dict[str, Path]:
    """The class folders of a tree by class; `class_of` has lower-case names of folders."""
    folders = _folders(tree)
    return {class_of[p.name.lower()]: p for p in folders if p.name.lower() in class_of}


def own_folders(tree: Path) -> dict[str, Path]:
    """Every folder of a tree by its name, but for those of splits.

    They are told from a class of such a name by photographs in folders below them alone.
    """
    folders = {readable(p.name): p for p in _folders(tree)}
    return {n: p for n, p in folders.items() if n.lower() not in SPLIT_NAMES or photographs(p)}


def photographs(folder: Path) -> list[Path]:
    """The photographs of a folder by their suffix, sorted; not those of folders below."""
    files = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    return sorted(p for p in files if not p.name.startswith("."))


def by_class(
    layout: str, root: Path, trees: Mapping[str, Mapping[str, Path]], missing: Iterable[str] = ()
) -> Found:
    """What lies in class folders, given by split and class; folders below belong to their class."""
    found = Found(layout, [], list(missing), listed=False)
    for split, folders in trees.items():
        for label, folder in folders.items():
            paths = list(below(folder))
            found.items += [Item(path, label, split) for path in paths]
            found.nested.update(_name(p.parent, root) for p in paths if p.parent != folder)
            if not paths:
                found.empty.append(_name(folder, root))
    return found


def _name(folder: Path, root: Path) -> str:
    return f"{readable(folder.relative_to(root).as_posix())}/"


def below(folder: Path) -> Iterator[Path]:
    """The photographs of a folder and of those below it."""
    names = origin.names(folder)
    return (folder / name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES)


def text(table: Path) -> str:
    """What a text file says. Raises UserError for another encoding than UTF-8."""
    try:
        return table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{table}: expected text in UTF-8; save it so") from None


def lines(table: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty, stripped, each with its number from 1."""
    # splitlines, because some published files end their lines with carriage returns alone.
    return [(n, s.strip()) for n, s in enumerate(text(table).splitlines(), 1) if s.strip()]


def first_file(*places: Path) -> Path | None:
    """The first of the places that is a file."""
    return next((p for p in places if p.is_file()), None)


def first_folder(*places: Path) -> Path | None:
    """The first of the places that is a folder."""
    return next((p for p in places if p.is_dir()), None)


def _folders(tree: Path) -> list[Path]:
    if not tree.is_dir():
        return []
    hidden = (".", "__MACOSX")
    return sorted(p for p in tree.iterdir() if p.is_dir() and not p.name.startswith(hidden))
