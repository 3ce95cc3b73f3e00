"""FI in each layout, on small trees made here."""

import logging
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from jaxsent.data.batches import class_names, num_examples
from jaxsent.emotions import MIKELS
from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.fi.layouts import STEMS
from tfds_builders.prepare import prepare


def write(path):
    """A photograph of its own: one picture under two labels would be left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(str(path).encode()))
    noise = rng.integers(0, 256, (12, 16, 3), np.uint8)
    cv2.imwrite(str(path), noise)


def sizes(builder):
    return {split: num_examples(builder, split) for split in builder.info.splits}


def labels(builder, split):
    """{file: label's name}."""
    names = class_names(builder)
    return {e["file"].decode(): names[e["label"]] for e in trees.stored(builder, split)}


@pytest.mark.parametrize("inside", ["emotion_dataset", "."])
def test_tree_is_split_by_class(tmp_path, inside):
    root = tmp_path / "fi"
    for c in MIKELS:
        for i in range(20):
            write(root / inside / c / f"{c}_{i}.jpg")
    builder = prepare("fi", None, tmp_path / "out", root)
    assert sizes(builder) == {"train": 128, "validation": 8, "test": 24}
    files = {}
    for split, each in [("train", 16), ("validation", 1), ("test", 3)]:
        part = labels(builder, split)
        assert Counter(part.values()) == dict.fromkeys(MIKELS, each)
        assert all(Path(file).parent.name == label for file, label in part.items())
        assert not files.keys() & part.keys()
        files |= part
    assert len(files) == 160


@pytest.mark.parametrize("validation", [True, False])
def test_given_trees_keep_their_split(tmp_path, validation):
    root = tmp_path / "fi"
    for c, stem in zip(MIKELS, STEMS, strict=True):
        write(root / "train" / stem / "1.jpg")
        write(root / "train" / stem / "2.PNG")
        write(root / "test" / c.title() / "3.jpg")
        if validation:
            write(root / "val" / stem / "4.jpg")
        (root / "train" / stem / "notes.txt").write_text("not an image")
    builder = prepare("fi", None, tmp_path / "out", root)
    assert sizes(builder) == {"train": 16, "test": 8} | ({"validation": 8} if validation else {})
    assert labels(builder, "train")["train/excit/1.jpg"] == "excitement"
    polarity = {e["file"].decode(): e["polarity"] for e in trees.stored(builder, "train")}
    assert sum(polarity.values()) == 8
    assert polarity["train/amuse/1.jpg"] == 1


@pytest.mark.parametrize("nested", [True, False])
def test_lists(tmp_path, nested, caplog):
    root = tmp_path / "fi"
    lines = {"Train": [], "Test": [], "Val": []}
    for i, c in enumerate(MIKELS):
        for name, n in [("Train", 3), ("Val", 1), ("Test", 2)]:
            for j in range(n):
                file = f"{name}{i}{j}.jpg"
                lines[name].append(f"{c}/{file}")
                write(root / "Images" / (f"{c}/{file}" if nested else file))
    lines["Test"].append("awe/lost.jpg")
    for name, text in lines.items():
        (root / f"{name}Images.txt").write_text("\n".join(text) + "\n")
    with caplog.at_level(logging.WARNING, "absl"):
        builder = prepare("fi", None, tmp_path / "out", root)
    assert sizes(builder) == {"train": 24, "validation": 8, "test": 16}
    assert "48 of 23308 images usable; 1 missing: awe/lost.jpg" in caplog.text
    rows = {(r.split, r.label): (r.found, r.expected) for r in survey.load(builder.data_dir).rows()}
    assert rows["all", "contentment"] == (6, 5374)
    assert rows["train", "awe"] == (3, None)


def test_broken_images_are_skipped_and_counted(tmp_path, caplog):
    root = tmp_path / "fi"
    for c in MIKELS[:7]:
        for split in ("train", "test"):
            write(root / split / c / "1.jpg")
    (root / "train" / "fear" / "2.jpg").write_bytes(b"GIF")
    with caplog.at_level(logging.WARNING, "absl"):
        builder = prepare("fi", None, tmp_path / "out", root)
    assert sizes(builder) == {"train": 7, "test": 7}
    assert "2 missing: train/sadness/, test/sadness/" in caplog.text
    assert "1 undecodable: train/fear/2.jpg" in caplog.text
    with pytest.raises(UserError, match=r"14 of 23308 .* without strict"):
        prepare("fi", None, tmp_path / "other", root, strict=True)


def test_wrong_line_is_named(tmp_path):
    (tmp_path / "Images").mkdir()
    (tmp_path / "TrainImages.txt").write_text("awe/1.jpg\nboredom/2.jpg\n")
    (tmp_path / "TestImages.txt").write_text("")
    with pytest.raises(UserError, match=r"line 2: .*boredom/2.jpg"):
        prepare("fi", None, tmp_path / "out", tmp_path)


def test_other_layout_lists_the_accepted_ones(tmp_path):
    root = tmp_path / "fi"
    write(root / "photos" / "1.jpg")
    with pytest.raises(UserError) as error:
        prepare("fi", None, tmp_path / "out", root)
    for text in ("holds photos", "Images/", "{train,val,test}", "emotion_dataset", "You et al."):
        assert text in str(error.value)
    assert not list((tmp_path / "out").glob("fi/default/*"))


def test_what_no_emotion_has_is_told(tmp_path, caplog):
    """Folders below an emotion's are its own; a second folder of an emotion and others are not."""
    root = tmp_path / "fi"
    for c in MIKELS:
        for i in range(8):
            write(root / c / f"{i}.jpg")
    write(root / "awe" / "more" / "9.jpg")
    write(root / "amuse" / "2.jpg")  # amusement/ is there
    write(root / "boredom" / "3.jpg")
    (root / "fear" / "4.cr2").write_bytes(b"x")
    with caplog.at_level(logging.WARNING, "absl"):
        builder = prepare("fi", None, tmp_path / "out", root)
    told = survey.load(builder.data_dir)
    assert (told.found, told.nested) == (65, {"awe/more/": 1})
    assert told.outside == ["amuse/2.jpg", "boredom/3.jpg"]
    assert told.unread == ["fear/4.cr2"]
    assert "2 in no folder of a class: amuse/2.jpg" in caplog.text


def test_photographs_in_no_list_are_told(tmp_path):
    lines = [f"{c}/{c}{i}.jpg" for c in MIKELS for i in range(2)]
    for line in [*lines, "awe/unlisted.jpg"]:
        write(tmp_path / "fi" / "Images" / line)
    for name, part in (("Train", lines[::2]), ("Test", lines[1::2])):
        (tmp_path / "fi" / f"{name}Images.txt").write_text("\n".join(part))
    told = survey.load(prepare("fi", None, tmp_path / "out", tmp_path / "fi").data_dir)
    assert (told.unlisted, told.outside, told.others) == (["Images/awe/unlisted.jpg"], [], [])
