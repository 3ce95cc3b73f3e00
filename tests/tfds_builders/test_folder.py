"""A folder of one's own: trees and tables, several sets side by side."""

import csv
import os
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from jaxsent.data import augment, photograph
from jaxsent.data.batches import class_names, eval_batches, num_examples
from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.folder.folder_dataset_builder import Config
from tfds_builders.prepare import prepare


def pets(root, count=20, classes=("cat", "dog")):
    for label in classes:
        for i in range(count):
            trees.photograph(root / label / f"{i}.jpg", f"{root.name}/{label}/{i}")
    return root


def test_class_folders_are_split(tmp_path):
    builder = prepare("folder", "mypets", tmp_path / "out", pets(tmp_path / "pets"))
    assert trees.sizes(builder) == {"train": 32, "validation": 2, "test": 6}
    assert class_names(builder) == ["cat", "dog"]
    for split in ("train", "validation", "test"):
        labels = trees.labels(builder, split)
        assert all(file.split("/")[0] == label for file, label in labels.items())
        assert len(set(Counter(labels.values()).values())) == 1
        assert {e["polarity"] for e in trees.examples(builder, split).values()} == {-1}
    assert survey.load(builder.data_dir).expected is None


def test_several_sets_side_by_side(tmp_path):
    out = tmp_path / "out"
    prepare("folder", "mypets", out, pets(tmp_path / "pets"))
    birds = ("owl", "tit", "wren")
    prepare("folder", "birds", out, pets(tmp_path / "birds", 10, birds))
    again = prepare("folder", "mypets", out)
    assert class_names(again) == ["cat", "dog"]
    assert num_examples(again, "train") == 32
    assert class_names(prepare("folder", "birds", out)) == list(birds)
    batch = next(eval_batches(again, "test", batch_size=6, image_size=8, resize=8))
    assert sorted(batch["label"]) == [0, 0, 0, 1, 1, 1]
    with pytest.raises(UserError, match="not prepared in .*folder/default"):
        prepare("folder", None, out)
    with pytest.raises(UserError, match="choose one"):
        prepare("folder", "../up", out, tmp_path / "pets")


def test_classes_and_polarity_of_ones_own(tmp_path):
    root = pets(tmp_path / "pets", classes=("cat", "dog", "eel"))
    config = Config(name="fond", classes=("dog", "cat", "fox"), polarity={"dog": 1, "cat": 0})
    builder = prepare("folder", config, tmp_path / "out", root)
    assert class_names(builder) == ["dog", "cat", "fox"]
    for file, example in trees.examples(builder, "train").items():
        assert example["label"] == (0 if file.startswith("dog") else 1)
        assert example["polarity"] == (1 if file.startswith("dog") else 0)
    told = survey.load(builder.data_dir)
    assert told.missing == ["fox/"]
    assert told.left_out == {"of other classes": 20}
    prepare("folder", config, tmp_path / "out")
    other = Config(name="fond", classes=("cat", "dog"))
    with pytest.raises(UserError, match="prepared in .* with the classes dog, cat, fox"):
        prepare("folder", other, tmp_path / "out")


def test_known_emotions_have_a_polarity(tmp_path):
    root = pets(tmp_path / "in", 4, ("Joy", "Sadness", "hope"))
    builder = prepare("folder", None, tmp_path / "out", root)
    polarities = {
        e["file"].decode().split("/")[0]: e["polarity"] for e in trees.stored(builder, "train")
    }
    assert polarities == {"Joy": 1, "Sadness": 0, "hope": -1}


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "validation", "testing")])
def test_given_splits_are_kept(tmp_path, names):
    for name, count in zip(names, (3, 1, 2), strict=True):
        pets(tmp_path / "in" / name, count)
    (tmp_path / "in" / "__MACOSX").mkdir()
    builder = prepare("folder", None, tmp_path / "out", tmp_path / "in")
    assert trees.sizes(builder) == {"train": 6, "validation": 2, "test": 4}
    assert trees.labels(builder, "test")[f"{names[2]}/dog/1.jpg"] == "dog"


def write_table(root, rows, header=("Path", "Label", "Split")):
    with open(root / "my photos.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\r").writerows([header, *rows])


def test_a_table_with_odd_names(tmp_path):
    """Spaces, letters of other alphabets, folders below; carriage returns end the lines."""
    root = tmp_path / "in"
    files = ["a b.jpg", "Übung/naïve café.jpg", "写真/笑顔.jpg", "d, e.jpg"]
    for file in files:
        trees.photograph(root / file, file)
    splits = ("train", "Train", "val", "test")
    rows = [
        (f, c, s) for f, c, s in zip(files, ("joy ", "noia", "joy", "noia"), splits, strict=True)
    ]
    write_table(root, [*rows, ("lost.jpg", "joy", "test")])
    builder = prepare("folder", "mine", tmp_path / "out", root)
    assert trees.labels(builder, "train") == {"a b.jpg": "joy", "Übung/naïve café.jpg": "noia"}
    assert trees.labels(builder, "validation") == {"写真/笑顔.jpg": "joy"}
    assert trees.labels(builder, "test") == {"d, e.jpg": "noia"}
    told = survey.load(builder.data_dir)
    assert told.missing == ["lost.jpg"]
    assert told.layout == "my photos.csv, its split"


def test_a_table_without_splits_leads_nowhere_else(tmp_path):
    root = pets(tmp_path / "in", 10)
    trees.photograph(tmp_path / "secret.jpg")
    rows = [(f"{c}/{i}.jpg", c) for c in ("cat", "dog") for i in range(10)]
    outside = [("../secret.jpg", "cat"), (str(tmp_path / "secret.jpg"), "dog")]
    write_table(root, [*rows, *outside], ("path", "label"))
    builder = prepare("folder", None, tmp_path / "out", root)
    assert sum(trees.sizes(builder).values()) == 20
    assert survey.load(builder.data_dir).refused == ["../secret.jpg"]


def test_wrong_tables(tmp_path):
    root = pets(tmp_path / "in", 2)
    wrong = {
        "expected the columns path, label .* found file, label": [("file", "label")],
        "row 1: expected a path and a label": [("path", "label"), ("cat/0.jpg", "")],
        "row 1: expected a split of train": [("path", "label", "split"), ("cat/0.jpg", "c", "dev")],
        "a split in every row or in none": [
            ("path", "label", "split"), ("cat/0.jpg", "c", "test"), ("dog/0.jpg", "d", ""),
        ],
    }  # fmt: skip
    for message, (header, *rows) in wrong.items():
        write_table(root, rows, header)
        with pytest.raises(UserError, match=message):
            prepare("folder", None, tmp_path / "out", root)
    (root / "other.csv").write_text("path,label\n")
    with pytest.raises(UserError, match=r"several tables \(my photos.csv, other.csv\)"):
        prepare("folder", None, tmp_path / "out", root)
    with pytest.raises(UserError, match="no table .*third.csv"):
        prepare("folder", Config(name="x", table="third.csv"), tmp_path / "out", root)
    (root / "other.csv").write_bytes("path,label\nä.jpg,c\n".encode("latin-1"))
    with pytest.raises(UserError, match="other.csv: expected text in UTF-8"):
        prepare("folder", Config(name="x", table="other.csv"), tmp_path / "out", root)


def test_one_class_is_none(tmp_path):
    pets(tmp_path / "in", 3, ("cat",))
    with pytest.raises(UserError, match=r"1 classes \(cat\), two or more"):
        prepare("folder", None, tmp_path / "out", tmp_path / "in")


def test_copies_stay_together_and_are_told(tmp_path, caplog):
    """Every picture in four files: none straddles the splits, which keep their sizes."""
    root = tmp_path / "in"
    for label in ("cat", "dog"):
        for i in range(40):
            trees.photograph(root / label / f"{i}.png", f"{label}/{i // 4}")
    with trees.told(caplog):
        builder = prepare("folder", None, tmp_path / "out", root)
    assert trees.sizes(builder) == {"train": 72, "test": 8}
    pictures = [{e["image"] for e in trees.stored(builder, s)} for s in ("train", "test")]
    assert [len(images) for images in pictures] == [18, 2]
    assert not pictures[0] & pictures[1]
    assert "20 in several files: cat/0.png = cat/1.png = cat/2.png = cat/3.png" in caplog.text


def test_what_cannot_be_used_is_left_out_and_told(tmp_path, caplog):
    root = pets(tmp_path / "in")
    trees.photograph(tmp_path / "elsewhere.jpg")
    (root / "cat" / "link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (root / "cat" / "empty.jpg").write_bytes(b"")
    whole = (root / "dog" / "0.jpg").read_bytes()
    (root / "dog" / "cut.jpg").write_bytes(whole[:-40])
    (root / "dog" / "same.jpg").write_bytes((root / "cat" / "3.jpg").read_bytes())
    with open(os.fsencode(root) + b"/dog/caf\xe9.jpg", "wb") as file:  # no UTF-8
        Image.fromarray(trees.noise("café")).save(file, "JPEG")
    with trees.told(caplog):
        builder = prepare("folder", None, tmp_path / "out", root)
    told = survey.load(builder.data_dir)
    assert told.refused == ["cat/link.jpg"]
    assert sorted(told.undecodable) == ["cat/empty.jpg", "dog/cut.jpg"]
    assert told.contradictory == ["cat/3.jpg = dog/same.jpg (cat, dog)"]
    assert told.found == sum(trees.sizes(builder).values()) == 40
    assert "1 refused as links out of the folder: cat/link.jpg" in caplog.text
    files = {file for split in builder.info.splits for file in trees.labels(builder, split)}
    assert "dog/caf�.jpg" in files


# What is in no class's folder, or nothing that is read -------------------------------------------


def test_folders_below_a_class_belong_to_it(tmp_path, caplog):
    root = pets(tmp_path / "in", 10)
    for i in range(10):
        trees.photograph(root / "cat" / "2021" / "spring" / f"{i}.jpg")
        trees.photograph(root / "eel" / "2022" / f"{i}.jpg")
    with trees.told(caplog):
        builder = prepare("folder", "mine", tmp_path / "out", root, strict=True)
    assert class_names(builder) == ["cat", "dog", "eel"]
    labels = {f: c for s in builder.info.splits for f, c in trees.labels(builder, s).items()}
    assert Counter(labels.values()) == {"cat": 20, "dog": 10, "eel": 10}
    assert labels["cat/2021/spring/3.jpg"] == "cat"
    assert survey.load(builder.data_dir).nested == {"cat/2021/spring/": 10, "eel/2022/": 10}
    assert "20 in folders below their class's: cat/2021/spring/, eel/2022/" in caplog.text


def test_folders_below_a_class_of_a_split(tmp_path):
    root = tmp_path / "in"
    for split in ("train", "test"):
        pets(root / split, 2)
        trees.photograph(root / split / "dog" / "test" / "train" / "7.jpg", split)
    builder = prepare("folder", None, tmp_path / "out", root, strict=True)
    assert trees.sizes(builder) == {"train": 5, "test": 5}
    assert trees.labels(builder, "train")["train/dog/test/train/7.jpg"] == "dog"


def test_a_split_is_no_class(tmp_path):
    """Beside class folders its photographs are told of; a class of that name has its own."""
    root = pets(tmp_path / "in", 10)
    pets(root / "train", 1)
    builder = prepare("folder", "beside", tmp_path / "out", root)
    assert class_names(builder) == ["cat", "dog"]
    told = survey.load(builder.data_dir)
    assert (told.found, told.outside) == (20, ["train/cat/0.jpg", "train/dog/0.jpg"])
    with pytest.raises(UserError, match=r"2 in no folder of a class: train/cat/0.jpg"):
        prepare("folder", "strict", tmp_path / "out", root, strict=True)

    own = pets(tmp_path / "own", 10, ("rest", "training"))
    builder = prepare("folder", "own", tmp_path / "out", own, strict=True)
    assert class_names(builder) == ["rest", "training"]

    alone = tmp_path / "alone"
    pets(alone / "train", 3)
    with pytest.raises(UserError, match="holds train; expected"):
        prepare("folder", "alone", tmp_path / "out", alone)


def test_nothing_is_passed_over_in_silence(tmp_path, caplog):
    root = pets(tmp_path / "in", 10)
    trees.photograph(root / "loose.jpg")
    (root / "notes.txt").write_text("mine")
    (root / "cat" / "film.mov").write_bytes(b"x")
    (root / "cat" / "raw.DNG").write_bytes(b"x")
    (root / "eel").mkdir()
    (root / "fox" / "below").mkdir(parents=True)
    for hidden in (".trash/1.jpg", "__MACOSX/cat/._0.jpg", "cat/.thumb.jpg"):
        trees.photograph(root / hidden)
    with trees.told(caplog):
        builder = prepare("folder", "mine", tmp_path / "out", root)
    told = survey.load(builder.data_dir)
    assert told.outside == ["loose.jpg"]
    assert told.others == ["cat/film.mov", "notes.txt"]
    assert told.unread == ["cat/raw.DNG"]
    assert told.empty == ["eel/", "fox/"]
    assert class_names(builder) == ["cat", "dog"]
    for text in (
        "1 of a kind that is not read: cat/raw.DNG;",
        "1 in no folder of a class: loose.jpg;",
        "2 without a photograph: eel/, fox/;",
        "2 that are no photographs: cat/film.mov, notes.txt",
    ):
        assert text in caplog.text + ";"
    for file in ("loose.jpg", "cat/raw.DNG", "eel", "fox/below"):
        with pytest.raises(UserError, match="prepare without strict"):
            prepare("folder", "strict", tmp_path / "out", root, strict=True)
        path = root / file
        path.rmdir() if path.is_dir() else path.unlink()
    (root / "fox").rmdir()
    prepare("folder", "strict", tmp_path / "out", root, strict=True)  # notes and films are no loss


def test_one_class_tells_of_the_empty_ones(tmp_path):
    pets(tmp_path / "in", 3, ("cat",))
    (tmp_path / "in" / "dog").mkdir()
    with pytest.raises(UserError, match=r"two or more are needed; without a photograph: dog/;"):
        prepare("folder", None, tmp_path / "out", tmp_path / "in")


def test_a_class_whose_photographs_are_all_broken_is_told(tmp_path):
    root = pets(tmp_path / "in", 10)
    (root / "eel").mkdir()
    (root / "eel" / "1.jpg").write_bytes(b"")
    told = survey.load(prepare("folder", None, tmp_path / "out", root).data_dir)
    assert (told.undecodable, told.empty) == (["eel/1.jpg"], ["eel"])


def test_photographs_beside_a_table(tmp_path):
    """The table decides, so that they are told of and no error."""
    root = pets(tmp_path / "in", 10)
    rows = [(f"{c}/{i}.jpg", c) for c in ("cat", "dog") for i in range(9)]
    write_table(root, rows, ("path", "label"))
    builder = prepare("folder", None, tmp_path / "out", root, strict=True)
    told = survey.load(builder.data_dir)
    assert told.unlisted == ["cat/9.jpg", "dog/9.jpg"]
    assert (told.outside, told.others, told.found) == ([], [], 18)


def heic(path, name):
    """Noise of a name as a telephone turned on its side writes it."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs jaxsent[heic]")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(trees.noise(name)).save(path, "HEIF", exif=exif.tobytes(), quality=90)


def test_heic_is_read_as_predict_reads_it(tmp_path):
    root = tmp_path / "in"
    for label in ("cat", "dog"):
        for i in range(4):
            heic(root / label / f"{i}.HEIC", f"{label}{i}")
    builder = prepare("folder", "mine", tmp_path / "out", root, strict=True)
    stored = {f: e for s in builder.info.splits for f, e in trees.examples(builder, s).items()}
    assert len(stored) == 8
    for file, example in stored.items():
        upright = photograph.read(root / file)
        assert upright.shape == (16, 12, 3)
        np.testing.assert_array_equal(augment.decode(example["image"]), upright)


def test_heic_without_its_extra_is_named(tmp_path, monkeypatch, caplog):
    root = pets(tmp_path / "in", 10)
    heic(root / "cat" / "a.heic", "a")
    heic(root / "dog" / "b.jpg", "b")  # as telephones name them when they are sent
    heic(root / "eel" / "c.HEIF", "c")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with trees.told(caplog):
        builder = prepare("folder", "mine", tmp_path / "out", root)
    told = survey.load(builder.data_dir)
    assert sorted(told.unread) == ["cat/a.heic", "dog/b.jpg", "eel/c.HEIF"]
    assert (told.undecodable, told.empty, told.found) == ([], ["eel"], 20)
    assert "3 of a kind that is not read: cat/a.heic" in caplog.text
    assert "(for HEIC: pip install 'jaxsent[heic]')" in caplog.text
    with pytest.raises(UserError, match=r"jaxsent\[heic\]"):
        prepare("folder", "strict", tmp_path / "out", root, strict=True)
