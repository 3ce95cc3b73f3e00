"""Decoding and geometry against Pillow, torchvision's formulas and images of coordinates."""

import io
import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from jaxsent.data import augment
from jaxsent.errors import UserError


def coordinates(height, width):
    """An image whose pixel (y, x) is (y, x, 7)."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y, x, np.full_like(y, 7)], -1).astype(np.uint8)


def smooth(height, width):
    """A picture without fine texture, where every good resampling agrees."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 40), np.cos(y / 30), np.sin((x + y) / 50)]
    return np.stack([(w + 1) * 120 for w in waves], -1).astype(np.uint8)


def saved(image, **options):
    """The bytes of a file written by Pillow."""
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def test_decode_png_is_rgb():
    image = coordinates(20, 30)
    np.testing.assert_array_equal(
        augment.decode(saved(Image.fromarray(image), format="PNG")), image
    )


def test_decode_jpeg_matches_pillow():
    data = saved(Image.fromarray(smooth(60, 90)), format="JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    assert np.abs(augment.decode(data).astype(int) - expected).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_is_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(smooth(40, 64)), format="JPEG", quality=95, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))).astype(int)
    decoded = augment.decode(data)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_decode_composites_on_white(mode):
    rng = np.random.default_rng(0)
    rgba = Image.fromarray(rng.integers(0, 256, (9, 11, 4), np.uint8))
    image = rgba.convert(mode)
    white = Image.new("RGBA", image.size, "white")
    expected = np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB"))
    data = saved(image, format="PNG")
    assert augment.has_alpha(data)
    assert np.abs(augment.decode(data).astype(int) - expected.astype(int)).max() <= 1


def test_decode_grey_has_three_channels():
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    decoded = augment.decode(saved(Image.fromarray(grey), format="PNG"))
    np.testing.assert_array_equal(decoded, np.repeat(grey[..., None], 3, -1))


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_decode_names_the_file(data):
    with pytest.raises(UserError, match=r"holiday.jpg"):
        augment.decode(data, "holiday.jpg")


def photograph(height, width, seed=0):
    """Shapes of several sizes with edges and grain, as JPEG of quality 90 and 4:2:0."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for cells in (4, 16, 64):
        coarse = rng.uniform(0, 80, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.circle(image, (width // 2, height // 2), height // 4, (250, 40, 90), -1)
    image += rng.normal(0, 3, image.shape)
    return saved(
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)), format="JPEG", quality=90
    )


def averaged(image, size):
    """Area averaging by its definition -> (size, size, 3) float64."""

    def weights(length):
        edges = np.arange(size + 1) * length / size
        low, high = edges[:-1, None], edges[1:, None]
        pixels = np.arange(length)
        cover = np.minimum(high, pixels + 1) - np.maximum(low, pixels)
        return np.clip(cover, 0, None) * size / length

    h, w = image.shape[:2]
    return np.einsum("oh,hwc,pw->opc", weights(h), image.astype(float), weights(w), optimize=True)


@pytest.mark.parametrize(
    ("box", "factor"),
    [
        ((3, 5, 63, 200), 1),
        ((0, 0, 301, 403), 4),
        ((7, 11, 129, 150), 2),
        ((33, 1, 268, 290), 4),
        ((1, 1, 128, 128), 2),
    ],
)
def test_crop_of_a_large_box_is_decoded_small(box, factor):
    """It stays within 3 levels of 255 of the exact average over its box, in the mean."""
    data = photograph(301, 403)
    part, cut, shape = augment.decode_crop(data, lambda h, w: box, 64)
    assert shape == (301, 403)
    assert all(0 <= a - b < factor for a, b in zip(box[:2], cut[:2]))
    assert all(0 <= a - b < factor for a, b in zip(box[2:], cut[2:]))
    assert part.shape == (cut[2] // factor, cut[3] // factor, 3)
    whole = augment.crop(augment.decode(data), cut)
    if factor == 1:
        np.testing.assert_array_equal(part, whole)
        return
    error = np.abs(augment.resize(part, 64, 64) - averaged(whole, 64))
    assert error.mean() < 3
    assert np.quantile(error, 0.99) < 12


@pytest.mark.parametrize("kind", ["png", "exif", "grey", "comment"])
def test_any_file_has_the_crop_of_its_upright_picture(kind):
    image = Image.fromarray(smooth(40, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = {
        "png": lambda: saved(image, format="PNG"),
        "exif": lambda: saved(image, format="JPEG", exif=exif),
        "grey": lambda: saved(image.convert("L"), format="JPEG"),
        "comment": lambda: saved(image, format="JPEG", comment=b"x" * 300, progressive=True),
    }[kind]()
    box = (2, 3, 30, 20)
    part, cut, shape = augment.decode_crop(data, lambda h, w: box, 16)
    whole = augment.decode(data)
    assert shape == whole.shape[:2] == ((64, 40) if kind == "exif" else (40, 64))
    assert cut == box
    np.testing.assert_array_equal(part, augment.crop(whole, box))


def test_crop_of_a_broken_file_names_it():
    for data in (b"", b"\xff\xd8\xff", photograph(64, 64)[:300]):
        with pytest.raises(UserError, match=r"holiday.jpg"):
            augment.decode_crop(data, lambda h, w: (0, 0, h, w), 8, "holiday.jpg")


@pytest.mark.parametrize("size", [(64, 64), (75, 100), (73, 33), (50, 80)])
def test_resize_to_half_or_less_is_the_exact_average(size):
    image = augment.decode(photograph(150, 200))
    resized = augment.resize(image, *size)
    assert resized.dtype == np.uint8
    if size[0] == size[1]:
        assert np.abs(resized - averaged(image, 64)).max() <= 0.51
    grey = augment.resize(np.ascontiguousarray(image[..., 0]), *size)
    np.testing.assert_array_equal(grey, resized[..., 0])


@pytest.mark.parametrize("size", [(149, 199), (130, 101), (110, 150), (90, 120), (76, 101)])
def test_resize_to_more_than_half_is_nearly_pillows(size):
    """Of a picture with edges and grain; mere bilinear reading is farther off, as averages are."""
    image = augment.decode(photograph(150, 200))
    resized = augment.resize(image, *size)
    pillows = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    box = Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX)
    plain = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)

    def error(picture):
        return np.sqrt(np.mean((np.asarray(picture, float) - np.asarray(pillows, float)) ** 2))

    assert error(resized) < 2.5
    assert error(resized) < error(box)
    assert error(resized) < error(plain) or size == (149, 199)
    grey = augment.resize(np.ascontiguousarray(image[..., 0]), *size)
    assert np.abs(grey.astype(int) - resized[..., 0]).max() <= 1


@pytest.mark.parametrize("width", [131, 101, 83])  # no few phases that repeat
def test_smoothing_has_the_width_of_pillows_triangle(width):
    """The weights of each new pixel over the old ones vary by ratio² / 6 about their centre."""
    weights = augment.resize(np.eye(150, dtype=np.uint8) * 255, 150, width) / 255.0
    weights = weights[:, 3:-3] / weights[:, 3:-3].sum(0)
    old = np.arange(150)[:, None]
    centre = (weights * old).sum(0)
    variance = (weights * (old - centre) ** 2).sum(0).mean()
    assert variance == pytest.approx((150 / width) ** 2 / 6, rel=0.03)
    expected = (np.arange(width) + 0.5) * 150 / width - 0.5
    assert np.abs(centre - expected[3:-3]).max() < 0.05


def test_decode_region_keeps_8_bits_and_scales_16():
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    _, png = cv2.imencode(".png", eight)
    np.testing.assert_array_equal(augment.decode_region(png.tobytes()), eight)
    _, png = cv2.imencode(".png", eight.astype(np.uint16) * 257)
    np.testing.assert_array_equal(augment.decode_region(png.tobytes()), eight)


def test_crop_box_is_distributed_as_torchvisions():
    """In a large square every box fits but the widest, so area and log ratio are nearly uniform."""
    rng = np.random.default_rng(0)
    boxes = np.array([augment.random_crop_box(1000, 1000, rng, (0.1, 0.5)) for _ in range(4000)])
    y, x, h, w = boxes.T
    area = h * w / 1e6
    log_ratio = np.log(w / h)
    for value, low, high in [(area, 0.1, 0.5), (log_ratio, math.log(3 / 4), math.log(4 / 3))]:
        assert low - 0.01 <= value.min()
        assert value.max() <= high + 0.01
        uniform = (np.sort(value) - low) / (high - low)
        distance = np.abs(uniform - (np.arange(4000) + 0.5) / 4000).max()
        assert distance < 1.63 / math.sqrt(4000) + 0.005  # Kolmogorov-Smirnov at 1 %
    for start, length in [(y, h), (x, w)]:
        assert start.min() >= 0
        assert (start + length).max() <= 1000
        assert abs((start / (1000 - length)).mean() - 0.5) < 0.02


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [(10, 100, (0, 43, 10, 13)), (100, 10, (43, 0, 13, 10)), (30, 33, (0, 0, 30, 33))],
)
def test_crop_box_falls_back_to_the_centre(height, width, box):
    """An area above the image's never fits: torchvision's central crop within the ratio."""
    rng = np.random.default_rng(0)
    assert augment.random_crop_box(height, width, rng, scale=(2.0, 3.0)) == box


def test_plain_crops_are_squares_of_one_size_everywhere():
    rng = np.random.default_rng(0)
    boxes = [augment.plain_crop_box(400, 600, rng, 448, 512) for _ in range(4000)]
    y, x, height, width = np.array(boxes).T
    assert set(height) == set(width) == {350}  # 400 · 448 / 512
    for start, end in ((y, 50), (x, 250)):
        assert (start.min(), start.max()) == (0, end)
        assert np.mean(start) == pytest.approx(end / 2, rel=0.05)
        assert np.std(start) == pytest.approx(end / math.sqrt(12), rel=0.05)


def test_a_plain_crop_may_be_the_whole_shorter_side():
    rng = np.random.default_rng(0)
    assert augment.plain_crop_box(30, 90, rng, 64, 64)[2:] == (30, 30)
    assert augment.plain_crop_box(1, 1, rng, 224, 256) == (0, 0, 1, 1)


@pytest.mark.parametrize("shape", [(400, 600), (300, 200)])
def test_a_plain_crop_is_the_crop_of_the_resized_image(shape):
    image, size, resize = smooth(*shape), 112, 128
    y, x, side, _ = augment.plain_crop_box(*shape, np.random.default_rng(1), size, resize)
    found = augment.resize(augment.crop(image, (y, x, side, side)), size, size)
    whole = Image.fromarray(image)
    ratio = resize / min(shape)
    whole = whole.resize((round(shape[1] * ratio), round(shape[0] * ratio)), Image.BILINEAR)
    left, top = round(x * ratio), round(y * ratio)
    expected = np.asarray(whole.crop((left, top, left + size, top + size))).astype(int)
    assert np.abs(found.astype(int) - expected).max() <= 6


def test_random_crop_box_depends_on_rng_alone():
    boxes = [augment.random_crop_box(50, 80, np.random.default_rng(3)) for _ in range(2)]
    assert boxes[0] == boxes[1]


@pytest.mark.parametrize("size", [(7, 11), (30, 50), (64, 90)])
def test_points_neither_blend_nor_vanish(size):
    """Each lands in the pixel that holds its place, counted one by one."""
    rng = np.random.default_rng(0)
    points = np.where(rng.random((30, 50)) < 0.02, 200, 90).astype(np.uint8)
    expected = np.zeros(size, np.uint8)
    for row in range(30):
        for column in range(50):
            if points[row, column] == 200:
                expected[row * size[0] // 30, column * size[1] // 50] = 255
    np.testing.assert_array_equal(augment.resize_points(points, *size), expected)
    assert expected.any()


@pytest.mark.parametrize("size", [(40, 70), (30, 35), (60, 100)])
def test_resize_down_matches_pillows_box_filter(size):
    image = smooth(120, 200)
    expected = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX))
    assert np.abs(augment.resize(image, *size).astype(int) - expected).max() <= 3


def test_resize_up_matches_pillows_bilinear():
    image = smooth(40, 60)
    expected = np.asarray(Image.fromarray(image).resize((150, 100), Image.Resampling.BILINEAR))
    assert np.abs(augment.resize(image, 100, 150).astype(int) - expected).max() <= 2


def test_shrinking_does_not_alias():
    """A one-pixel chequerboard becomes grey."""
    board = np.indices((256, 256)).sum(0) % 2 * np.uint8(255)
    small = augment.resize(board.astype(np.uint8), 64, 64)
    assert np.abs(small.astype(int) - 127).max() <= 1


@pytest.mark.parametrize(("shape", "expected"), [((100, 200), (64, 128)), ((333, 200), (106, 64))])
def test_resize_shorter(shape, expected):
    assert augment.resize_shorter(coordinates(*shape), 64).shape == (*expected, 3)


def test_resize_shorter_never_falls_below_size():
    for height in range(1, 60):
        assert min(augment.resize_shorter(np.zeros((height, 37), np.uint8), 33).shape) == 33


def test_five_crops_by_coordinates():
    crops = augment.five_crops(coordinates(50, 81), 20)
    corners = crops[:, 0, 0, :2].tolist()
    assert crops.shape == (5, 20, 20, 3)
    assert corners == [[0, 0], [0, 61], [30, 0], [30, 61], [15, 30]]
    np.testing.assert_array_equal(crops[-1], augment.centre_crop(coordinates(50, 81), 20))


def test_crop_larger_than_image_is_an_error():
    with pytest.raises(ValueError, match=r"does not fit"):
        augment.centre_crop(coordinates(10, 30), 20)


def test_flip_mirrors_columns():
    flipped = augment.flip(coordinates(4, 9))
    np.testing.assert_array_equal(flipped[0, :, 1], np.arange(9)[::-1])
    np.testing.assert_array_equal(augment.flip(flipped), coordinates(4, 9))


def test_a_jpeg_cut_anywhere_in_its_header_is_an_error_that_names_it():
    data = photograph(64, 96)
    for length in range(0, 400, 7):
        with pytest.raises(UserError, match="cut.jpg"):
            augment.decode_crop(data[:length], lambda h, w: (0, 0, h, w), 16, "cut.jpg")
