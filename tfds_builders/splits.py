"""Draw splits where a set has none, so that everyone who has its files draws the same.

The order is that of digests of seed, class and file name: it depends neither on the order of the
files nor on their folder. Files of one picture go together.
"""

import hashlib
import os
from collections.abc import Mapping

from jaxsent.errors import UserError
from tfds_builders.found import Item

Splits = dict[str, list[Item]]


def drawn(items: list[Item], digests: Mapping, shares: dict[str, float], seed: int) -> Splits:
    """Give each split of `shares` its share of every class, and `train` the rest.

    `digests` are those of the pictures by path. Raises nothing: a class too small has none to give.
    """
    splits: Splits = {split: [] for split in ("train", *shares)}
    for members in _by_class(items).values():
        rest = _pictures(members, digests, seed)
        for split, share in shares.items():
            part, rest = _fill(rest, round(share * len(members)))
            splits[split] += part
        splits["train"] += [item for picture in rest for item in picture]
    return splits


def balanced(items: list[Item], digests: Mapping, seed: int) -> list[Item]:
    """As many of each class as the smallest class has."""
    classes = _by_class(items)
    count = min(map(len, classes.values()), default=0)
    return [
        item
        for members in classes.values()
        for item in _fill(_pictures(members, digests, seed), count)[0]
    ]


def check_apart(name: str, splits: Splits, digests: Mapping) -> None:
    """Raise UserError that lists the pictures which are in two splits, under whatever names."""
    first: dict[str, tuple[str, Item]] = {}
    pairs = []
    for split, items in splits.items():
        for item in items:
            other, same = first.setdefault(digests[item.path], (split, item))
            if other != split:
                pairs.append(f"{_named(same)} in {other} and {_named(item)} in {split}")
    if pairs:
        raise UserError(
            f"{name}: in {len(pairs)} cases two splits hold the same picture: {', '.join(pairs)}; "
            "remove one file of each pair and prepare again"
        )


def _named(item: Item) -> str:
    return f"{item.path.parent.name}/{item.path.name}"


def _by_class(items: list[Item]) -> dict[str, list[Item]]:
    classes: dict[str, list[Item]] = {}
    for item in items:
        classes.setdefault(item.label, []).append(item)
    return dict(sorted(classes.items()))


def _pictures(items: list[Item], digests: Mapping, seed: int) -> list[list[Item]]:
    """The items of each picture, in the order in which they are drawn."""

    def draw(item: Item) -> bytes:
        return hashlib.blake2b(os.fsencode(f"{seed}/{item.label}/{item.path.name}")).digest()

    pictures: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: (draw(item), digests[item.path])):
        pictures.setdefault(digests[item.path], []).append(item)
    return list(pictures.values())


def _fill(pictures: list[list[Item]], count: int) -> tuple[list[Item], list[list[Item]]]:
    """The first pictures that fit into `count` files, and those that are left."""
    kept, rest = [], []
    for picture in pictures:
        if len(kept) + len(picture) <= count:
            kept += picture
        else:
            rest.append(picture)
    return kept, rest
