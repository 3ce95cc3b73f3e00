"""Maps without learning against OpenCV's own, eigenvectors, loops and known answers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import correlate1d
from scipy.stats import norm
from skimage.measure import block_reduce, label
from skimage.morphology import local_maxima

from jaxsent import metrics
from jaxsent.baselines import features, fine_grained, gbvs, itti_koch, spectral_residual
from jaxsent.baselines.saliency import MAPS

REFERENCE = Path(__file__).parents[1] / "reference" / "saliency.npz"
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea")


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def patch(shape=(120, 160), box=(40, 70, 90, 120), ground=(60, 80, 60), colour=(250, 110, 60)):
    """(H, W, 3) uint8: a patch that stands out, with a little noise."""
    image = np.tile(np.uint8(ground), (*shape, 1))
    image[box[0] : box[1], box[2] : box[3]] = colour
    noise = np.random.default_rng(0).integers(0, 5, image.shape, dtype=np.uint8)
    return image + noise


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("shape", [(120, 160), (61, 33), (600, 17), (2, 300), (300, 1), (1, 1)])
def test_every_map_has_the_images_size_and_is_finite(rng, name, shape):
    map = MAPS[name](rng.integers(0, 256, (*shape, 3), dtype=np.uint8), rng)
    assert map.shape == shape and map.dtype == np.float32
    assert np.isfinite(map).all() and map.min() >= 0


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_image_is_no_error(rng, name, value):
    map = MAPS[name](np.full((48, 64, 3), value, np.uint8), rng)
    assert map.shape == (48, 64) and np.isfinite(map).all()


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_repeatable_and_leave_the_image(name):
    image = patch()
    first, again = (MAPS[name](image, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, patch())


@pytest.mark.parametrize("name", sorted(set(MAPS) - {"random", "centre_box", "centre_gaussian"}))
def test_what_stands_out_is_found(rng, name):
    """A bright patch off the centre."""
    map = MAPS[name](patch(), rng)
    inside = np.zeros(map.shape, bool)
    inside[35:75, 85:125] = True
    assert map[inside].mean() > 2 * map[~inside].mean()


def test_random_box_and_gaussian(rng):
    image = patch()
    assert 0.45 < MAPS["random"](image, rng).mean() < 0.55
    np.testing.assert_array_equal(MAPS["centre_box"](image, rng), metrics.centre_box((120, 160)))
    gaussian = MAPS["centre_gaussian"](image, rng)
    np.testing.assert_allclose(gaussian, gaussian[::-1, ::-1])
    assert np.unravel_index(gaussian.argmax(), gaussian.shape) in [(59, 79), (59, 80), (60, 79)]
    assert gaussian[60, 40] == pytest.approx(np.exp(-0.5), abs=0.01)  # sigma: a quarter of a side


# OpenCV's own


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_spectral_residual_is_opencvs_but_for_the_order_of_blur_and_square(reference, name):
    image, expected = reference[f"{name}/image"], reference[f"{name}/spectral_residual"]
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (64, 64))
    squared = cv2.GaussianBlur(spectral_residual.residual(small), (5, 5), 8) ** 2
    same = cv2.resize(squared / squared.max(), image.shape[1::-1])
    np.testing.assert_allclose(same, expected, atol=0.04)  # the ends of its interpolation differ
    assert metrics.cc(same, expected) > 0.998
    assert metrics.cc(spectral_residual.spectral_residual(image), expected) > 0.85


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_fine_grained_is_opencvs_but_for_its_rounding(reference, name):
    image, expected = reference[f"{name}/image"], np.float32(reference[f"{name}/fine_grained"])
    map = fine_grained.fine_grained(image)
    np.testing.assert_allclose(map, expected / expected.max(), atol=0.04)
    assert metrics.cc(map, expected) > 0.999


def test_surround_is_a_mean_without_the_centre(rng):
    grey = rng.random((9, 12)).astype(np.float32)
    means = fine_grained.surround(grey, 2)
    for y, x in [(0, 0), (4, 5), (8, 11), (3, 0)]:
        window = grey[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        expected = (window.sum() - grey[y, x]) / (window.size - 1)
        assert means[y, x] == pytest.approx(expected, rel=1e-5)


# GBVS: the equilibria against eigenvectors of the papers' Markov chains


def equilibrium(weights):
    """Weights of the edges i -> j -> the left eigenvector of the transition matrix."""
    chain = weights / weights.sum(axis=1, keepdims=True)
    values, vectors = np.linalg.eig(chain.T)
    vector = np.real(vectors[:, np.argmax(np.real(values))])
    return vector / vector.sum()


def closeness_by_loop(shape, sigma):
    nodes = [(y, x) for y in range(shape[0]) for x in range(shape[1])]
    return np.array(
        [[np.exp(-((a - c) ** 2 + (b - d) ** 2) / (2 * sigma**2)) for c, d in nodes]
         for a, b in nodes]
    )  # fmt: skip


def test_gbvs_equilibria_are_those_of_its_markov_chains(rng):
    shape = (5, 7)
    near = gbvs.closeness(shape, 0.15)
    np.testing.assert_allclose(near, closeness_by_loop(shape, 0.15 * 6), rtol=1e-5)
    near, map = near.astype(np.float64), rng.random(35)
    dissimilar = np.array([[abs(a - b) for b in map] for a in map])
    activation = gbvs.activate(map, near)
    np.testing.assert_allclose(activation, equilibrium(dissimilar * near), atol=1e-10)
    concentrated = gbvs.concentrate(activation, near)
    np.testing.assert_allclose(concentrated, equilibrium(near * activation), atol=1e-10)


def test_gbvs_of_a_constant_map_is_uniform():
    near = gbvs.closeness((4, 4), 0.15)
    np.testing.assert_allclose(gbvs.activate(np.full(16, 0.3), near), 1 / 16)


@pytest.mark.parametrize("block", [(5, 5), (5, 1), (1, 7)])
def test_gbvs_smooths_what_it_shrinks(rng, block):
    nodes = (20, 32)
    map = rng.random(np.multiply(nodes, block)).astype(np.float32)
    expected = block_reduce(map, block, np.mean)
    np.testing.assert_allclose(gbvs.at_nodes(map, nodes), expected, atol=1e-6)
    # The finest of textures is flat to nodes 5 pixels apart, and does not alias to bands.
    stripes = np.tile(np.float32([0, 1]), (160, 80))
    assert np.ptp(gbvs.at_nodes(stripes, (32, 31))) < 0.25
    grown = gbvs.at_nodes(map, (300, 400))
    np.testing.assert_allclose(grown, cv2.resize(map, (400, 300)), atol=1e-6)


@pytest.mark.parametrize("shape", [(24, 32), (32, 20), (1, 32)])
def test_gbvs_blurs_as_its_code_does(rng, shape):
    """mygausskernel(0.02 * max(size), 2) along both sides, as conv2 with a repeated border."""
    map = rng.random(shape).astype(np.float32)
    sigma = 0.02 * 32
    reach = round(2 * sigma)
    kernel = norm.pdf(np.arange(-reach, reach + 1), scale=sigma)
    expected = map
    for axis in (0, 1):
        expected = correlate1d(expected, kernel / kernel.sum(), axis=axis, mode="nearest")
    np.testing.assert_allclose(gbvs.blur(map), expected, atol=1e-6)
    assert gbvs.blur(map).std() < 0.8 * map.std()


def test_gbvs_is_blurred(monkeypatch):
    blurred = gbvs.gbvs(patch())
    monkeypatch.setattr(gbvs, "blur", lambda map: map)
    assert gbvs.gbvs(patch()).max() > 1.01 * blurred.max()


# Itti and Koch


def test_promotion_prefers_one_peak_to_many():
    one, many = np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32)
    one[10, 10] = 1
    many[2::6, 2::6] = 1
    many[8, 8] = 1.01
    assert itti_koch.promote(one).max() == 1
    assert itti_koch.promote(many).max() < 0.01
    assert not itti_koch.promote(np.full((5, 5), 0.4, np.float32)).any()
    two = one.copy()
    two[3, 3] = 0.5
    assert itti_koch.promote(two).max() == pytest.approx((1 - 0.5) ** 2)


@pytest.mark.parametrize("levels", [3, 10, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_maxima_are_scikit_images_regional_maxima(levels, seed):
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.random((30, 40)), (0, 0), 1.5)
    map = np.float32(np.floor(metrics.min_max(smooth) * levels) / levels)
    plateaus = label(local_maxima(map, connectivity=2), connectivity=2)
    values = [map[plateaus == i].max() for i in range(1, plateaus.max() + 1)]
    expected = sorted(value for value in values if value >= 0.1)
    np.testing.assert_allclose(sorted(itti_koch.maxima(map)), expected, atol=1e-5)
    assert len(expected) > 1


def test_a_plateau_is_one_peak_however_large():
    flat = np.zeros((20, 20), np.float32)
    flat[4:12, 5:15] = 1
    noise = np.random.default_rng(0).random(flat.shape) * 2e-7
    for map in (flat, flat + np.float32(noise)):
        assert itti_koch.maxima(map).tolist() == [1]
        assert itti_koch.promote(map).max() == pytest.approx(1)
    shoulder = flat / 2
    shoulder[7, 15] = 1  # beside the plateau, which is no maximum then
    assert itti_koch.maxima(shoulder).tolist() == [1]


@pytest.mark.parametrize("scale", [0.1, 1, 30])
def test_promotion_removes_the_channels_own_scale(rng, scale):
    map = rng.random((12, 15)).astype(np.float32)
    expected = itti_koch.promote(map)
    np.testing.assert_allclose(itti_koch.promote(map * scale), expected, atol=1e-5)


def test_opponents_tell_colours_and_not_brightness():
    colours = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0], [100, 100, 100]]
    image = np.uint8([colours])
    intensity, red_green, blue_yellow = (c[0] for c in features.opponents(image))
    np.testing.assert_allclose(intensity, np.sum(colours, axis=1) / 3 / 255, rtol=1e-6)
    assert red_green[0] == -red_green[1] > 0 and blue_yellow[2] > 0 > blue_yellow[3]
    assert red_green[3] == pytest.approx(0) and red_green[4] == blue_yellow[4] == 0
    half = features.opponents(image // 2)
    np.testing.assert_allclose(half[1], red_green[None], atol=1e-5)


def test_orientation_answers_to_its_angle():
    stripes = np.tile(np.sin(2 * np.pi * np.arange(64) / features.WAVELENGTH), (64, 1))
    for image, best in ((stripes, 0), (stripes.T, 90)):
        image = np.ascontiguousarray(image, np.float32)
        strength = {
            a: features.orientation(image, a)[16:-16, 16:-16].mean() for a in features.ANGLES
        }
        assert max(strength, key=strength.get) == best
    flat = features.orientation(np.full((32, 32), 0.7, np.float32), 45)
    np.testing.assert_allclose(flat, 0, atol=1e-6)
