"""Large photographs are decoded at part of their size, and the same is seen of them."""

import contextlib
import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from jaxsent.data import photograph
from jaxsent.errors import UserError
from jaxsent.prediction.predictor import look
from jaxsent.run.card import Card

CARD = Card(("a", "b"), (), 256, 224, "bilinear")


def jpeg(width, height, turned=1) -> bytes:
    """Blocks with grain, as large as a camera's."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (height // 96 + 1, width // 96 + 1, 3), np.uint8)
    pixels = np.kron(blocks, np.ones((96, 96, 1), np.uint8))[:height, :width].astype(np.int16)
    pixels += rng.integers(-9, 10, pixels.shape, np.int16)
    exif = Image.Exif()
    exif[0x0112] = turned
    file = io.BytesIO()
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    image.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("turned", [1, 3, 6])
def test_a_camera_photograph_at_a_quarter(turned, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(2944, 2208, turned))
    image, shape = photograph.read_near(path, 256)
    whole = photograph.read(path)
    assert shape == whole.shape[:2] == ((2944, 2208) if turned == 6 else (2208, 2944))
    assert tuple(4 * v for v in image.shape[:2]) == shape
    near, exact = look(path, CARD), look(whole, CARD)
    assert near.box == exact.box
    assert np.abs(near.pixels.astype(int) - exact.pixels).mean() < 1


@pytest.mark.parametrize("size", [(2946, 2207), (1600, 1200)])
def test_others_are_decoded_whole(size):
    data = jpeg(*size)
    image, shape = photograph.read_near(data, 256)
    assert image.shape[:2] == shape == size[::-1]
    np.testing.assert_array_equal(image, photograph.read(data))


def turned(form, pixels) -> bytes:
    """A file whose picture is to be turned clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif.tobytes(), quality=95)
    return file.getvalue()


@pytest.fixture
def heic():
    pytest.importorskip("pillow_heif", reason="needs jaxsent[heic]").register_heif_opener()
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32] = (220, 60, 30)
    return turned("HEIF", pixels), np.rot90(pixels, -1)


def test_heic_is_upright(heic, tmp_path):
    data, upright = heic
    (tmp_path / "a.heic").write_bytes(data)
    for photo in (data, tmp_path / "a.heic"):
        image = photograph.read(photo)
        assert image.shape == upright.shape == (64, 48, 3)
        assert np.abs(image.astype(int) - upright).mean() < 3
    near, shape = photograph.read_near(data, 256)
    np.testing.assert_array_equal(near, image)
    assert shape == (64, 48)


def test_avif_is_upright():
    data = turned(
        "AVIF", np.kron(np.uint8([[[220, 60, 30], [0, 0, 0]]]), np.ones((48, 32, 1), "u1"))
    )
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(photograph.read(data), expected)
    assert expected.shape == (64, 48, 3)
    assert not photograph.is_heic(data)


def test_heic_without_its_extra_names_it(heic, monkeypatch, tmp_path):
    (tmp_path / "a.jpg").write_bytes(heic[0])
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        photograph.ExtraNeeded, match=r"a.jpg: a HEIC .*pip install 'jaxsent\[heic\]'"
    ):
        photograph.read(tmp_path / "a.jpg")


def test_broken_heic(heic):
    data = heic[0]
    rng = np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(data)
        for i in rng.integers(28, len(data), 8):
            broken[i] = rng.integers(256)
        for part in (bytes(broken), bytes(broken[: rng.integers(20, len(data))])):
            with contextlib.suppress(UserError):  # and nothing else
                photograph.read(part)
    with pytest.raises(UserError):
        photograph.read(data[: len(data) // 2])
    assert photograph.is_heic(b"\xff\xff\xff\xffftypheic" + bytes(8))
    assert not photograph.is_heic(b"\xff\xff\xff\xffftypisom" + bytes(8))


@pytest.mark.parametrize(
    "error", [EOFError, RuntimeError, ValueError, Image.DecompressionBombError]
)
def test_whatever_a_decoder_raises_is_told_in_a_line(heic, monkeypatch, error):
    """pillow_heif's errors are of any kind: a size above its limits is a RuntimeError."""

    def fails(file):
        raise error("broken")

    monkeypatch.setattr(Image, "open", fails)
    with pytest.raises(UserError, match="photograph"):
        photograph.read(heic[0])
