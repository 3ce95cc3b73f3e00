"""Recognise a folder of one's own. Names only; no image is opened."""

import csv
from pathlib import Path

from jaxsent.errors import UserError
from tfds_builders.found import Found, Item
from tfds_builders.layouts import SPLIT_FOLDERS, by_class, own_folders, split_folders, text

SPLIT_OF = {alias: split for split, aliases in SPLIT_FOLDERS.items() for alias in aliases}


def find(root: Path, table: str = "") -> Found | None:
    """The first layout that `root` has, or None. `table` names the CSV to take."""
    return _table(root, table) or _split_trees(root) or _tree(root)


def _table(root: Path, name: str) -> Found | None:
    tables = [root / name] if name else sorted(root.glob("*.csv"))
    if not tables:
        return None
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise UserError(f"{root} has several tables ({names}); name one in Config(table=...)")
    (table,) = tables
    if not table.is_file():
        raise UserError(f"there is no table {table}")
    rows = csv.DictReader(text(table).splitlines())
    columns = {heading.strip().lower(): heading for heading in rows.fieldnames or []}
    if not {"path", "label"} <= columns.keys():
        raise UserError(
            f"{table}: expected the columns path, label and, if it likes, split; found "
            f"{', '.join(columns) or 'none'}"
        )
    found = Found(f"{table.name}, {'its split' if 'split' in columns else 'split by us'}", [])
    found.tables = [table]
    for number, row in enumerate(rows, 1):
        cells = {name: (row[heading] or "").strip() for name, heading in columns.items()}
        item = _item(cells, root, f"{table}, row {number}")
        if item.path.is_file():
            found.items.append(item)
        else:
            found.missing.append(cells["path"])
    if found.items and len({bool(item.split) for item in found.items}) == 2:
        raise UserError(f"{table}: expected a split in every row or in none; fill in the others")
    return found


def _item(cells: dict[str, str], root: Path, where: str) -> Item:
    if not (cells["path"] and cells["label"]):
        raise UserError(f"{where}: expected a path and a label; found {', '.join(cells.values())}")
    split = cells.get("split", "").lower()
    if split and split not in SPLIT_OF:
        raise UserError(f"{where}: expected a split of {', '.join(SPLIT_OF)}; found {split}")
    return Item(root / cells["path"], cells["label"], SPLIT_OF.get(split, ""))


def _split_trees(root: Path) -> Found | None:
    trees = {split: own_folders(tree) for split, tree in split_folders(root).items()}
    if not trees.get("train") or len(trees) < 2:
        return None
    found = by_class("{train,val,test}/<class>/", root, trees)
    return found if any(item.split == "train" for item in found.items) else None


def _tree(root: Path) -> Found | None:
    found = by_class("<class>/, split by us", root, {"": own_folders(root)})
    return found if found.items else None
