"""Splits that are drawn: shares, order, and pictures in several files."""

from pathlib import Path

import pytest

from jaxsent.errors import UserError
from tfds_builders import splits
from tfds_builders.found import Item, counted, polarity

SHARES = {"validation": 0.05, "test": 0.15}
ITEMS = [Item(Path("a") / c / f"{i}.jpg", c) for c in ("joy", "fear") for i in range(40)]
APART = {item.path: str(item.path) for item in ITEMS}


def names(parts):
    return {split: {(i.label, i.path.name) for i in part} for split, part in parts.items()}


def test_each_class_gives_its_share():
    parts = splits.drawn(ITEMS, APART, SHARES, seed=0)
    assert {s: len(part) for s, part in parts.items()} == {"train": 64, "validation": 4, "test": 12}
    assert sum(item.label == "joy" for item in parts["test"]) == 6
    assert sum(parts.values(), []) != ITEMS
    assert set(sum(parts.values(), [])) == set(ITEMS)


def test_draw_hangs_on_seed_and_names_alone():
    moved = [Item(Path("b") / item.path.name, item.label) for item in ITEMS[::-1]]
    digests = {item.path: str(item.path) for item in moved}
    first = names(splits.drawn(ITEMS, APART, SHARES, 0))
    assert first == names(splits.drawn(moved, digests, SHARES, 0))
    assert first != names(splits.drawn(ITEMS, APART, SHARES, 1))


def test_the_draw_never_changes():
    """By hand: the two smallest BLAKE2b digests of `0/joy/<name>` and of `0/fear/<name>`."""
    import hashlib

    def digest(label, i):
        return hashlib.blake2b(f"0/{label}/{i}.jpg".encode()).digest()

    expected = {
        (c, f"{i}.jpg")
        for c in ("joy", "fear")
        for i in sorted(range(40), key=lambda i, c=c: digest(c, i))[:2]
    }
    assert names(splits.drawn(ITEMS, APART, SHARES, 0))["validation"] == expected


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_files_of_one_picture_go_together(copies):
    digests = {item.path: f"{item.label}{int(item.path.stem) // copies}" for item in ITEMS}
    for seed in range(5):
        parts = splits.drawn(ITEMS, digests, SHARES, seed)
        splits.check_apart("x", parts, digests)
        assert set(sum(parts.values(), [])) == set(ITEMS)
        assert 12 - 2 * (copies - 1) <= len(parts["test"]) <= 12


def test_balanced():
    few = [item for item in ITEMS if item.label == "joy" or int(item.path.stem) < 7]
    sample = splits.balanced(few, APART, seed=0)
    assert sum(item.label == "joy" for item in sample) == 7
    assert {item for item in sample if item.label == "fear"} == set(ITEMS[40:47])
    assert splits.balanced(few[::-1], APART, seed=0) == sample
    assert splits.balanced([], {}, seed=0) == []


def test_one_picture_in_two_splits_is_named():
    digests = APART | {ITEMS[0].path: "same", ITEMS[3].path: "same", ITEMS[4].path: "same"}
    splits.check_apart("x", {"train": ITEMS[:5], "test": ITEMS[5:]}, digests)
    with pytest.raises(UserError, match=r"x: in 2 cases .* joy/0.jpg in train and joy/3.jpg in"):
        splits.check_apart("x", {"train": ITEMS[:3], "test": ITEMS[3:]}, digests)


def test_counted():
    counts = counted([("train", "a"), ("train", "b"), ("test", "a")])
    assert counts == {
        "train": {"a": 1, "b": 1, "all": 2},
        "test": {"a": 1, "all": 1},
        "all": {"a": 2, "b": 1, "all": 3},
    }
    assert counted([]) == {}


def test_polarity_by_name():
    assert [polarity(x) for x in ("joy", "Fear", "positive", "negative")] == [1, 0, 1, 0]
    assert [polarity(x) for x in ("neutral", "cat", "")] == [-1, -1, -1]
