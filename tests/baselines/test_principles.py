"""Each principle by what it is of: symmetric, flat, graded and coloured images made for it."""

import cv2
import numpy as np
import pytest
from scipy import stats
from skimage.color import rgb2lab

from jaxsent.baselines import svm
from jaxsent.baselines.principles import colours, principles
from jaxsent.baselines.principles.balance import (
    KeyPoints,
    balance,
    key_points,
    radial,
    reflection,
    rotation,
)  # fmt: skip
from jaxsent.baselines.principles.emphasis import contrasts, focused_attention, regions
from jaxsent.baselines.principles.gradation import EPSILON, gradation
from jaxsent.baselines.principles.harmony import harmony, local_histograms, range_of_peaks
from jaxsent.baselines.principles.movement import INHIBITED, movement, scan_path
from jaxsent.baselines.principles.variety import entropy, variety

RED, GREEN, GREY, CYAN = (255, 0, 0), (0, 128, 0), (128, 128, 128), (0, 255, 255)


def clouds(height=192, width=256, seed=0):
    """(H, W) uint8, noise smooth enough to have key points."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)


def grey(values):
    return np.repeat(np.uint8(values)[..., None], 3, axis=2)


def halves(one, other, share=0.5, width=200):
    """(100, W, 3): one colour on the left, another on the right."""
    image = np.full((100, width, 3), other, np.uint8)
    image[:, : round(share * width)] = one
    return image


def test_there_are_27_numbers():
    values = principles(grey(clouds()))
    assert values.shape == (27,) and values.dtype == np.float32 and np.isfinite(values).all()
    assert (values != 0).sum() > 15


@pytest.mark.parametrize("level", [0, 100, 255])
def test_an_even_image_has_no_principle(level):
    assert not principles(np.full((60, 90, 3), level, np.uint8)).any()


def test_too_narrow_an_image():
    with pytest.raises(ValueError, match="at most 32 times as long"):
        principles(np.zeros((4, 400, 3), np.uint8))


# Balance ---------------------------------------------------------------------------------------


def mirrored(axis=127.5):
    """Clouds that are their own mirror image about a column, grey where there is no partner."""
    image = np.full((192, 256), 128, np.uint8)
    half = round(axis + 0.5)
    left = clouds()[:, :half]
    image[:, :half], image[:, half : 2 * half] = left, left[:, ::-1]
    return image


def test_reflection_of_mirrored_images():
    strength, upright, offset = balance(grey(mirrored()))[:3]
    assert strength > 0.6 and upright > 0.99 and offset < 0.02
    level = np.ascontiguousarray(mirrored()[:, 32:224].T)
    strength, upright, offset = balance(grey(level))[:3]
    assert strength > 0.6 and upright < 0.1 and offset < 0.02
    strength, upright, offset = balance(grey(mirrored(79.5)))[:3]
    assert strength > 0.6 and upright > 0.99
    assert offset == pytest.approx((127.5 - 79.5) / 160, abs=0.02)
    assert balance(grey(clouds()))[0] < 0.1


def test_rotation_of_turned_images():
    image = clouds()
    image[96:] = image[:96][::-1, ::-1]
    strength, offset = balance(grey(image))[3:5]
    assert strength > 0.5 and offset < 0.02
    assert balance(grey(clouds()))[3] < 0.1


def points(place, angle, partner, mirror=False):
    """Key points whose nearest descriptor is that of their partner."""
    own = np.eye(len(place))
    likeness = own[partner]
    return KeyPoints(place, np.full(len(place), 5.0), angle, *(
        (own, likeness) if mirror else (own + 2 * likeness, np.full_like(own, np.inf))
    ))  # fmt: skip


def test_the_axis_of_pairs_by_construction():
    rng = np.random.default_rng(0)
    axis, shift = 0.3, 20.0  # direction of the normal, distance of the axis
    normal = np.array([np.cos(axis), np.sin(axis)])
    place, angle = rng.uniform(-80, 80, (6, 2)), rng.uniform(0, 6, 6)
    across = place - 2 * ((place @ normal) - shift)[:, None] * normal
    reflected = np.pi + 2 * axis - angle  # of a direction
    partner = np.roll(np.arange(12), 6)
    found = points(np.vstack([place, across]), np.append(angle, reflected), partner, mirror=True)
    strength, tilt, distance = reflection(found)
    assert strength == pytest.approx(1, abs=1e-6)
    sign = np.sign(np.cos(tilt - axis))
    assert sign * distance == pytest.approx(shift)
    assert np.abs(np.sin(tilt - axis)) < 1e-9
    turned = found._replace(angle=found.angle + np.repeat([0, np.pi], 6))
    assert reflection(turned)[0] == pytest.approx(0, abs=1e-6)


def test_the_centre_of_turned_pairs_by_construction():
    rng = np.random.default_rng(1)
    centre, turn = np.array([15.0, -22.0]), 2.0
    place, angle = rng.uniform(-40, 40, (6, 2)), rng.uniform(0, 6, 6)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    there = (place - centre) @ matrix.T + centre
    partner = np.roll(np.arange(12), 6)
    found = points(np.vstack([place, there]), np.append(angle, angle + turn), partner)
    strength, where = rotation(found, (192, 256))
    assert strength == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(where, centre, atol=1e-6)
    strength, _ = rotation(found, (30, 40))  # the centre is outside
    assert strength == 0


def test_descriptors_of_the_mirror_image():
    image = mirrored()
    found = key_points(image)
    _, whole = cv2.SIFT_create(400).detectAndCompute(np.ascontiguousarray(image[:, ::-1]), None)
    known = np.isfinite(found.mirrored).all(axis=1)
    assert known.mean() > 0.9
    gap = np.linalg.norm(found.mirrored[known][:, None] - whole, axis=-1).min(axis=1)
    assert np.median(gap) < 60  # of vectors of length 512


@pytest.mark.parametrize("light", [30, 220])
def test_discs_are_radial_and_stripes_are_not(light):
    disc = np.full((192, 256), 120, np.uint8)
    cv2.circle(disc, (100, 90), 32, light, -1)
    assert radial(np.float32(disc)) > 0.6
    stripes = np.tile(120 + 100 * (np.arange(256) // 16 % 2), (192, 1))
    assert radial(np.float32(stripes)) < 0.2


# Emphasis --------------------------------------------------------------------------------------


def test_contrasts_of_red_and_green():
    light, saturation, extension, complements, hue, warmth, simultaneous = contrasts(
        regions(halves(RED, GREEN))
    )
    assert light == pytest.approx((1 - 128 / 255) / 2, abs=1e-3)
    assert saturation == pytest.approx(0, abs=1e-6)
    assert extension == pytest.approx(0, abs=1e-6)
    assert complements == pytest.approx(0.75, abs=1e-3)  # 120 degrees apart
    assert hue == pytest.approx(0.5, abs=1e-3)
    warm = np.cos(np.deg2rad([50, 70]))
    assert warmth == pytest.approx(warm.std(), abs=1e-3)
    assert simultaneous == 0


def test_contrasts_of_red_and_grey():
    light, saturation, extension, complements, hue, warmth, simultaneous = contrasts(
        regions(halves(RED, GREY, share=0.75))
    )
    expected = np.sqrt(0.75 * 0.25)  # deviation of 1 and 0
    assert light == pytest.approx(expected * (1 - 128 / 255), abs=1e-3)
    assert saturation == pytest.approx(expected, abs=1e-3)
    assert extension == pytest.approx(0.25)
    assert (complements, hue) == (0, pytest.approx(0, abs=1e-6))
    assert warmth == pytest.approx(expected * np.cos(np.deg2rad(50)), abs=1e-3)
    assert simultaneous == pytest.approx(1, abs=1e-3)


def test_borders_are_counted_once():
    image = halves(RED, GREY)
    image[:, 150:] = GREEN
    found = regions(image)
    assert len(found.share) == 3
    assert sorted(found.border[np.triu_indices(3, 1)]) == [0, 100, 100]


def test_focused_attention_is_a_share_by_brute_force():
    height, width = 60, 90
    near = 0
    for y in range(height):
        for x in range(width):
            gaps = [np.hypot(y + 0.5 - a * height / 3, x + 0.5 - b * width / 3)
                    for a in (1, 2) for b in (1, 2)]  # fmt: skip
            near += min(gaps) <= 10
    assert focused_attention(np.ones((height, width))) == pytest.approx(near / (height * width))
    spot = np.zeros((height, width))
    spot[20, 30] = 1
    assert focused_attention(spot) == 1
    assert focused_attention(np.roll(spot, (10, 15), (0, 1))) == 0


# Harmony ---------------------------------------------------------------------------------------


def test_hues_far_apart_and_alike():
    opposite = np.full((128, 128, 3), CYAN, np.uint8)
    opposite[:, ::2] = RED
    assert harmony(opposite)[0] == pytest.approx(1, abs=0.01)
    near = np.full((128, 128, 3), RED, np.uint8)
    assert harmony(near)[0] == 0
    near[:, ::2] = (255, 255, 0)  # 60 degrees: bins 0 and 2 of 16 are one peak
    assert harmony(near)[0] == 0
    near[:, ::2] = (0, 255, 0)  # 120 degrees: bin 5
    assert harmony(near)[0] == pytest.approx(5 / 8, abs=0.01)


def test_peaks_by_hand():
    histogram = np.zeros(16)
    histogram[[1, 14]] = 0.5, 0.3
    assert range_of_peaks(histogram) == pytest.approx(np.exp(-0.2) * 3 / 8)
    histogram[[1, 14]] = 0.5, 0
    assert range_of_peaks(histogram) == 0


def test_local_histograms_by_brute_force():
    rng = np.random.default_rng(0)
    angle, weight = rng.uniform(-np.pi, np.pi, (64, 64)), rng.uniform(0, 1, (64, 64))
    cells = np.zeros((16, 16, 16))
    for y in range(64):
        for x in range(64):
            turned = angle[y, x] if angle[y, x] >= 0 else angle[y, x] + 2 * np.pi
            cells[y // 4, x // 4, int(turned / (2 * np.pi / 16))] += weight[y, x]
    expected = np.zeros(16)
    for y in range(16):
        for x in range(16):
            expected += cells[y, x] * np.exp(-((y - 8) ** 2 + (x - 8) ** 2) / (2 * 2.0**2))
    circle = [expected[k] / 2 + (expected[k - 1] + expected[(k + 1) % 16]) / 4 for k in range(16)]
    histogram = local_histograms(angle, weight)[8, 8]
    np.testing.assert_allclose(histogram, circle / np.sum(circle), atol=2e-4)


# Variety ---------------------------------------------------------------------------------------


def test_names_are_the_nearest_in_lab():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    lab, focal = rgb2lab(pixels / 255), rgb2lab(np.array([list(colours.FOCAL.values())]) / 255)[0]
    expected = [[np.argmin(((p - focal) ** 2).sum(1)) for p in row] for row in lab]
    assert (colours.names(pixels) == expected).mean() > 0.99
    assert colours.names(np.uint8([list(colours.FOCAL.values())]))[0].tolist() == list(range(11))


def test_variety_of_all_colours_and_of_two():
    stripes = np.repeat(np.uint8([list(colours.FOCAL.values())]), 16, axis=1)
    stripes = np.repeat(stripes, 60, axis=0)
    assert variety(stripes)[:2] == pytest.approx([1, 1])
    two = variety(halves(RED, GREEN, 0.75))
    assert two[0] == pytest.approx(0.1)
    assert two[1] == pytest.approx(stats.entropy([0.75, 0.25], base=11))
    assert two[2] == 0  # one direction


def test_entropies():
    mass = np.array([3.0, 1, 0, 4])
    assert entropy(mass) == pytest.approx(stats.entropy(mass, base=4))
    assert entropy(np.ones(8)) == pytest.approx(1)
    assert entropy(np.zeros(8)) == 0


def test_edges_of_all_directions():
    disc = np.zeros((128, 128), np.uint8)
    cv2.circle(disc, (64, 64), 40, 255, -1, cv2.LINE_AA)
    assert variety(grey(disc))[2] > 0.95


# Gradation -------------------------------------------------------------------------------------


def test_a_ramp_changes_one_way():
    ramp = grey(np.tile(np.arange(256), (100, 1)))
    slope = 1 / 255
    expected = [slope, 0, slope / (slope + EPSILON), 0]
    np.testing.assert_allclose(gradation(ramp), expected, atol=1e-4)
    turned = np.ascontiguousarray(ramp.transpose(1, 0, 2))
    np.testing.assert_allclose(gradation(turned), np.array(expected)[[1, 0, 3, 2]], atol=1e-4)


def test_texture_varies_more_than_it_leads():
    texture = grey(np.tile(200 * (np.arange(256) % 2), (100, 1)))
    across, down, relative, _ = gradation(texture)
    assert across == pytest.approx(200 / 255, abs=1e-3) and down == 0
    assert relative > 50


# Movement --------------------------------------------------------------------------------------


def peaks(*places):
    saliency = np.zeros((60, 90))
    for strength, place in zip(range(9, 0, -1), places):
        saliency[place] = strength
    return saliency


def test_a_scan_path_goes_from_peak_to_peak():
    saliency = peaks((30, 10), (30, 80), (30, 45))
    assert scan_path(saliency).tolist() == [[30, 10], [30, 80], [30, 45]]
    length, level, straight = movement(saliency)
    assert length == pytest.approx((70 + 35) / 2 / np.hypot(60, 90))
    assert (level, straight) == (1, pytest.approx(35 / 105))
    assert movement(peaks((5, 40), (25, 40), (50, 40)))[1:].tolist() == [0, 1]
    assert movement(peaks((30, 10))).tolist() == [0, 0, 0]


def test_a_fixation_inhibits_its_surround():
    radius = INHIBITED * 60
    saliency = peaks((30, 10), (30, 10 + int(radius)), (30, 11 + int(radius)))
    assert scan_path(saliency).tolist() == [[30, 10], [30, 11 + int(radius)]]
    assert len(scan_path(np.ones((60, 90)))) == 8


# All -------------------------------------------------------------------------------------------


def test_composition_tells_what_it_can():
    """Mirrored images from others, of the same clouds."""
    images = []
    for seed in range(12):
        image = clouds(96, 128, seed)
        images.append(grey(image))
        image[:, 64:] = image[:, :64][:, ::-1]
        images.append(grey(image))
    x, y = np.stack([principles(image) for image in images]), np.arange(24) % 2
    machine = svm.fit(x[:16], y[:16], scaled=True)
    assert (machine.predict(x[16:]) == y[16:]).mean() >= 7 / 8
