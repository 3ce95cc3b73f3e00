"""Features as files: what is written is read, and what does not fit is named."""

import csv
import sys
import types

import numpy as np
import pytest

from jaxsent.baselines import feature_file, sources, svm
from jaxsent.baselines.feature_file import FeatureTable
from jaxsent.errors import UserError
from tfds_builders.prepare import prepare

FILES = ["a/one.jpg", "a/two.jpg", "b/three.png"]


@pytest.fixture
def table():
    return FeatureTable(
        np.array(FILES), np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
        np.int32([0, 1, -1]), np.int32([1, 0, 1]), np.array(["train", "train", "test"]),
    )  # fmt: skip


def as_csv(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_what_is_written_is_read(table, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "new" / f"x{suffix}"
    feature_file.write(path, table)
    for name, values in feature_file.read(path, 4)._asdict().items():
        np.testing.assert_array_equal(values, getattr(table, name), err_msg=name)


def test_parquet_is_as_others_read_it(table, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    feature_file.write(tmp_path / "x.parquet", table)
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert rows[2]["file"] == "b/three.png" and rows[2]["split"] == "test"
    assert rows[2]["label"] == -1
    np.testing.assert_array_equal(rows[1]["features"], table.features[1])


def test_an_npz_of_ones_own(table, tmp_path):
    np.savez(tmp_path / "own.npz", files=table.file, features=np.float64(table.features))
    own = feature_file.read(tmp_path / "own.npz")
    np.testing.assert_array_equal(own.features, table.features)
    assert own.label is None and own.features.dtype == np.float32


@pytest.mark.parametrize("head", [[], [["image", "x0", "x1"]]])
def test_csv_with_and_without_a_head(tmp_path, head):
    path = as_csv(tmp_path / "x.csv", [*head, ["b.jpg", 1, "2.5"], ["a.jpg", "-3e-1", 4]])
    own = feature_file.read(path, 2)
    assert own.file.tolist() == ["b.jpg", "a.jpg"]
    np.testing.assert_allclose(own.features, [[1, 2.5], [-0.3, 4]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", 1, 2], ["b", 1]], "line 2: expected a file name and 2 numbers, found 1"),
        ([["a", 1, 2], ["b", 1, "x"]], "line 2: expected a file name and 2 numbers"),
        ([["a", 1, 2], ["b", 1, "nan"]], "b is not all finite"),
        ([["a", 1, 2], ["a", 1, 3]], "a is there twice"),
        ([["a", 1, 2, 3]], "expected 2 numbers an image, found 3"),
        ([], "expected a row of features an image, found 0"),
    ],
)
def test_a_csv_that_does_not_fit(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        feature_file.read(as_csv(tmp_path / "x.csv", rows), 2)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        feature_file.read(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"PK no zip")
    with pytest.raises(UserError, match="damaged"):
        feature_file.read(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", files=np.array([object()]), features=np.zeros((1, 2)))
    with pytest.raises(UserError, match="damaged"):  # a pickle is not opened
        feature_file.read(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", x=np.zeros((1, 2)))
    with pytest.raises(UserError, match="a row each; it has x"):
        feature_file.read(tmp_path / "z.npz")
    with pytest.raises(UserError, match="expected a file ending in .npz, .parquet, .csv"):
        feature_file.read(as_csv(tmp_path / "x.txt", []))
    with pytest.raises(UserError, match="written to .npz or .parquet"):
        feature_file.check_writable(tmp_path / "x.csv")


def test_without_pyarrow(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match="pip install pyarrow, or take .npz"):
        feature_file.write(tmp_path / "x.parquet", table)


def test_rows_are_found_by_path_or_name(table):
    def found(*files):
        return feature_file.rows(table, list(files), "T")

    np.testing.assert_array_equal(found("b/three.png", "a/one.jpg"), table.features[[2, 0]])
    np.testing.assert_array_equal(found("a/one.png"), table.features[[0]])
    np.testing.assert_array_equal(found("three.jpg"), table.features[[2]])
    np.testing.assert_array_equal(found("set/b/three"), table.features[[2]])
    with pytest.raises(UserError, match=r"T: .*four.jpg, x/one.jpg are not in it. Rows are c"):
        found("four.jpg", "a/one.jpg", "x/one.jpg")


def test_rows_called_otherwise(table):
    bare = table._replace(file=np.array(["one.v2", "/data/a/two.png", "b\\three.jpg"]))
    files = ["b/three.png", "a/two.jpg", "a/one.v2.jpg"]
    np.testing.assert_array_equal(feature_file.rows(bare, files, "T"), table.features[::-1])
    with pytest.raises(
        UserError, match=r"T: a/one.v2.jpg, c/one.v2.jpg are of one row, one.v2; name"
    ):
        feature_file.rows(bare, ["a/one.v2.jpg", "c/one.v2.jpg"], "T")


def test_a_name_that_two_rows_share_is_none(table):
    twins = table._replace(file=np.array(["a/one.jpg", "b/one.jpg", "c.jpg"]))
    np.testing.assert_array_equal(feature_file.rows(twins, ["b/one.jpg"], "T"), table.features[[1]])
    with pytest.raises(UserError, match="one.jpg is not in it"):
        feature_file.rows(twins, ["one.jpg"], "T")


def test_a_folder_of_files(table, tmp_path):
    feature_file.write(tmp_path / "twitter1.npz", table)
    assert feature_file.locate(tmp_path, "twitter1/agree3_fold1") == tmp_path / "twitter1.npz"
    assert feature_file.locate(tmp_path / "any.npz", "fi") == tmp_path / "any.npz"
    with pytest.raises(UserError, match="expected fi.npz, fi.parquet, fi.csv in it"):
        feature_file.locate(tmp_path, "fi")


def detector_file(builder, path, width):
    """What a detector may say of a set: its polarity in 50 numbers, the rest noise."""
    rng, rows = np.random.default_rng(0), []
    for split in ("test", "train"):
        for raw in sources.records.source(builder, split):
            values = rng.normal(size=width) / 10
            values[:50] += raw["polarity"]
            rows.append([raw["file"].decode(), *(f"{v:.4f}" for v in values)])
    return as_csv(path, rows)


@pytest.mark.parametrize(("name", "width"), [("sentibank", 1200), ("deepsentibank", 2089)])
def test_a_detectors_file_is_a_row(prepared, tmp_path, name, width):
    builder = prepare("emoji_scenes", "tiny", prepared)
    detector_file(builder, tmp_path / "emoji_scenes.csv", width)
    for place in (tmp_path, tmp_path / "emoji_scenes.csv"):
        source = sources.open_source(f"{name}={place}", builder, "emoji_scenes/tiny")
        assert source.name == name
        assert svm.evaluate(builder, source.features)["accuracy"] == 1
    lines = (tmp_path / "emoji_scenes.csv").read_text().splitlines()
    (tmp_path / "short.csv").write_text("\n".join(lines[1:]))
    source = sources.open_source(f"{name}={tmp_path / 'short.csv'}", builder, "emoji_scenes/tiny")
    missing = lines[0].split(",")[0]
    with pytest.raises(UserError, match=f"every image of the set; {missing} is not in it"):
        svm.evaluate(builder, source.features)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hog", "no features 'hog'; expected gch, lch, principles, sentibank=FILE"),
        ("sentibank", "where its 1,200 numbers an image are: sentibank=FILE"),
        ("vgg16", "say where its weights are, vgg16=FILE"),
        ("vgg61=x.pth", "no backbone 'vgg61'"),
        ("x.npz", "x.npz: there is no such file"),
    ],
)
def test_sources_that_are_none(source, message):
    with pytest.raises(UserError, match=message):
        sources.open_source(source, types.SimpleNamespace(), "fi")
