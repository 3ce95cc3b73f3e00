"""Maps made elsewhere: found by the images' names, read as what they are, faults named first."""

import zipfile

import cv2
import numpy as np
import pytest

from jaxsent.baselines import outside_maps
from jaxsent.errors import UserError

FILES = ["joy/one.jpg", "joy/two.png", "fear/one.jpg"]


@pytest.fixture
def folder(tmp_path):
    """{file: map} and the folder that has them, each in another form."""
    rng = np.random.default_rng(0)
    maps = [
        rng.integers(0, 256, (5, 7), np.uint8),
        rng.integers(0, 2**16, (6, 4), np.uint16),
        rng.normal(size=(3, 3)).astype(np.float32),
    ]
    for name in ("joy", "fear"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "joy" / "one.png"), np.dstack([maps[0]] * 3))  # grey in RGB
    cv2.imwrite(str(tmp_path / "joy" / "two.png"), maps[1])
    np.save(tmp_path / "fear" / "one.npy", maps[2][None, ..., None])
    return dict(zip(FILES, maps, strict=True)), tmp_path


def test_each_image_has_its_own(folder):
    maps, path = folder
    map_of = outside_maps.open_maps("saliency", path, FILES)
    for file, expected in maps.items():
        own = map_of(file, (50, 50))
        assert own.dtype == np.float32
        np.testing.assert_array_equal(own, np.float32(expected))
    np.savez_compressed(path / "fear" / "one.npz", maps[FILES[0]])
    (path / "fear" / "one.npy").unlink()
    map_of = outside_maps.open_maps("saliency", path, ["fear/one.jpg"])
    np.testing.assert_array_equal(map_of("fear/one.jpg", (9, 9)), maps[FILES[0]])


def test_boxes_are_a_map_too(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text(
        "file,x0,y0,x1,y1,score\nset/joy/one.jpg,0,0,2,2,0.5\nset/joy/one.jpg,1,1,3,3,0.9\n"
        "two,,,,,\n"
    )
    map_of = outside_maps.open_maps("rcnn", path, FILES[:2])
    expected = [[0.5, 0.5, 0, 0], [0.5, 0.9, 0.9, 0], [0, 0.9, 0.9, 0]]
    np.testing.assert_array_equal(map_of(FILES[0], (3, 4)), np.float32(expected))
    assert not map_of(FILES[1], (3, 4)).any()
    best = outside_maps.open_maps("rcnn", path, FILES[:1], best=1)(FILES[0], (3, 4))
    np.testing.assert_array_equal(best, np.float32([[0] * 4, [0, 0.9, 0.9, 0], [0, 0.9, 0.9, 0]]))
    with pytest.raises(UserError, match="a row for every image of the set; fear/one.jpg is not in"):
        outside_maps.open_maps("rcnn", path, FILES)


def test_images_without_a_map_are_counted(folder):
    others = [f"awe/{i}.jpg" for i in range(5)]
    with pytest.raises(UserError, match="expected a map for every image .*; awe/0.jpg, .* 2 more"):
        outside_maps.open_maps("saliency", folder[1], [*FILES, *others])


def test_maps_that_are_none_are_named_and_counted(folder):
    path = folder[1]
    np.save(path / "fear" / "one.npy", np.array([[0.5, np.nan]]))
    with pytest.raises(UserError, match=r"one\.npy: 1 of its 2 values are not finite numbers\.$"):
        outside_maps.open_maps("saliency", path, FILES)
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    cv2.imwrite(str(path / "joy" / "one.png"), colours)
    with pytest.raises(UserError, match="one.png: expected a grey map, .* 2 of 3 maps"):
        outside_maps.open_maps("saliency", path, FILES)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 4)), r"expected a map \(height, width\), found shape \(2, 3, 4\)"),
        (np.zeros(5), r"found shape \(5,\)"),
        (np.zeros((0, 5)), r"found shape \(0, 5\)"),
        (np.array([["a", "b"]]), "expected numbers, found <U1"),
        (np.array([[object()]]), "expected one array of numbers"),  # a pickle is not opened
    ],
)
@pytest.mark.parametrize("save", [np.save, np.savez], ids=["npy", "npz"])
def test_arrays_that_are_no_map(tmp_path, array, message, save):
    save(tmp_path / "x", array)
    (path,) = tmp_path.iterdir()
    with pytest.raises(UserError, match=message):
        outside_maps.read(path)


def test_files_that_are_damaged_or_too_large(tmp_path, monkeypatch):
    for suffix in ("png", "npy", "npz", "jpg"):
        path = tmp_path / f"x.{suffix}"
        path.write_bytes(b"no map at all")
        with pytest.raises(UserError, match=rf"x\.{suffix}: expected"):
            outside_maps.read(path)
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    with pytest.raises(UserError, match="one array in it, found 2"):
        outside_maps.read(tmp_path / "x.npz")
    monkeypatch.setattr(outside_maps, "LARGEST", 99)
    np.save(tmp_path / "x.npy", np.zeros((10, 10), np.uint8))
    np.savez_compressed(tmp_path / "x.npz", np.zeros((10, 10), np.uint8))
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((10, 10), np.uint8))
    with zipfile.ZipFile(tmp_path / "y.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("map.npy", bytes(1000))  # no array: told by its size before it is read
    for name in ("x.npy", "x.npz", "x.png", "y.npz"):
        with pytest.raises(UserError, match="at most 99 values"):
            outside_maps.read(tmp_path / name)


def test_folders_that_do_not_fit(folder, tmp_path):
    path = folder[1]
    np.save(path / "joy" / "one.npy", np.zeros((2, 2)))
    with pytest.raises(UserError, match="joy/one is there with two suffixes"):
        outside_maps.open_maps("saliency", path, FILES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="expected maps in this folder, found none"):
        outside_maps.open_maps("saliency", tmp_path / "empty", FILES)
    with pytest.raises(UserError, match="a folder of maps, or boxes in a file ending in .csv or"):
        outside_maps.open_maps("saliency", tmp_path / "x.txt", FILES)
