"""One example cut to an element: its maps stay on its image."""

import cv2
import numpy as np
import pytest

from jaxsent.data import augment
from jaxsent.data.elements import EvalElement, TrainElement, grey_map
from jaxsent.errors import UserError

MAPS = ("region", "fixations")


def coordinates():
    """An example whose region is the image's first channel, with a point at its brightest."""
    rows, columns = np.indices((60, 90), dtype=np.uint8)
    image = np.stack([2 * columns, 3 * rows, rows], -1)

    def png(array):
        return cv2.imencode(".png", array)[1].tobytes()

    points = np.zeros((60, 90), np.uint8)
    points[::10, ::10] = 255
    maps = {"region": png(image[..., 0]), "fixations": png(points)}
    return {"image": png(image[..., ::-1]), "file": b"a.png", "label": 0, "polarity": 0} | maps


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_maps_are_cut_and_mirrored_with_their_image(flip):
    cut = TrainElement(32, (0.1, 1.0), (0.75, 1.33), flip, "bilinear", MAPS)
    for seed in range(20):
        element = cut(coordinates(), np.random.default_rng(seed))
        red = element["image"][..., 0].astype(int)
        np.testing.assert_array_equal(red, element["region"])
        assert (np.diff(red.mean(0)) <= 0).all() == bool(flip)
        for y, x in np.argwhere(element["fixations"]):
            column, row = red[y, x] / 2, element["image"][y, x, 1] / 3
            assert abs(column - 10 * round(column / 10)) < 3
            assert abs(row - 10 * round(row / 10)) < 3


def test_the_whole_image_and_the_files_of_its_maps():
    """No crop: the image squashed, and maps as they are stored, which `grey_map` reads."""
    example = coordinates()
    element = EvalElement(40, 48, False, True, MAPS, "bilinear")((example,))
    image = augment.decode(example["image"])
    np.testing.assert_array_equal(element["whole"], augment.resize(image, 40, 40))
    region = grey_map(element["region"], "region", "a.png", image.shape)
    np.testing.assert_array_equal(region, image[..., 0])
    wrong = cv2.imencode(".png", np.zeros((4, 5)))[1].tobytes()
    with pytest.raises(UserError, match=r"a.png: its region is \(4, 5\) and the image \(60, 90\)"):
        grey_map(wrong, "region", "a.png", image.shape)
