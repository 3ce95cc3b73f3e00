"""What a builder found in a user's folder against what it expected."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

from absl import logging

from jaxsent.errors import UserError
from tfds_builders.images import SUFFIXES

FILE = "survey.json"
ALL = "all"
LISTED = 10  # names of each kind in the line that a person reads

LOST = {
    "missing": "missing",
    "undecodable": "undecodable",
    "unread": "of a kind that is not read",
    "refused": "refused as links out of the folder",
    "contradictory": "contradictory",
    "outside": "in no folder of a class",
    "empty": "without a photograph",
}
"""What `strict` makes an error, in words."""

ASIDE = {"unlisted": "beside those of the set", "others": "that are no photographs"}
"""What is told of and no loss, in words."""


class Row(NamedTuple):
    """A line of the table: images found of a class in a split, and expected where that is known."""

    split: str
    label: str
    found: int
    expected: int | None


@dataclasses.dataclass
class Survey:
    """Counts of a set and the files that were left out, by their paths in the user's folder.

    `expected` is the number of images (None: not known), `found` how many of them can be used.
    `counts` and `expected_counts` are images by split and class, where "all" stands for any.
    """

    name: str
    layout: str
    expected: int | None
    found: int = 0
    source: str = ""
    missing: list[str] = dataclasses.field(default_factory=list)
    undecodable: list[str] = dataclasses.field(default_factory=list)
    unread: list[str] = dataclasses.field(default_factory=list)  # pictures of other kinds
    refused: list[str] = dataclasses.field(default_factory=list)  # links out of the folder
    contradictory: list[str] = dataclasses.field(default_factory=list)  # one picture, two labels
    outside: list[str] = dataclasses.field(default_factory=list)  # photographs of no class
    empty: list[str] = dataclasses.field(default_factory=list)  # classes, and folders of classes
    unlisted: list[str] = dataclasses.field(default_factory=list)  # photographs beside the set's
    others: list[str] = dataclasses.field(default_factory=list)  # files that are no pictures
    nested: dict[str, int] = dataclasses.field(default_factory=dict)  # by folder below a class's
    duplicates: list[list[str]] = dataclasses.field(default_factory=list)  # files of one picture
    left_out: dict[str, int] = dataclasses.field(default_factory=dict)  # by the reason, on purpose
    maps: dict[str, int] = dataclasses.field(default_factory=dict)  # by the feature, as "region"
    counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    expected_counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    digest: str = ""  # of the source's names and sizes, see origin; "": by an older version

    def short(self) -> bool:
        """Whether any image is wanting, unusable, or of no class that is known."""
        return any(getattr(self, kind) for kind in LOST) or self.expected not in (None, self.found)

    def log(self, strict: bool) -> None:
        """Tell a person, as a UserError if `strict` and anything is short."""
        self.check(strict)
        logging.log(logging.WARNING if self.short() else logging.INFO, "%s", self.text())

    def check(self, strict: bool) -> None:
        """Raises UserError if `strict` and anything is short."""
        if strict and self.short():
            raise UserError(f"{self.text()}; restore the files or prepare without strict")

    def text(self) -> str:
        """The counts and the first names, in a line."""
        of = "" if self.expected is None else f" of {self.expected}"
        parts = [f"{self.name}: {self.layout}", f"{self.found}{of} images usable"]
        parts += [
            f"{len(names)} {words}: {_first(names)}{self._advice(kind)}"
            for kind, words in (LOST | ASIDE).items()
            if (names := getattr(self, kind))
        ]
        if self.nested:
            count = sum(self.nested.values())
            parts.append(f"{count} in folders below their class's: {_first(list(self.nested))}")
        if self.duplicates:
            pictures = [" = ".join(files) for files in self.duplicates]
            parts.append(f"{len(pictures)} in several files: {_first(pictures)}")
        parts += [f"{count} left out ({reason})" for reason, count in self.left_out.items()]
        parts += [f"{count} with {name}" for name, count in self.maps.items()]
        return "; ".join(parts)

    def _advice(self, kind: str) -> str:
        # Of the kinds that are read, HEIC alone may lack what reads it.
        heic = kind == "unread" and any(Path(n).suffix.lower() in SUFFIXES for n in self.unread)
        return " (for HEIC: pip install 'jaxsent[heic]')" if heic else ""

    def rows(self) -> list[Row]:
        """The table: each class of each split, each split, each class, and everything last."""
        splits = {**self.counts, ALL: _added(self.counts.values())}
        rows = [
            Row(split, label, count, self._expected(split, label))
            for split, counts in splits.items()
            for label, count in {**counts, ALL: sum(counts.values())}.items()
        ]
        # A split whose classes are known, as the neutral one of oasis, has no others to show.
        known = self.expected_counts
        return [row for row in rows if row.found or row.label in known.get(row.split, {row.label})]

    def _expected(self, split: str, label: str) -> int | None:
        if (split, label) == (ALL, ALL):
            return self.expected
        return self.expected_counts.get(split, {}).get(label)

    def save(self, folder: Path) -> None:
        """Write it beside a prepared set."""
        text = json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)
        (Path(folder) / FILE).write_text(text, encoding="utf-8")


def load(folder: Path) -> Survey | None:
    """The survey beside a prepared set; None where there is none, as of a generated set."""
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    return Survey(**json.loads(path.read_text(encoding="utf-8", errors="surrogateescape")))


def _added(counts) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for label, count in part.items():
            total[label] = total.get(label, 0) + count
    return total


def _first(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
