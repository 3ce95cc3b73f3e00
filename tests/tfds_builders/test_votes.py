"""Flickr CC and Instagram: majorities, balance, columns by guess and by name."""

import csv
from collections import Counter

import pytest

from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.prepare import prepare
from tfds_builders.votes import Config, read_votes

VOTES = {"positive": (3, 0, 0), "negative": (0, 2, 1), "neutral": (1, 0, 2), "split": (1, 1, 1)}


def write_table(path, rows, header=("Image ID", "Positive", "Negative", "Neutral")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows([header, *rows])


@pytest.fixture
def folder(tmp_path):
    """60 positive, 40 negative, 5 neutral and 5 undecided photographs, in two tables."""
    root = tmp_path / "in"
    kinds = ["positive"] * 60 + ["negative"] * 40 + ["neutral"] * 5 + ["split"] * 5
    rows = [(f"10{i:03}_7", *VOTES[kind]) for i, kind in enumerate(kinds)]
    for image, *_ in rows:
        trees.photograph(root / f"batch {image[-3]}" / f"{image}.jpg")
    write_table(root / "batch1.csv", rows[::2])
    write_table(root / "batch2.csv", rows[1::2])
    return root


@pytest.mark.parametrize(("name", "images"), [("flickr_cc", 60_745), ("instagram", 42_856)])
def test_balanced_and_split(folder, tmp_path, name, images):
    builder = prepare(name, None, tmp_path / "out", folder)
    assert trees.sizes(builder) == {"train": 72, "test": 8}
    for split, each in (("train", 36), ("test", 4)):
        labels = trees.labels(builder, split)
        assert Counter(labels.values()) == {"positive": each, "negative": each}
        for file, label in labels.items():
            assert (int(file.split("/10")[1][:3]) < 60) == (label == "positive")
    for example in trees.stored(builder, "train"):
        counts = VOTES[builder.info.features["label"].names[example["label"]]]
        assert example["votes"] == pytest.approx(counts[0] / (counts[0] + counts[1]))
    told = survey.load(builder.data_dir)
    assert (told.found, told.expected) == (100, images)
    assert told.left_out == {"neutral or undecided": 10, "to balance the classes": 20}


def test_photographs_without_votes_are_told(folder, tmp_path):
    trees.photograph(folder / "batch 1" / "unknown.jpg")
    (folder / "batch 1" / "notes.txt").write_text("mine")
    told = survey.load(prepare("flickr_cc", None, tmp_path / "out", folder).data_dir)
    assert told.unlisted == ["batch 1/unknown.jpg"]
    assert (told.outside, told.others) == ([], ["batch 1/notes.txt"])


def test_the_sample_hangs_on_the_names_alone(folder, tmp_path):
    first = prepare("flickr_cc", None, tmp_path / "a", folder)
    for path in sorted(folder.rglob("*.jpg")):
        path.rename(folder / path.name)
    (folder / "batch1.csv").rename(folder / "z.csv")
    second = prepare("flickr_cc", None, tmp_path / "b", folder)
    for split in ("train", "test"):
        names = [{f.split("/")[-1] for f in trees.labels(b, split)} for b in (first, second)]
        assert names[0] == names[1]
    other = prepare("flickr_cc", Config(name="seed1", seed=1), tmp_path / "b", folder)
    assert trees.labels(other, "test") != trees.labels(second, "test")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path, delimiter, end):
    rows = [["id", "neg", "pos"], ["a b", "0", "3"], ["é", "2", "1"], ["c", "1", "1"]]
    text = end.join(delimiter.join(row) for row in rows)
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    expected = [("a b", "positive", 1.0), ("é", "negative", 1 / 3), ("c", "", 0.5)]
    assert read_votes(tmp_path / "t.csv", Config(name="x")) == expected


def test_columns_by_name(tmp_path):
    header = ("Pic", "Happy", "Sad", "Neither")
    write_table(tmp_path / "t.csv", [("a", 2, 0, 1), ("b", 1, 0, 2)], header)
    with pytest.raises(UserError, match=r"column of image, .* found Pic, Happy, Sad, Neither"):
        read_votes(tmp_path / "t.csv", Config(name="x"))
    config = Config(name="x", image="Pic", positive="happy", negative="Sad")
    assert [v[:2] for v in read_votes(tmp_path / "t.csv", config)] == [
        ("a", "positive"), ("b", "positive"),
    ]  # fmt: skip
    config.neutral = "Neither"
    votes = read_votes(tmp_path / "t.csv", config)
    assert votes == [("a", "positive", 1.0), ("b", "", 1.0)]
    config.neutral = "Nothing"
    with pytest.raises(UserError, match="column of neutral, called Nothing"):
        read_votes(tmp_path / "t.csv", config)


def test_wrong_number_is_named(tmp_path):
    write_table(tmp_path / "t.csv", [("a", 2, 0, 1), ("b", "two", 0, 2)])
    with pytest.raises(UserError, match=r"t.csv, row 2: expected a number .* 'two'"):
        read_votes(tmp_path / "t.csv", Config(name="x"))


def test_absent_photographs_and_two_rows_that_contradict(folder, tmp_path):
    (folder / "batch 0" / "10000_7.jpg").unlink()
    write_table(folder / "more.csv", [("10001_7", *VOTES["negative"]), ("10002_7", 3, 0, 0)])
    builder = prepare("instagram", None, tmp_path / "out", folder)
    told = survey.load(builder.data_dir)
    assert told.missing == ["10000_7"]
    assert told.contradictory == ["batch 1/10001_7.jpg (negative, positive)"]
    assert told.found == 98


def test_no_table(tmp_path):
    trees.photograph(tmp_path / "in" / "1.jpg")
    with pytest.raises(UserError, match=r"holds 1.jpg; expected .*workers for each polarity"):
        prepare("flickr_cc", None, tmp_path / "out", tmp_path / "in")
