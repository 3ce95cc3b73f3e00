"""List the photographs of the labelled pairs, and split them. No image is opened here."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxsent.errors import UserError
from tfds_builders.flickr import sentiments
from tfds_builders.found import readable
from tfds_builders.images import SUFFIXES

INSIDE = ".", "bi_concepts1553", "Images_with_CC/bi_concepts1553", "Flickr/bi_concepts1553"
TEST = 0.1


class Item(NamedTuple):
    """A photograph, relative to the root with slashes, and its pair's sentiment value, not 0."""

    file: str
    sentiment: float

    @property
    def pair(self) -> str:
        """Its adjective and noun, joined by an underscore."""
        return sentiments.pair_of(self.file.rsplit("/", 2)[-2])

    @property
    def polarity(self) -> int:
        """1 positive, 0 negative."""
        return int(self.sentiment > 0)


class Found(NamedTuple):
    """The layout in words, the items in order of their files, and images left out by the reason.

    `aside` are their files and the table, `empty` the folders of pairs without images.
    """

    layout: str
    items: list[Item]
    left_out: dict[str, int]
    aside: list[str]
    empty: list[str]


def find(root: Path) -> Found:
    """The photographs below the first of INSIDE that has folders of listed pairs.

    Raises UserError where there is no list or no folder.
    """
    table = sentiments.find(root)
    values = sentiments.read(table)
    for inside in INSIDE:
        folders = _folders(root / inside)
        if not any(pair in values for pair in folders.values()):
            continue
        items, left_out, aside, empty = [], {}, [table.relative_to(root).as_posix()], []
        for folder, pair in folders.items():
            place = folder.relative_to(root).as_posix()
            files = [f"{place}/{name}" for name in _images(folder)]
            if value := values.get(pair):
                items += [Item(file, value) for file in files]
                empty += [] if files else [f"{readable(place)}/"]
            elif files:
                aside += files
                reason = "of pairs without a value" if value is None else "of pairs of the value 0"
                left_out[reason] = left_out.get(reason, 0) + len(files)
        where = f"{inside}/<adjective>_<noun>/".removeprefix("./")
        layout = f"{where} with the values of {table.relative_to(root)}"
        return Found(layout, sorted(items), left_out, aside, empty)
    raise UserError(
        f"flickr: {table} has {len(values)} pairs, and none of them is a folder in {root} or its "
        f"{', '.join(INSIDE[1:])}; expected folders such as {next(iter(values), 'sad_face')}/"
    )


def split_items(
    items: Sequence[Item], digests: Mapping[str, bytes], seed: int
) -> dict[str, list[Item]]:
    """A tenth of each pair is `test`, by a digest of seed, pair and name; the rest is `train`.

    Files of one content, by `digests`, go where the first of them goes. Each split is in an order
    that the digests of names shuffle, so that any run of it holds all pairs. No folder above the
    pair's and no order of `items` matters.
    """
    first: dict[bytes, str] = {}
    leaders: dict[str, list[str]] = {}
    for pair, _, file in sorted(
        (item.pair, item.file.rsplit("/", 1)[1], item.file) for item in items
    ):
        if first.setdefault(digests[file], file) is file:
            leaders.setdefault(pair, []).append(file)
    test = set()
    for files in leaders.values():
        files.sort(key=lambda file: _draw(seed, "split", file))
        test.update(files[: round(TEST * len(files))])
    splits = {"train": [], "test": []}
    for item in sorted(items, key=lambda item: _draw(seed, "order", item.file)):
        splits["test" if first[digests[item.file]] in test else "train"].append(item)
    return splits


def _draw(seed: int, use: str, file: str) -> bytes:
    folder, name = file.split("/")[-2:]
    text = f"{seed}/{use}/{sentiments.pair_of(folder)}/{name}"
    return hashlib.blake2b(os.fsencode(text), digest_size=16).digest()


def _folders(place: Path) -> dict[Path, str]:
    if not place.is_dir():
        return {}
    return {p: sentiments.pair_of(p.name) for p in sorted(place.iterdir()) if p.is_dir()}


def _images(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".")]
    return [name for name in names if os.path.splitext(name)[1].lower() in SUFFIXES]
