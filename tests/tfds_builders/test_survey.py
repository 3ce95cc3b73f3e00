"""What is told of a preparation: a line, a table, a file; and work ahead of its reader."""

import os
import threading

import pytest

from jaxsent.errors import UserError
from tfds_builders import survey
from tfds_builders.parallel import ahead
from tfds_builders.survey import Row, Survey


def full():
    return Survey(
        name="pets",
        layout="<class>/",
        expected=14,
        found=9,
        source="/home/ä",
        missing=[f"{i}.jpg" for i in range(12)],
        contradictory=["a = b (cat, dog)"],
        duplicates=[["c", "d", "e"], ["f", "g"]],
        left_out={"in no list": 3},
        maps={"region": 9},
        counts={"train": {"cat": 4, "dog": 2}, "test": {"cat": 3, "dog": 0}},
        expected_counts={"train": {"cat": 5, "all": 8}, "all": {"dog": 6}},
    )


def test_line():
    assert full().text() == (
        "pets: <class>/; 9 of 14 images usable; "
        "12 missing: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, 5.jpg, 6.jpg, 7.jpg, 8.jpg, 9.jpg, ...; "
        "1 contradictory: a = b (cat, dog); 2 in several files: c = d = e, f = g; "
        "3 left out (in no list); 9 with region"
    )
    assert Survey("x", "y", None, found=3).text() == "x: y; 3 images usable"
    told = Survey("x", "y", 3, 2, unread=["a.dng"], nested={"c/d/": 2, "c/e/": 3}, others=["f"])
    assert told.text() == (
        "x: y; 2 of 3 images usable; 1 of a kind that is not read: a.dng; "
        "1 that are no photographs: f; 5 in folders below their class's: c/d/, c/e/"
    )
    told = Survey("x", "y", 3, 2, unread=["a.dng", "b.HEIC"])
    assert told.text().endswith("a.dng, b.HEIC (for HEIC: pip install 'jaxsent[heic]')")


def test_table():
    assert full().rows() == [
        Row("train", "cat", 4, 5),
        Row("train", "dog", 2, None),
        Row("train", "all", 6, 8),
        Row("test", "cat", 3, None),
        Row("test", "dog", 0, None),
        Row("test", "all", 3, None),
        Row("all", "cat", 7, None),
        Row("all", "dog", 2, 6),
        Row("all", "all", 9, 14),
    ]


def test_file(tmp_path):
    assert survey.load(tmp_path) is None
    full().save(tmp_path)
    assert survey.load(tmp_path) == full()
    assert "/home/ä" in (tmp_path / "survey.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "kind",
    ["missing", "undecodable", "unread", "refused", "contradictory", "outside", "empty"],
)
def test_strict_stops_at_anything_short(kind):
    whole = Survey(
        "x", "y", 3, found=3, duplicates=[["a", "b"]], left_out={"why": 1}, unlisted=["c"],
        others=["d"], nested={"e/": 1},
    )  # fmt: skip
    whole.log(strict=True)
    for short in (Survey("x", "y", 3, found=3, **{kind: ["a"]}), Survey("x", "y", 3, found=2)):
        short.log(strict=False)
        with pytest.raises(UserError, match="prepare without strict"):
            short.log(strict=True)


def test_ahead_keeps_the_order_and_a_bounded_distance():
    started, lock = set(), threading.Lock()

    def double(i):
        with lock:
            started.add(i)
        return 2 * i

    results = ahead(double, iter(range(1000)))
    assert not started
    assert [next(results) for _ in range(10)] == list(range(0, 20, 2))
    assert max(started) < 10 + 4 * (os.cpu_count() or 1)
    results.close()
    assert max(started) < 10 + 4 * (os.cpu_count() or 1)
    assert list(ahead(double, range(100))) == list(range(0, 200, 2))
    assert list(ahead(double, [])) == []


def test_ahead_passes_errors_on():
    def fails(i):
        if i == 3:
            raise ValueError(i)
        return i

    results = ahead(fails, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)
