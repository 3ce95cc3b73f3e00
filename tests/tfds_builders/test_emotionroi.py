"""EmotionROI: the authors' split and ours, maps that lie over their photographs."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from jaxsent.data.batches import class_names
from jaxsent.emotions import EMOTIONROI
from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.prepare import prepare


@pytest.fixture
def folder(tmp_path):
    """Ten photographs of each emotion with maps whose upper half counts; seven of ten train."""
    root = tmp_path / "emotionroi"
    lists = {"training": [], "testing": []}
    values = np.repeat(np.uint8([[200], [30]]), 6, 0).repeat(16, 1)
    for label in EMOTIONROI:
        for i in range(10):
            name = f"{label}/{i}.jpg"
            trees.photograph(root / "images" / name, name)
            trees.grey(root / "ground_truth" / name, values, quality=95)
            lists["training" if i < 7 else "testing"].append(name)
    (root / "training_testing_split").mkdir()
    for name, lines in lists.items():
        (root / "training_testing_split" / f"{name}.txt").write_text("\r\n".join(lines) + "\r\n")
    return root


def region(example):
    return np.asarray(Image.open(io.BytesIO(example["region"])))


def test_the_authors_split(folder, tmp_path):
    builder = prepare("emotionroi", None, tmp_path / "out", folder)
    assert trees.sizes(builder) == {"train": 42, "test": 18}
    assert class_names(builder) == list(EMOTIONROI)
    for split, numbers in (("train", range(7)), ("test", range(7, 10))):
        labels = trees.labels(builder, split)
        assert labels == {f"images/{c}/{i}.jpg": c for c in EMOTIONROI for i in numbers}
    for file, example in trees.examples(builder, "test").items():
        assert example["polarity"] == (file.split("/")[1] in ("joy", "surprise"))
        assert example["image"] == (folder / file).read_bytes()
        assert np.abs(region(example) - np.repeat([200.0, 30.0], 6)[:, None]).max() < 8


def test_survey_is_kept_beside_the_set(folder, tmp_path):
    (folder / "images" / "joy" / "3.jpg").unlink()
    (folder / "ground_truth" / "fear" / "8.jpg").unlink()
    (folder / "ground_truth" / "fear" / "9.jpg").write_bytes(b"")
    trees.photograph(folder / "images" / "anger" / "extra.jpg")
    trees.grey(folder / "ground_truth" / "anger" / "extra.jpg", np.zeros((12, 16), np.uint8))
    builder = prepare("emotionroi", None, tmp_path / "out", folder)
    told = survey.load(builder.data_dir)
    assert (told.found, told.expected, told.maps) == (57, 1980, {"region": 57})
    assert told.missing == ["images/joy/3.jpg", "ground_truth/fear/8.jpg"]
    assert told.undecodable == ["ground_truth/fear/9.jpg"]
    assert told.left_out == {"in neither list": 1}
    assert told.unlisted == ["ground_truth/joy/3.jpg"]  # whose photograph is missing
    assert (told.outside, told.others) == ([], [])
    rows = {(row.split, row.label): (row.found, row.expected) for row in told.rows()}
    assert rows["train", "joy"] == (6, 7)
    assert rows["test", "fear"] == (1, 3)
    assert rows["test", "all"] == (16, 18)
    assert rows["all", "joy"] == (9, 330)
    assert rows["all", "all"] == (57, 1980)
    assert told.source == str(folder)


def test_without_lists_each_class_is_split(folder, tmp_path):
    (folder / "training_testing_split" / "training.txt").unlink()
    builder = prepare("emotionroi", None, tmp_path / "out", folder)
    assert trees.sizes(builder) == {"train": 48, "test": 12}
    told = survey.load(builder.data_dir)
    assert (told.outside, told.others) == ([], ["training_testing_split/testing.txt"])
    assert set(Counter(trees.labels(builder, "test").values()).values()) == {2}


def test_a_map_of_another_size_or_depth_gets_the_photographs(folder, tmp_path):
    small = np.uint8([[0, 255], [255, 0]])
    trees.grey(folder / "ground_truth" / "joy" / "0.jpg", small, format="PNG")
    deep = np.full((12, 16), 51400, np.uint16)  # 200 of 255
    Image.fromarray(deep).save(folder / "ground_truth" / "joy" / "1.jpg", format="PNG")
    (folder / "ground_truth" / "joy" / "2.jpg").unlink()
    trees.grey(folder / "ground_truth" / "joy" / "2.png", np.full((12, 16), 7, np.uint8))
    builder = prepare("emotionroi", None, tmp_path / "out", folder)
    examples = trees.examples(builder, "train")
    enlarged = region(examples["images/joy/0.jpg"])
    assert enlarged.shape == (12, 16)
    assert (enlarged[0, 0], enlarged[0, -1], enlarged[-1, 0]) == (0, 255, 255)
    assert (region(examples["images/joy/1.jpg"]) == 200).all()
    assert (region(examples["images/joy/2.jpg"]) == 7).all()


@pytest.mark.parametrize("upright", [False, True])
def test_a_rotated_photograph_turns_its_map(folder, tmp_path, upright):
    """The map is bright where the photograph is: at the left as stored, at the top as seen."""
    pixels = np.zeros((12, 16, 3), np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    photograph = folder / "images" / "joy" / "0.jpg"
    Image.fromarray(pixels).save(photograph, exif=exif, quality=95)
    values = np.rot90(pixels[..., 0], -1) if upright else pixels[..., 0]
    trees.grey(folder / "ground_truth" / "joy" / "0.jpg", values.copy(), format="PNG")
    builder = prepare("emotionroi", None, tmp_path / "out", folder)
    example = trees.examples(builder, "train")["images/joy/0.jpg"]
    image = np.asarray(Image.open(io.BytesIO(example["image"])))
    assert image.shape == (16, 12, 3)
    np.testing.assert_array_equal(image[..., 0] > 127, region(example) > 127)
    assert (region(example)[:8] == 255).all()


def test_one_picture_in_train_and_test_is_an_error(folder, tmp_path):
    for label in ("joy", "fear"):
        source, copy = (folder / "images" / label / f"{i}.jpg" for i in (0, 9))
        copy.write_bytes(source.read_bytes())
    with pytest.raises(UserError) as error:
        prepare("emotionroi", None, tmp_path / "out", folder)
    for text in ("joy/0.jpg in train", "joy/9.jpg in test", "fear/9.jpg", "remove one file of"):
        assert text in str(error.value)
    assert not list((tmp_path / "out").glob("emotionroi/default/*"))


def test_one_picture_with_two_labels_is_left_out(folder, tmp_path, caplog):
    source = folder / "images" / "joy" / "0.jpg"
    (folder / "images" / "fear" / "0.jpg").write_bytes(source.read_bytes())
    with trees.told(caplog):
        builder = prepare("emotionroi", None, tmp_path / "out", folder)
    assert "1 contradictory: images/fear/0.jpg = images/joy/0.jpg (fear, joy)" in caplog.text
    files = trees.examples(builder, "train").keys()
    assert not {"images/joy/0.jpg", "images/fear/0.jpg"} & files
    assert trees.sizes(builder)["train"] == 40
    with pytest.raises(UserError, match="contradictory"):
        prepare("emotionroi", None, tmp_path / "other", folder, strict=True)


def test_wrong_line_and_wrong_folder(folder, tmp_path):
    (folder / "training_testing_split" / "testing.txt").write_text("joy/1.jpg\nawe/1.jpg\n")
    with pytest.raises(UserError, match=r"testing.txt, line 2: .*found 'awe/1.jpg'"):
        prepare("emotionroi", None, tmp_path / "out", folder)
    with pytest.raises(UserError, match=r"holds anger, disgust, .*; expected .*_split"):
        prepare("emotionroi", None, tmp_path / "out", folder / "images" / "joy" / "..")
