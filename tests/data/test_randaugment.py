"""RandAugment's operations against Pillow's; maps move with their image."""

import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from jaxsent.data import randaugment as ra
from jaxsent.data.batches import train_batches
from jaxsent.data.elements import TrainElement
from jaxsent.errors import UserError
from jaxsent.run import checks, experiment
from tests.data.test_elements import coordinates

RNG = np.random.default_rng(0)
SIDE = 48


def picture():
    """Smooth and dull, with noise: every operation changes it."""
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)], -1)
    return (128 + 70 * waves + RNG.integers(0, 20, (SIDE, SIDE, 3))).astype(np.uint8)


IMAGE = picture()
ENHANCED = {
    "brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast,
    "colour": ImageEnhance.Color, "sharpness": ImageEnhance.Sharpness,
}  # fmt: skip


@pytest.mark.parametrize("signed", [-1.0, -0.3, 0.3, 1.0])
@pytest.mark.parametrize("name", ENHANCED)
def test_enhancements_are_pillows(name, signed):
    expected = ENHANCED[name](Image.fromarray(IMAGE)).enhance(1 + 0.9 * signed)
    ours = ra.PIXELS[name](IMAGE, signed)
    assert (ours != IMAGE).any()
    assert np.abs(ours.astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("autocontrast", ImageOps.autocontrast),
        ("equalize", ImageOps.equalize),
        ("posterize", lambda image: ImageOps.posterize(image, 6)),
        ("solarize", lambda image: ImageOps.solarize(image, 128)),
    ],
)
def test_tables_are_pillows(name, expected):
    ours = ra.PIXELS[name](IMAGE, -0.5)
    assert (ours != IMAGE).any()
    np.testing.assert_array_equal(ours, np.asarray(expected(Image.fromarray(IMAGE))))
    plain = np.full((8, 8, 3), 90, np.uint8)
    np.testing.assert_array_equal(
        ra.PIXELS[name](plain, -0.5), np.asarray(expected(Image.fromarray(plain)))
    )


SHEARED, MOVED = 0.3 * 0.7, 150 / 331 * SIDE * 0.7
COEFFICIENTS = {
    "shear_x": (1, SHEARED, 0, 0, 1, 0), "shear_y": (1, 0, 0, SHEARED, 1, 0),
    "translate_x": (1, 0, MOVED, 0, 1, 0), "translate_y": (1, 0, 0, 0, 1, MOVED),
}  # fmt: skip


@pytest.mark.parametrize("name", ra.GEOMETRY)
def test_geometry_is_pillows(name):
    ours = ra.warp(IMAGE, ra.GEOMETRY[name](0.7, SIDE), ra.OUTSIDE)
    photo = Image.fromarray(IMAGE)
    if name == "rotate":
        expected = photo.rotate(0.7 * 30, Image.BILINEAR, fillcolor=ra.OUTSIDE)
    else:
        expected = photo.transform(
            photo.size, Image.AFFINE, COEFFICIENTS[name], Image.BILINEAR, fillcolor=ra.OUTSIDE
        )
    off = np.abs(ours.astype(int) - np.asarray(expected)).max(-1)
    assert np.mean(off <= 4) > 0.95  # a border is blended with what is outside, or not
    assert (ours != IMAGE).any()


def test_strength_nought_changes_nothing():
    for name in {*ra.OPERATIONS} - {"identity", "autocontrast", "equalize"}:
        if name in ra.PIXELS:
            ours = ra.PIXELS[name](IMAGE, 0.0)
        else:
            ours = ra.warp(IMAGE, ra.GEOMETRY[name](0.0, SIDE), ra.OUTSIDE)
        np.testing.assert_array_equal(ours, IMAGE, err_msg=name)


def test_operations_are_drawn_alike_with_either_sign(monkeypatch):
    drawn = []
    for name in ra.PIXELS:
        monkeypatch.setitem(ra.PIXELS, name, lambda im, s, n=name: drawn.append((n, s)) or im)
    for name in ra.GEOMETRY:
        monkeypatch.setitem(
            ra.GEOMETRY, name, lambda s, _, n=name: drawn.append((n, s)) or np.eye(2, 3)
        )
    ra.randaugment(IMAGE, {}, 14_000, 9, np.random.default_rng(1))
    names, signed = zip(*drawn, strict=True)
    counts = [names.count(name) for name in ra.OPERATIONS if name != "identity"]
    assert sum(counts) == pytest.approx(13_000, abs=150)
    assert min(counts) > 1000 - 5 * math.sqrt(1000) and max(counts) < 1000 + 5 * math.sqrt(1000)
    assert set(signed) == {0.3, -0.3}
    assert signed.count(0.3) == pytest.approx(len(signed) / 2, rel=0.05)


@pytest.mark.parametrize("name", ra.GEOMETRY)
def test_maps_move_with_their_image(name, monkeypatch):
    """A region that is the image's red channel stays it; a point stays on its white pixel."""
    monkeypatch.setattr(ra, "OPERATIONS", (name,))
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE]
    blob = np.exp(-((y - 20.0) ** 2 + (x - 27.0) ** 2) / 30)
    image[..., 0] = (255 * blob).astype(np.uint8)
    point = np.zeros((SIDE, SIDE), np.uint8)
    point[20, 27] = 255
    maps = {"region": image[..., 0].copy(), "fixations": point}
    moved, maps = ra.randaugment(
        image, maps, 1, 20, np.random.default_rng(3), frozenset({"fixations"})
    )
    assert (moved != image).any()
    inside = moved[..., 1] == 255
    np.testing.assert_array_equal(maps["region"][inside], moved[..., 0][inside])
    assert maps["fixations"].sum() == 255
    (found,) = np.argwhere(maps["fixations"])
    peak = np.unravel_index(np.argmax(maps["region"]), (SIDE, SIDE))
    assert np.abs(found - peak).max() <= 1


def test_an_element_is_augmented_by_its_seed_alone():
    def element(seed, **options):
        cut = TrainElement(32, (0.5, 1.0), (1.0, 1.0), 0.5, "bilinear", ("region",), **options)
        return cut(coordinates(), np.random.default_rng(seed))

    plain, one, again = element(3), element(3, randaugment=(2, 20)), element(3, randaugment=(2, 20))
    np.testing.assert_array_equal(one["image"], again["image"])
    np.testing.assert_array_equal(one["region"], again["region"])
    assert (plain["image"] != one["image"]).any()
    assert (element(4, randaugment=(2, 20))["image"] != one["image"]).any()


def test_batches_are_augmented_and_resumed_alike(tiny_config):
    tiny_config.augment.randaugment = (2, 15)
    task = experiment.make(tiny_config)

    def images(start, options):
        batches = train_batches(
            task.builder, "train", batch_size=8, image_size=32, seed=1, start_step=start, **options
        )
        return [next(batches)["image"] for _ in range(3 - start)]

    augmented = {"randaugment": tiny_config.augment.randaugment}
    unbroken, plain = images(0, augmented), images(0, {})
    np.testing.assert_array_equal(images(2, augmented)[0], unbroken[2])
    assert (plain[2] != unbroken[2]).any()


@pytest.mark.parametrize(
    ("value", "expected"),
    [((2,), "2 numbers"), ((2, 31), "from 0 to 30"), ((2, 9.5), "whole numbers")],
)
def test_what_is_no_pair(value, expected, tiny_config):
    tiny_config.augment.randaugment = value
    with pytest.raises(UserError, match=f"augment.randaugment=.*{expected}"):
        checks.check(tiny_config)


def test_cv2_and_pillow_agree_on_grey():
    """The weights of ITU-R 601, in whole numbers as Pillow has them."""
    expected = np.asarray(Image.fromarray(IMAGE).convert("L"))
    np.testing.assert_array_equal(ra.grey(IMAGE), expected)
    assert np.abs(ra.grey(IMAGE).astype(int) - cv2.cvtColor(IMAGE, cv2.COLOR_RGB2GRAY)).max() <= 1
