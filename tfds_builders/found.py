"""What a set's layout says of its photographs, before any is opened."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jaxsent.emotions import EMOTIONROI, MIKELS, POLARITY, POSITIVE

Counts = dict[str, dict[str, int]]
UNLABELLED = "no label"  # of the photographs of a set without classes, as an Item's


@dataclasses.dataclass(frozen=True)
class Item:
    """A photograph: its file, class, split ("" where we draw it), and what else is known.

    `facts` are further features by name; `maps` are the files of its grey maps by feature, where
    it has them.
    """

    path: Path
    label: str
    split: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    maps: dict[str, Path] = dataclasses.field(default_factory=dict, hash=False)


@dataclasses.dataclass
class Found:
    """A layout in words, its photographs, and what it names but lacks.

    `expected` is how many images there should be by split and class, "all" standing for any;
    `left_out` how many are passed over on purpose, by the reason, and `aside` their files where
    they are there. `tables` are the files that say what is what. `nested` counts photographs by
    their folder below a class folder, `empty` names class folders without any. `listed`: a table
    decides which photographs belong to the set, so that others may lie beside them.
    """

    layout: str
    items: list[Item]
    missing: list[str] = dataclasses.field(default_factory=list)
    expected: Counts = dataclasses.field(default_factory=dict)
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    aside: list[Path] = dataclasses.field(default_factory=list)
    tables: list[Path] = dataclasses.field(default_factory=list)
    nested: Counter[str] = dataclasses.field(default_factory=Counter)
    empty: list[str] = dataclasses.field(default_factory=list)
    listed: bool = True


def counted(labels: Iterable[tuple[str, str]]) -> Counts:
    """(split, class) of each image -> images by split and class, with their sums under "all"."""
    counts: Counts = {}
    for split, label in labels:
        for s in (split, "all"):
            for c in (label, "all"):
                counts.setdefault(s, {}).setdefault(c, 0)
                counts[s][c] += 1
    return counts


def readable(name: str) -> str:
    """A name as text: bytes of a file's name that are no UTF-8 show as �."""
    return os.fsencode(name).decode("utf-8", "replace")


def polarity(label: str) -> int:
    """Of an emotion or a polarity by name: 1 positive, 0 negative, -1 neutral or not known."""
    if label.lower() in POSITIVE:
        return 1
    return 0 if label.lower() in {*MIKELS, *EMOTIONROI, *POLARITY} else -1
