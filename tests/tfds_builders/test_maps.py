"""Maps under every EXIF orientation, size and kind."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import images, maps


def read(data):
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.mode) == ("PNG", "L")
    return np.asarray(picture)


def saved(path, values, turn=1):
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(values).save(path, exif=exif)
    return path


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("shape", [(12, 16), (16, 12), (14, 14)])
def test_a_map_is_turned_with_its_photograph(tmp_path, turn, shape):
    """A map equal to the photograph's grey pixels still is, once both are stored."""
    values = trees.noise("x", *shape)[..., 0]
    photograph = saved(tmp_path / "photograph.png", values, turn)
    plain = saved(tmp_path / "map.png", values)
    turned = saved(tmp_path / "turned.png", values, turn)
    look = images.look(photograph, tmp_path)
    stored = Image.open(io.BytesIO(images.encoded(photograph, tmp_path)))
    for path in (plain, turned):
        aligned = read(maps.aligned(path, tmp_path, look, maps.SOFT))
        np.testing.assert_array_equal(aligned, stored.convert("L"))


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_a_map_that_is_upright_already_stays(tmp_path, turn):
    upright = trees.noise("x", 32, 24)[..., 0]
    look = images.Looked("", 16, 12, turn, False)
    path = saved(tmp_path / "map.png", np.kron(upright[:16, :12], np.ones((2, 2), np.uint8)))
    np.testing.assert_array_equal(
        read(maps.aligned(path, tmp_path, look, maps.SOFT)), upright[:16, :12]
    )


def test_sizes(tmp_path):
    """Soft maps are averaged, binary ones take the nearest pixel and stay binary."""
    values = np.zeros((8, 8), np.uint8)
    values[:4], values[0, 0] = 200, 120
    path = saved(tmp_path / "map.png", values)
    look = images.Looked("", 4, 4, 1, True)
    soft = read(maps.aligned(path, tmp_path, look, maps.SOFT))
    assert soft.tolist() == [[180, 200, 200, 200], [200] * 4, [0] * 4, [0] * 4]
    binary = read(maps.aligned(path, tmp_path, look, maps.BINARY))
    assert binary.tolist() == [[0, 255, 255, 255], [255] * 4, [0] * 4, [0] * 4]


def test_a_binary_map_is_cut_at_half(tmp_path):
    path = saved(tmp_path / "map.png", np.uint8([[0, 100, 127, 128, 200, 255]]))
    cut = read(maps.aligned(path, tmp_path, images.Looked("", 1, 6, 1, True), maps.BINARY))
    assert cut.tolist() == [[0, 0, 0, 255, 255, 255]]


def test_colour_and_depth(tmp_path):
    """Three equal channels are their grey; 16 bits keep their range."""
    values = trees.noise("x")[..., 0]
    look = images.Looked("", 12, 16, 1, True)
    colour = saved(tmp_path / "colour.png", np.stack([values] * 3, -1))
    deep = saved(tmp_path / "deep.png", values.astype(np.uint16) * 257)
    for path in (colour, deep):
        np.testing.assert_array_equal(read(maps.aligned(path, tmp_path, look, maps.SOFT)), values)
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="broken.png"):
        maps.aligned(tmp_path / "broken.png", tmp_path, look, maps.SOFT)
