"""Sets whose tables count, for each image, the workers who found it positive or negative."""

import csv
import dataclasses
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from jaxsent.errors import UserError
from tfds_builders import splits
from tfds_builders.base import FolderBuilder
from tfds_builders.found import Found, Item
from tfds_builders.layouts import below, text

# The headings of the published tables are not documented: these are tried in turn.
GUESSES = {
    "image": ("id", "image_id", "imageid", "image", "photo_id", "media_id", "shortcode", "file",
              "filename", "file_name", "name"),
    "positive": ("positive", "pos", "n_positive", "num_positive", "positive_count", "positives"),
    "negative": ("negative", "neg", "n_negative", "num_negative", "negative_count", "negatives"),
    "neutral": ("neutral", "neu", "n_neutral", "num_neutral", "neutral_count", "neutrals"),
}  # fmt: skip
TABLES = (".csv", ".tsv")


@dataclasses.dataclass
class Config(tfds.core.BuilderConfig):
    """The tables' headings where they are others than guessed, and the seed of the sample."""

    image: str = ""
    positive: str = ""
    negative: str = ""
    neutral: str = ""
    seed: int = 0


class VotesBuilder(FolderBuilder, skip_registration=True):
    """The polarity is that of most workers; as many of each are sampled, a tenth is test."""

    SHARES: ClassVar = {"test": 0.1}
    FEATURES: ClassVar = {"votes": np.float32}
    BUILDER_CONFIGS: ClassVar = [
        Config(name="default", description="As many positive as negative, 90/10.")
    ]

    def find(self, root: Path) -> Found | None:
        tables = sorted(p for p in root.iterdir() if p.suffix.lower() in TABLES)
        if not tables:
            return None
        votes = [vote for table in tables for vote in read_votes(table, self.builder_config)]
        files = _files_by_stem(root)
        items, missing, undecided = [], {}, set()
        for image, label, positive in votes:
            path = files.get(image)
            if not label:
                undecided.add(image)
            elif path:
                items.append(Item(path, label, facts={"votes": positive}))
            else:
                missing[image] = None
        found = Found(f"{', '.join(t.name for t in tables)} + images by id", items, list(missing))
        found.tables = tables
        if undecided:
            found.left_out["neutral or undecided"] = len(undecided)
            found.aside = [files[image] for image in undecided if image in files]
        return found

    def divide(self, items: list[Item], digests: Mapping[Path, str]) -> splits.Splits:
        seed = self.builder_config.seed
        return splits.drawn(splits.balanced(items, digests, seed), digests, self.SHARES, seed)


class Vote(NamedTuple):
    """An image's id; "positive" or "negative", "" where neither has more than half of the workers;
    and the share of those who are not neutral that finds it positive."""

    image: str
    label: str
    positive: float


def read_votes(table: Path, config: Config) -> list[Vote]:
    """The vote of each row.

    Raises UserError naming the columns or the row that are not as expected.
    """
    lines = text(table).splitlines()
    heading = lines[0] if lines else ""
    rows = csv.DictReader(lines, delimiter=max(",\t;", key=heading.count))
    columns = {kind: _column(kind, rows.fieldnames or [], config, table) for kind in GUESSES}
    return [_vote(row, columns, f"{table}, row {n}") for n, row in enumerate(rows, 1)]


def _column(kind: str, headings: list[str], config: Config, table: Path) -> str | None:
    """The heading of a column: the configuration's, else the first guess; neutral may be absent."""
    names = [given] if (given := getattr(config, kind)) else GUESSES[kind]
    known = {_plain(heading): heading for heading in headings}
    heading = next((known[_plain(name)] for name in names if _plain(name) in known), None)
    if heading is None and (kind != "neutral" or config.neutral):
        raise UserError(
            f"{table}: expected a column of {kind}, called {' or '.join(names)}; found "
            f"{', '.join(headings) or 'none'}; name it in the builder's Config({kind}=...)"
        )
    return heading


def _plain(heading: str) -> str:
    return heading.strip().lower().replace(" ", "_").replace("-", "_")


def _vote(row: dict, columns: dict[str, str | None], where: str) -> Vote:
    votes = {}
    for kind in ("positive", "negative", "neutral"):
        value = row[columns[kind]] if columns[kind] else "0"
        try:
            votes[kind] = float(value)
        except (TypeError, ValueError):
            raise UserError(
                f"{where}: expected a number of workers in {columns[kind]}; found {value!r}"
            ) from None
    most = (kind for kind in ("positive", "negative") if 2 * votes[kind] > sum(votes.values()))
    decided = votes["positive"] + votes["negative"]
    share = votes["positive"] / decided if decided else math.nan
    return Vote((row[columns["image"]] or "").strip(), next(most, ""), share)


def _files_by_stem(root: Path) -> dict[str, Path]:
    """Every photograph below a folder by its name, with its suffix and without."""
    files = sorted(below(root))
    return dict(itertools.chain.from_iterable(((p.stem, p), (p.name, p)) for p in files[::-1]))
