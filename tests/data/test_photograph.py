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


RGBA = np.zeros((24, 32, 4), np.uint8)
RGBA[:12] = (200, 40, 90, 255)
RGBA[12:18] = (200, 40, 90, 102)
ON_WHITE = np.full((24, 32, 3), 255, np.uint8)
ON_WHITE[:12] = (200, 40, 90)
ON_WHITE[12:18] = (233, 169, 189)  # 0.4 of the colour and 0.6 of white


@pytest.mark.parametrize(
    ("form", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("AVIF", {"quality": 100})],
)
def test_transparency_lies_on_white_in_every_format(form, options):
    file = io.BytesIO()
    Image.fromarray(RGBA).save(file, form, **options)
    tolerance = 3 if form == "AVIF" else 0
    for photo in (file.getvalue(), Image.fromarray(RGBA), RGBA):
        difference = photograph.read(photo).astype(int) - ON_WHITE
        assert np.abs(difference[:11]).max() <= tolerance
        assert np.abs(difference[13:17]).max() <= tolerance


def test_a_gif_s_clear_pixels_are_white():
    file = io.BytesIO()
    palette = Image.fromarray(np.kron(np.uint8([[1, 0]]), np.ones((8, 8), np.uint8)), "P")
    palette.putpalette([9, 9, 9, 200, 40, 90])
    palette.save(file, "GIF", transparency=0)
    pixels = photograph.read(file.getvalue())
    assert pixels[0, 0].tolist() == [200, 40, 90]
    assert pixels[0, -1].tolist() == [255, 255, 255]


def test_a_png_with_alpha_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(RGBA).save(file, "PNG", exif=exif)
    np.testing.assert_array_equal(photograph.read(file.getvalue()), np.rot90(ON_WHITE, -1))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_large_jpeg_near_and_whole_are_turned_alike(turn):
    data = jpeg(2944, 2208, turn)
    near, shape = photograph.read_near(data, 256)
    whole = photograph.read(data)
    assert shape == whole.shape[:2]
    assert tuple(4 * side for side in near.shape[:2]) == shape
    small = whole.reshape(shape[0] // 4, 4, shape[1] // 4, 4, 3).mean((1, 3))
    assert np.abs(near - small).mean() < 1.5


@pytest.mark.parametrize("top", [65535, 40000])
def test_sixteen_bits_of_grey(top):
    values = np.linspace(0, top, 24 * 32).reshape(24, 32).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    for photo in (
        Image.fromarray(values),
        Image.fromarray(values.astype(np.int32)),
        file.getvalue(),
    ):
        np.testing.assert_allclose(photograph.read(photo)[..., 1], values / 257, atol=0.51)


def test_a_tiff_of_sixteen_bit_colour():
    import cv2

    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint16) * 257
    data = cv2.imencode(".tiff", pixels)[1].tobytes()
    np.testing.assert_array_equal(photograph.read(data), pixels[..., ::-1] // 257)


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        (Image.fromarray(np.full((8, 9), 0.5, np.float32)), "0.5 to 0.5, are no brightness"),
        (Image.fromarray(np.full((8, 9), 70_000, np.int32)), "no brightness"),
        (np.full((8, 9, 3), 0.5), r"float64 .*\(255 \* array\).round\(\).astype\(np.uint8\)"),
        (np.full((8, 9, 3), 200.0), r"float64 .*0 to 255, array.round\(\).astype\(np.uint8\)"),
        (np.zeros((3, 8, 9), np.uint8), r"\(3, 8, 9\); transpose it, .transpose\(1, 2, 0\)\."),
        (np.zeros((3, 8, 9)), r"transpose it, .* and make its values"),
        (np.zeros((8, 9, 3), np.uint16), r"array / 257"),
        (np.zeros((5, 8, 9, 3), np.uint8), r"list\(array\)"),
        (np.zeros((8, 9, 2), np.uint8), r"\(8, 9, 2\)\.$"),
        (np.zeros((0, 9, 3)), r"float64 \(0, 9, 3\)\.$"),
        (io.StringIO("text"), "open it with mode 'rb'"),
        (7, "an open file, .* found int"),
    ],
)
def test_what_is_no_photograph_gets_the_message_that_helps(photo, expected):
    with pytest.raises(UserError, match=expected):
        photograph.read(photo)


def test_open_files(tmp_path):
    data = jpeg(64, 48)
    (tmp_path / "a.jpg").write_bytes(data)
    expected = photograph.read(data)
    np.testing.assert_array_equal(photograph.read(io.BytesIO(data)), expected)
    with (tmp_path / "a.jpg").open("rb") as file:
        image, shape = photograph.read_near(file, 32)
    np.testing.assert_array_equal(image, expected)
    assert shape == (48, 64)


def test_one_photograph_or_several(tmp_path):
    one = ("a.jpg", tmp_path, b"bytes", io.BytesIO(), RGBA, Image.fromarray(RGBA))
    assert all(photograph.is_one(photo) for photo in one)
    several = (["a.jpg"], ("a.jpg",), np.zeros((2, 8, 9, 3), np.uint8), iter("ab"), np.array(["a"]))
    assert not any(photograph.is_one(photos) for photos in several)
