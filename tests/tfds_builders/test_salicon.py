"""SALICON: fixation maps, and fixations of Matlab files to the pixel."""

import numpy as np
import pytest
import scipy.io

from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tests.tfds_builders.test_emod import grey
from tfds_builders import survey
from tfds_builders.prepare import prepare
from tfds_builders.salicon.gaze import raster, read_fixations

HEIGHT, WIDTH = 12, 16
COUNTS = {"train": 6, "val": 3, "test": 2}
OBSERVERS = (
    [[1, 1], [16, 12]],  # the corners of 16 columns and 12 rows
    [[5, 2], [5, 2], [17, 3], [0, 3], [3, 13], [np.nan, 4]],  # but for the first two outside
    np.empty((0, 0)),
)
POINTS = {(0, 0), (11, 15), (1, 4)}  # row and column from 0


def write_gaze(path, observers=OBSERVERS, resolution=(HEIGHT, WIDTH), field="fixations"):
    """A Matlab file as SALICON has them: `gaze` (n, 1), whose first two fields are not read."""
    gaze = np.zeros((len(observers), 1), [(n, object) for n in ("location", "timestamp", field)])
    for entry, fixations in zip(gaze[:, 0], observers, strict=True):
        entry["location"], entry["timestamp"] = np.full((4, 2), 7.5), np.arange(4)
        entry[field] = np.asarray(fixations)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"gaze": gaze, "resolution": np.array([resolution]), "image": path.stem}
    scipy.io.savemat(path, content, do_compression=True)


def stem(folder, n):
    return f"COCO_{folder}2014_{n:012}"


def soft(n):
    return np.add.outer(np.arange(HEIGHT) * 8, np.arange(WIDTH) * 5 + n).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "SALICON"
    for name, count in COUNTS.items():
        for n in range(count):
            trees.photograph(root / "images" / name / f"{stem(name, n)}.jpg", f"{name}{n}")
            if name != "test":
                trees.grey(root / "maps" / name / f"{stem(name, n)}.png", soft(n))
                write_gaze(root / "fixations" / name / f"{stem(name, n)}.mat")
    return root


def pixels(mask):
    """(row, column) of each pixel that is not 0."""
    return {tuple(map(int, cell)) for cell in np.argwhere(mask)}


def test_splits_maps_and_fixations(folder, tmp_path):
    builder = prepare("salicon", None, tmp_path / "out", folder)
    assert trees.sizes(builder) == {"train": 6, "test": 3}
    for split, name in (("train", "train"), ("test", "val")):
        for n, (file, example) in enumerate(sorted(trees.examples(builder, split).items())):
            assert file == f"images/{name}/{stem(name, n)}.jpg"
            assert example["label"] == example["polarity"] == -1
            np.testing.assert_array_equal(grey(example["fixation_map"]), soft(n))
            fixations = grey(example["fixations"])
            assert fixations.shape == (HEIGHT, WIDTH)
            assert set(np.unique(fixations)) == {0, 255}
            assert pixels(fixations) == POINTS
    assert builder.info.features["label"].names == ["negative", "positive"]


def test_counts(folder, tmp_path):
    summary = survey.load(prepare("salicon", None, tmp_path / "out", folder).data_dir)
    assert (summary.found, summary.expected) == (9, 15_000)
    assert summary.left_out == {"SALICON's test split, whose maps are not published": 2}
    assert summary.maps == {"fixation_map": 9, "fixations": 9}
    assert (summary.missing, summary.empty, summary.unlisted, summary.others) == ([], [], [], [])
    rows = {(row.split, row.label): (row.found, row.expected) for row in summary.rows()}
    assert rows[("train", "all")] == (6, 10_000)
    assert rows[("test", "all")] == (3, 5_000)
    assert not {label for _, label in rows} & {"negative", "positive"}


def test_what_is_missing_is_named(folder, tmp_path):
    (folder / "maps" / "train" / f"{stem('train', 1)}.png").unlink()
    (folder / "fixations" / "val" / f"{stem('val', 2)}.mat").unlink()
    (folder / "images" / "train" / f"{stem('train', 4)}.jpg").unlink()
    builder = prepare("salicon", None, tmp_path / "out", folder)
    summary = survey.load(builder.data_dir)
    assert summary.missing == [
        f"train/{stem('train', 1)} fixation_map",
        f"train/{stem('train', 4)} photograph",
        f"val/{stem('val', 2)} fixations",
    ]
    assert (summary.unlisted, summary.others) == ([], [])
    assert trees.sizes(builder) == {"train": 4, "test": 2}
    with pytest.raises(UserError, match="3 missing"):
        prepare("salicon", None, tmp_path / "other", folder, strict=True)


def test_photographs_in_one_folder(folder, tmp_path):
    """As older releases have them: MS COCO's names tell the splits apart."""
    for name in COUNTS:
        for path in sorted((folder / "images" / name).iterdir()):
            path.rename(folder / "images" / path.name)
        (folder / "images" / name).rmdir()
    builder = prepare("salicon", None, tmp_path / "out", folder)
    assert trees.sizes(builder) == {"train": 6, "test": 3}
    assert sum(survey.load(builder.data_dir).left_out.values()) == 2


def test_without_fixations_none_are_made_up(folder, tmp_path):
    (folder / "fixations").rename(tmp_path / "elsewhere")
    builder = prepare("salicon", None, tmp_path / "out", folder)
    summary = survey.load(builder.data_dir)
    assert summary.maps == {"fixation_map": 9, "fixations": 0}
    assert "no fixations/" in summary.layout
    for example in trees.examples(builder, "train").values():
        assert grey(example["fixations"]).shape == (HEIGHT, WIDTH)
        assert not grey(example["fixations"]).any()
        assert grey(example["fixation_map"]).any()


def test_a_smaller_photograph_keeps_every_fixation(folder, tmp_path):
    """The .mat counts in pixels of its resolution, here four times the photograph's."""
    path = folder / "fixations" / "train" / f"{stem('train', 0)}.mat"
    write_gaze(path, [[[1, 1], [4, 4], [5, 4], [64, 48]]], (4 * HEIGHT, 4 * WIDTH))
    examples = trees.examples(prepare("salicon", None, tmp_path / "out", folder), "train")
    fixations = grey(examples[f"images/train/{stem('train', 0)}.jpg"]["fixations"])
    assert pixels(fixations) == {(0, 0), (0, 1), (11, 15)}


def test_a_damaged_file_and_a_link_out_of_the_folder_are_left_out(folder, tmp_path):
    path = folder / "fixations" / "train" / f"{stem('train', 3)}.mat"
    path.write_bytes(path.read_bytes()[:200])
    link = folder / "fixations" / "train" / f"{stem('train', 4)}.mat"
    link.rename(tmp_path / link.name)
    link.symlink_to(tmp_path / link.name)
    builder = prepare("salicon", None, tmp_path / "out", folder)
    summary = survey.load(builder.data_dir)
    assert summary.undecodable == [f"fixations/train/{path.name}"]
    assert summary.refused == [f"fixations/train/{link.name}"]
    assert trees.sizes(builder)["train"] == 4


def test_a_pixel_reaches_half_a_pixel_around_its_middle():
    fixations = np.array([[1.49, 1.0], [1.5, 1.0], [0.5, 2.49], [0.49, 1.0], [3.49, 2.0]])
    assert pixels(raster(fixations, 2, 3)) == {(0, 0), (0, 1), (1, 0), (1, 2)}


def test_integers_without_a_sign(tmp_path):
    """Matlab's uint16, of which 0 lies outside and must not become 65,535."""
    write_gaze(tmp_path / "a.mat", [np.array([[0, 5], [2, 3]], np.uint16)])
    assert pixels(read_fixations(tmp_path / "a.mat", tmp_path)[0]) == {(2, 1)}


def test_other_files_say_what_is_wrong(tmp_path):
    path = tmp_path / "a.mat"
    write_gaze(path, field="points")
    with pytest.raises(UserError, match="gaze with the field fixations.*found gaze, resolution"):
        read_fixations(path, tmp_path)
    scipy.io.savemat(path, {"fixLocs": np.zeros((3, 4))})
    with pytest.raises(UserError, match="found fixLocs"):
        read_fixations(path, tmp_path)
    for fixations in ([[1, 2, 3], [4, 5, 6]], "here", np.array([["left", "top"]], object)):
        write_gaze(path, [fixations])
        with pytest.raises(UserError, match="as x and y"):
            read_fixations(path, tmp_path)
    path.write_text("no Matlab file")
    with pytest.raises(UserError, match="expected a Matlab file"):
        read_fixations(path, tmp_path)
