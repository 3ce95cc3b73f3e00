"""EMOd: ratings of the Matlab table, continuous and binary maps."""

import io

import numpy as np
import pytest
import scipy.io
from PIL import Image

from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.emod.emod_dataset_builder import Config
from tfds_builders.emod.ratings import read_ratings
from tfds_builders.prepare import prepare

COUNT = 20


@pytest.fixture
def table():
    """Float64 (20, 16): numbers 1 to 20, and a value of its own in every other cell."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(1, 9, (COUNT, 16))
    rows[:, 0] = np.arange(1, COUNT + 1)
    rows[:, 3] = np.where(np.arange(COUNT) % 2, 6.5, 3.25)
    return rows


@pytest.fixture
def folder(tmp_path, table):
    root = tmp_path / "EMOd"
    maps = root / "Fixation_Maps" / "FixationMap"
    for n in range(1, COUNT + 1):
        trees.photograph(root / "EMOdImages1019" / f"{n:04}.jpg")
        soft, binary = _maps(n)
        trees.grey(maps / "Continous_map" / f"{n}.jpg", soft, quality=95)
        trees.grey(maps / "Binary_map" / f"{n}.jpg", binary, quality=90)
    scipy.io.savemat(root / "allfindata1019_renamed.mat", {"allfindata1019": table})
    return root


def _maps(n):
    soft = np.add.outer(np.arange(12) * 8, np.arange(16) * 5).astype(np.uint8)
    binary = np.zeros((12, 16), np.uint8)
    binary[n % 12, n % 16] = 255
    return soft, binary


def grey(data):
    picture = Image.open(io.BytesIO(data))
    assert picture.mode == "L"
    return np.asarray(picture)


def test_ratings_and_maps(folder, tmp_path, table):
    builder = prepare("emod", None, tmp_path / "out", folder)
    assert trees.sizes(builder) == {"train": 16, "test": 4}
    examples = trees.examples(builder, "train") | trees.examples(builder, "test")
    assert len(examples) == COUNT
    for file, example in examples.items():
        n = int(file.split("/")[1][:4])
        row = table[n - 1].astype(np.float32)
        assert [example[k] for k in ("valence", "arousal", "dominance")] == row[3:6].tolist()
        np.testing.assert_array_equal(example["emotion_scores"], row[6:15])
        assert example["label"] == example["polarity"] == int(row[3] >= 5)
        soft, binary = _maps(n)
        assert np.abs(grey(example["fixation_map"]).astype(int) - soft).max() < 8
        np.testing.assert_array_equal(grey(example["fixations"]), binary)
    labels = [e["label"] for e in trees.examples(builder, "test").values()]
    assert sorted(labels) == [0, 0, 1, 1]


def test_absent_photographs_of_iaps_are_told(folder, tmp_path):
    for n in range(1, 7):
        (folder / "EMOdImages1019" / f"{n:04}.jpg").unlink()
    (folder / "Fixation_Maps" / "FixationMap" / "Binary_map" / "9.jpg").unlink()
    builder = prepare("emod", None, tmp_path / "out", folder)
    told = survey.load(builder.data_dir)
    assert told.missing == [*(f"{n}.jpg" for n in range(1, 7)), "9.jpg fixations"]
    assert (told.found, told.expected) == (13, 1019)
    assert told.maps == {"fixation_map": 13, "fixations": 13}
    assert (told.unlisted, told.outside, told.others) == ([], [], [])
    with pytest.raises(UserError, match="7 missing"):
        prepare("emod", None, tmp_path / "other", folder, strict=True)


def test_a_binary_map_of_another_size_stays_binary(folder, tmp_path):
    binary = np.kron(_maps(3)[1], np.ones((2, 2), np.uint8))
    trees.grey(folder / "Fixation_Maps/FixationMap/Binary_map/3.jpg", binary, format="PNG")
    builder = prepare("emod", None, tmp_path / "out", folder)
    examples = trees.examples(builder, "train") | trees.examples(builder, "test")
    stored = grey(examples["EMOdImages1019/0003.jpg"]["fixations"])
    np.testing.assert_array_equal(stored, _maps(3)[1])


def test_maps_beside_the_table(folder, tmp_path):
    (folder / "Fixation_Maps" / "FixationMap").rename(folder / "FixationMap")
    assert trees.sizes(prepare("emod", None, tmp_path / "out", folder))["train"] == 16
    (folder / "FixationMap" / "Binary_map").rename(folder / "elsewhere")
    with pytest.raises(UserError, match=r"no .*Binary_map; expected a folder with EMOdImages1019"):
        prepare("emod", None, tmp_path / "other", folder)


def test_the_middle_of_the_scale(folder, tmp_path):
    config = Config(name="low", middle=3.0)
    with pytest.raises(UserError, match=r"3.25 to 6.5, is on one side of 3; give"):
        prepare("emod", config, tmp_path / "out", folder)


@pytest.mark.parametrize("cells", [np.array, lambda rows: np.array(rows.astype(str), object)])
def test_matrices_and_cell_arrays(tmp_path, table, cells):
    path = tmp_path / "t.mat"
    scipy.io.savemat(path, {"allfindata1019": cells(table)})
    ratings = read_ratings(path)
    assert [r.number for r in ratings] == list(range(1, COUNT + 1))
    np.testing.assert_allclose([r.dominance for r in ratings], table[:, 5])


def test_other_files_say_what_is_wrong(tmp_path, table):
    path = tmp_path / "t.mat"
    scipy.io.savemat(path, {"ratings": table})
    with pytest.raises(UserError, match=r"matrix allfindata1019; found ratings"):
        read_ratings(path)
    scipy.io.savemat(path, {"allfindata1019": table[:, :9]})
    with pytest.raises(UserError, match=r"15 columns or more; found \(20, 9\)"):
        read_ratings(path)
    broken = table.astype(object)
    broken[4, 3] = "high"
    scipy.io.savemat(path, {"allfindata1019": broken})
    with pytest.raises(UserError, match="row 5: expected a number"):
        read_ratings(path)
    path.write_text("no Matlab file")
    with pytest.raises(UserError, match="expected a Matlab file"):
        read_ratings(path)
