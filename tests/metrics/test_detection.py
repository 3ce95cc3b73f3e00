"""Sentiment-map metrics against scikit-image's Otsu, OpenCV's resize and known answers."""

import cv2
import numpy as np
import pytest
from skimage.filters import threshold_otsu

from jaxsent import metrics


def blob(shape, centre, width):
    """(H, W) Gaussian bump with its peak of 1 at `centre`, in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [(14, 14), (96, 128)])
def test_otsu_agrees_with_scikit_image(seed, shape):
    rng = np.random.default_rng(seed)
    for map in (
        rng.random(shape),
        rng.normal(size=shape) * 10 - 3,
        blob(shape, rng.random(2) * shape, shape[0] / 4) + 0.05 * rng.random(shape),
        (rng.random(shape) > 0.8) * 1.0,
        rng.integers(0, 256, shape) / 255,
    ):
        assert metrics.otsu(map) == pytest.approx(threshold_otsu(map), rel=1e-12)
        np.testing.assert_array_equal(metrics.binarise(map), map > threshold_otsu(map))


@pytest.mark.parametrize("value", [0.0, 0.3, -7.25, 1e-300])
def test_constant_maps_hold_no_region(value):
    map = np.full((7, 9), value)
    assert metrics.otsu(map) == value
    assert not metrics.binarise(map).any()
    assert not metrics.min_max(map).any()
    assert not metrics.binarise(metrics.resize_map(map, (50, 41))).any()


def test_rounding_noise_counts_as_constant():
    map = np.full((4, 4), 0.3)
    map[0, 0] = np.nextafter(0.3, 1)
    assert not metrics.binarise(map).any() and not metrics.min_max(map).any()


@pytest.mark.parametrize("shape", [(56, 56), (100, 37), (5, 9), (14, 11)])
def test_resize_is_opencvs_bilinear(shape):
    map = np.random.default_rng(0).random((14, 11))
    expected = cv2.resize(map, shape[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(metrics.resize_map(map, shape), expected, atol=1e-7)


TRUTH = np.zeros((60, 80))
TRUTH[20:40, 30:60] = 1


def test_a_perfect_map():
    scores = metrics.detection_scores([TRUTH], [TRUTH])
    assert scores["mae"] == scores["mae_binary"] == 0
    assert scores["precision"] == scores["recall"] == scores["f"] == 1
    assert scores["correct"] == 1 and scores["count"] == 1 and scores["empty_truths"] == 0


def test_scale_and_integer_truths_change_nothing():
    row = metrics.detection_row(TRUTH, TRUTH)
    assert metrics.detection_row(TRUTH * 30 - 4, (TRUTH * 255).astype(np.uint8)) == row
    assert metrics.detection_row(TRUTH * 30 - 4, (TRUTH * 65535).astype(np.uint16)) == row
    assert metrics.detection_row(TRUTH, TRUTH.astype(bool)) == row


def test_an_inverted_map():
    scores = metrics.detection_scores([1 - TRUTH], [TRUTH])
    assert scores["mae"] == scores["mae_binary"] == 1
    assert scores["precision"] == scores["recall"] == scores["f"] == 0
    assert scores["disjoint"] == 1


def test_a_constant_map_finds_nothing():
    scores = metrics.detection_scores([np.full((14, 14), 0.7)], [TRUTH])
    assert scores["precision"] == scores["recall"] == scores["f"] == 0
    assert scores["mae"] == pytest.approx(TRUTH.mean())
    assert scores["disjoint"] == 1


def test_an_empty_truth_counts_for_mae_alone():
    empty = np.zeros_like(TRUTH)
    scores = metrics.detection_scores([TRUTH, TRUTH], [TRUTH, empty])
    assert scores["count"] == 2 and scores["empty_truths"] == 1
    assert scores["precision"] == scores["recall"] == scores["correct"] == 1
    assert scores["mae"] == pytest.approx(TRUTH.mean() / 2)
    only = metrics.detection_scores([TRUTH], [empty])
    assert only["precision"] is only["f"] is only["correct"] is None


def test_soft_truth_is_compared_as_it_is_and_binarised_by_otsu():
    soft = blob((40, 40), (20, 20), 6)
    row = metrics.detection_row(TRUTH, soft)
    resized = metrics.min_max(metrics.resize_map(TRUTH, (40, 40)))
    binary, region = resized > threshold_otsu(resized), soft > threshold_otsu(soft)
    assert row["mae"] == pytest.approx(np.abs(resized - soft).mean())
    assert row["mae_binary"] == pytest.approx(np.abs(binary - soft).mean())
    assert row["precision"] == pytest.approx((binary & region).sum() / binary.sum())
    assert row["recall"] == pytest.approx((binary & region).sum() / region.sum())


def test_f_is_of_the_means_not_the_mean_of_f():
    half = TRUTH.copy()
    half[20:30] = 0  # precision 1, recall 1/2
    everything_but = 1 - TRUTH  # 0, 0
    scores = metrics.detection_scores([half, everything_but], [TRUTH, TRUTH])
    assert (scores["precision"], scores["recall"]) == (0.5, 0.25)
    assert scores["f"] == pytest.approx(2 * 0.5 * 0.25 / 0.75)


def box(top, bottom, left, right):
    map = np.zeros_like(TRUTH)
    map[top:bottom, left:right] = 1
    return map


@pytest.mark.parametrize(
    ("map", "case"),
    [
        (box(20, 40, 30, 60), "correct"),  # the truth itself
        (box(20, 40, 30, 50), "correct"),  # inside, two thirds of it
        (box(20, 40, 40, 75), "correct"),  # two thirds, and more beside it
        (box(20, 40, 30, 45), "hypothesis_inside"),  # inside, exactly a half: not over a half
        (box(10, 50, 20, 70), "correct"),  # holds all of it: recall 1, whatever lies beside
        (box(20, 40, 50, 75), "overlap"),
        (box(0, 10, 0, 10), "disjoint"),
    ],
)
def test_the_five_cases(map, case):
    assert metrics.detection_row(map, TRUTH)["case"] == case


@pytest.mark.parametrize(
    ("map", "case"),
    [
        (box(20, 40, 30, 60), "correct"),  # the truth itself
        (box(20, 40, 30, 50), "hypothesis_inside"),  # two thirds of it
        (box(20, 40, 30, 45), "hypothesis_inside"),
        (box(10, 50, 20, 70), "truth_inside"),
        (box(20, 40, 40, 75), "correct"),  # neither holds it nor lies in it
        (box(20, 40, 50, 75), "overlap"),
        (box(0, 10, 0, 10), "disjoint"),
    ],
)
def test_the_five_cases_with_inclusion_first(map, case):
    assert metrics.detection_row(map, TRUTH, cases="inclusion first")["case"] == case


def test_an_order_of_cases_that_there_is_not():
    with pytest.raises(ValueError, match="'last': expected one of recall first, inclusion first"):
        metrics.detection_row(TRUTH, TRUTH, cases="last")


def test_cases_sum_to_one_and_split_by_class():
    rng = np.random.default_rng(1)
    rows = [
        metrics.detection_row(
            blob((30, 30), rng.random(2) * 30, 5), blob((30, 30), rng.random(2) * 30, 5) > 0.5
        )
        for _ in range(40)
    ]
    scores = metrics.summarise_detection(iter(rows))
    assert sum(scores[case] for case in metrics.CASES) == pytest.approx(1)
    above_half = np.mean([row["recall"] > 0.5 for row in rows])
    assert scores["correct"] == pytest.approx(above_half)
    labels = np.arange(40) % 2
    first, second, none = metrics.cases_by_class(rows, labels, 3)
    assert none is None
    for case in metrics.CASES:
        assert (first[case] + second[case]) / 2 == pytest.approx(scores[case])


def test_baselines():
    box = metrics.centre_box((100, 200))
    assert box.mean() == pytest.approx(0.5, rel=0.02)
    np.testing.assert_array_equal(box, box[::-1, ::-1])
    assert metrics.centre_box((1, 1)).sum() == 1
    map = metrics.random_map((50, 60), np.random.default_rng(0))
    assert map.shape == (50, 60) and 0.45 < map.mean() < 0.55
    # Half of all pixels, anywhere: precision is the region's share, recall a half.
    scores = metrics.detection_scores(
        [metrics.random_map(TRUTH.shape, np.random.default_rng(0))], [TRUTH]
    )
    assert scores["precision"] == pytest.approx(TRUTH.mean(), abs=0.03)
    assert scores["recall"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("map", "truth", "message"),
    [
        (np.zeros((2, 2, 3)), TRUTH, r"found shape \(2, 2, 3\)"),
        (np.full((2, 2), np.nan), TRUTH, "NaN"),
        (TRUTH, TRUTH * 255, "0..255"),
    ],
)
def test_errors_say_what_was_found(map, truth, message):
    with pytest.raises(ValueError, match=message):
        metrics.detection_row(map, truth)


def test_maps_and_truths_must_pair():
    with pytest.raises(ValueError, match="shorter"):
        metrics.detection_scores([TRUTH, TRUTH], [TRUTH])
