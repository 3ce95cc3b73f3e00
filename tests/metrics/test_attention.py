"""Attention metrics against pysaliency, the benchmark's loops and known answers; EMD: test_emd."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.stats import rankdata

from jaxsent import metrics

SHAPES = [(48, 64), (97, 33)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def pysaliency(monkeypatch):
    """Its modules by file: the package itself imports torch, and one calls the old np.trapz."""
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)
    folder = Path(importlib.util.find_spec("pysaliency").submodule_search_locations[0])

    def module(name):
        spec = importlib.util.spec_from_file_location(f"pysaliency_{name}", folder / f"{name}.py")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded

    return module


def blob(shape, centre, width):
    """(H, W) Gaussian bump with its peak of 1 at `centre`, in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))


def pair(rng, shape):
    """A prediction and a truth that have something in common."""
    truth = sum(blob(shape, rng.random(2) * shape, shape[0] / 10) for _ in range(4))
    return 0.5 * truth + rng.random(shape) ** 2, truth


def some_fixations(rng, truth, count=30):
    at = rng.choice(truth.size, count, replace=False, p=(truth / truth.sum()).ravel())
    fixations = np.zeros(truth.shape, bool)
    fixations.flat[at] = True
    return fixations


# Oracles


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_cc_sim_kl_agree_with_pysaliency(pysaliency, shape, seed):
    oracle = pysaliency("metrics")
    p, g = pair(np.random.default_rng(seed), shape)
    assert metrics.cc(p, g) == pytest.approx(oracle.CC(p, g), rel=1e-10)
    assert metrics.kl(p, g) == pytest.approx(oracle.MIT_KLDiv(p, g), rel=1e-10)
    # Its SIM does not min-max scale.
    scaled = [(m - m.min()) / (m.max() - m.min()) for m in (p, g)]
    assert metrics.sim(p, g) == pytest.approx(oracle.SIM(*scaled), rel=1e-10)
    with np.errstate(divide="ignore"):  # it takes the logarithm of the minimum, 0
        expected = oracle.MIT_KLDiv(p - 0.5, g)
    assert metrics.kl(p - 0.5, g) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 40])
def test_auc_judd_agrees_with_pysaliency(pysaliency, rng, shape, count):
    general_roc = pysaliency("numba_utils").general_roc_numba
    p, g = pair(rng, shape)
    fixations = some_fixations(rng, g, count)
    expected, *_ = general_roc(p[fixations], p[~fixations], judd=1)
    assert metrics.auc_judd(p, fixations, rng) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("levels", [2, 5, 256, None])
def test_auc_judd_is_the_benchmarks_loop(rng, levels):
    p, g = pair(rng, (48, 64))
    fixations = some_fixations(rng, g)
    if levels:  # ties, which the jitter breaks
        p = np.floor(p / p.max() * levels)
    jittered = p + np.random.default_rng(7).random(p.shape) / 1e7
    jittered = (jittered - jittered.min()) / (jittered.max() - jittered.min())
    true, false = [0.0], [0.0]
    for i, threshold in enumerate(sorted(jittered[fixations], reverse=True), start=1):
        true.append(i / fixations.sum())
        false.append(((jittered >= threshold).sum() - i) / (p.size - fixations.sum()))
    expected = np.trapezoid([*true, 1], [*false, 1])
    score = metrics.auc_judd(p, fixations, np.random.default_rng(7))
    assert score == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("levels", [2, 255, None])
def test_auc_borji_is_the_benchmarks_loop(rng, levels):
    p, g = pair(rng, (48, 64))
    fixations = some_fixations(rng, g)
    if levels:
        p = np.floor(p / p.max() * levels)
    scaled = (p - p.min()) / (p.max() - p.min())
    fixated = scaled[fixations]
    drawn = np.random.default_rng(7).integers(p.size, size=(fixated.size, 100))
    areas = []
    for split in range(100):
        random = scaled.ravel()[drawn[:, split]]
        top = max(fixated.max(), random.max())
        true, false = [0.0], [0.0]
        for tenth in range(10, -1, -1):
            if tenth / 10 <= top:
                true.append(np.mean(fixated >= tenth / 10))
                false.append(np.mean(random >= tenth / 10))
        areas.append(np.trapezoid([*true, 1], [*false, 1]))
    score = metrics.auc_borji(p, fixations, np.random.default_rng(7))
    assert score == pytest.approx(np.mean(areas), rel=1e-12)


def test_auc_borji_nears_the_exact_curve_of_pysaliency(pysaliency, rng):
    """Ten thresholds and random negatives cost some precision, no more."""
    general_roc = pysaliency("numba_utils").general_roc_numba
    p, g = pair(rng, (97, 80))
    fixations = some_fixations(rng, g, 200)
    expected, *_ = general_roc(p[fixations], p.ravel(), judd=0)
    assert metrics.auc_borji(p, fixations, rng) == pytest.approx(expected, abs=0.03)


# Known answers


def test_a_perfect_map(rng):
    truth = blob((96, 128), (40, 90), 15)
    fixations = truth > 0.9
    assert metrics.auc_judd(truth, fixations, rng) == pytest.approx(1, abs=0.01)
    assert metrics.auc_borji(fixations * 1.0, fixations, rng) > 0.95
    assert metrics.cc(truth, truth) == pytest.approx(1)
    assert metrics.sim(truth, truth) == pytest.approx(1)
    assert metrics.kl(truth, truth) == pytest.approx(0, abs=1e-9)
    assert metrics.emd(truth, truth) == 0


def test_an_inverted_map(rng):
    truth = blob((96, 128), (40, 90), 15)
    fixations = truth > 0.9
    assert metrics.auc_judd(-truth, fixations, rng) == pytest.approx(0, abs=0.01)
    assert metrics.auc_borji(-truth, fixations, rng) < 0.2
    assert metrics.cc(-truth, truth) == pytest.approx(-1)
    half = np.zeros((64, 64))
    half[:32] = 1
    assert metrics.sim(1 - half, half) == 0
    assert metrics.emd(1 - half, half) == pytest.approx(1)  # one cell further
    assert metrics.kl(1 - half, half) == pytest.approx(np.log(1 / half.sum() / 2.2204e-16))


@pytest.mark.parametrize("value", [0.0, 0.7, -3.0])
def test_a_constant_map_says_nothing(rng, value):
    truth = blob((96, 128), (40, 90), 15)
    fixations = some_fixations(rng, truth, 300)
    constant = np.full(truth.shape, value)
    uniform = np.full(truth.shape, 1 / truth.size)
    assert metrics.auc_judd(constant, fixations, rng) == pytest.approx(0.5, abs=0.05)
    assert metrics.auc_borji(constant, fixations, rng) == 0.5
    assert metrics.cc(constant, truth) == 0
    assert metrics.sim(constant, truth) == pytest.approx(
        np.minimum(uniform, metrics.min_max(truth) / metrics.min_max(truth).sum()).sum()
    )
    assert metrics.kl(constant, truth) == pytest.approx(metrics.kl(uniform, truth))
    assert metrics.emd(constant, truth) == pytest.approx(metrics.emd(uniform, truth))


def test_noise_is_at_chance(rng):
    fixations = rng.random((200, 300)) < 0.01
    noise = rng.random(fixations.shape)
    assert metrics.auc_judd(noise, fixations, rng) == pytest.approx(0.5, abs=0.03)
    assert metrics.auc_borji(noise, fixations, rng) == pytest.approx(0.5, abs=0.03)


def test_one_fixation_is_the_rank_of_its_pixel(rng):
    map = rng.permutation(1000).reshape(20, 50) / 1000
    fixations = map == 0.75
    # The curve is (0, 0), (249 / 999, 1), (1, 1).
    assert metrics.auc_judd(map, fixations, rng) == pytest.approx(1 - 249 / 999 / 2)


@pytest.mark.parametrize("fixated", [False, True])
def test_without_a_fixation_or_without_another_pixel_there_is_no_curve(rng, fixated):
    fixations = np.full((10, 10), fixated)
    assert np.isnan(metrics.auc_judd(rng.random((10, 10)), fixations, rng))
    assert np.isnan(metrics.auc_borji(rng.random((10, 10)), fixations, rng)) != fixated


@pytest.mark.parametrize("metric", [metrics.cc, metrics.sim, metrics.kl, metrics.emd])
def test_a_constant_truth_holds_no_fixation(rng, metric):
    assert np.isnan(metric(rng.random((40, 40)), np.zeros((40, 40))))
    assert np.isnan(metric(rng.random((40, 40)), np.ones((40, 40))))


# Invariances


def test_cc_and_sim_know_neither_scale_nor_shift(rng):
    p, g = pair(rng, (60, 80))
    for metric in (metrics.cc, metrics.sim):
        assert metric(30 * p - 4, g / 7 + 1) == pytest.approx(metric(p, g))
    assert metrics.kl(3 * p, 5 * g) == pytest.approx(metrics.kl(p, g))
    for match in (True, False):
        assert metrics.emd(3 * p, 5 * g, match) == pytest.approx(metrics.emd(p, g, match))
    assert metrics.cc(p, g) == pytest.approx(metrics.cc(g, p))
    assert metrics.emd(p, g, False) == pytest.approx(metrics.emd(g, p, False))


def test_auc_judd_knows_only_the_order(rng):
    p, g = pair(rng, (60, 80))
    fixations = some_fixations(rng, g)
    score = metrics.auc_judd(p, fixations, rng)
    for monotone in (3 * p - 10, p**3, np.exp(p)):
        assert metrics.auc_judd(monotone, fixations, rng) == pytest.approx(score, abs=1e-3)
    scaled = metrics.auc_borji(3 * p - 10, fixations, np.random.default_rng(1))
    assert scaled == pytest.approx(metrics.auc_borji(p, fixations, np.random.default_rng(1)))


def test_scores_are_repeatable(rng):
    p, g = pair(rng, (60, 80))
    fixations = some_fixations(rng, g)
    for metric in (metrics.auc_judd, metrics.auc_borji):
        first, again = (metric(p, fixations, np.random.default_rng(3)) for _ in range(2))
        assert first == again


# Many images


def test_scores_are_means_and_leave_out_images_without_fixations(rng):
    pairs = [pair(rng, shape) for shape in (*SHAPES, (40, 40))]
    fixations = [some_fixations(rng, g) for _, g in pairs]
    fixations[2] = np.zeros((40, 40), bool)
    scores = metrics.attention_scores(
        [p for p, _ in pairs], fixations, [g for _, g in pairs[:2]] + [np.zeros((40, 40))], rng
    )
    assert scores["count"] == 3 and scores["no_fixation"] == 1
    for name in ("cc", "sim", "kl", "emd"):
        each = [getattr(metrics, name)(metrics.min_max(p), g) for p, g in pairs[:2]]
        expected = np.mean(each)
        assert scores[name] == pytest.approx(expected)
    assert 0.5 < scores["auc_judd"] < 1 and 0.5 < scores["auc_borji"] < 1
    assert json.loads(json.dumps(scores)) == scores
    none = metrics.attention_scores([], [], [], rng)
    assert none == {**dict.fromkeys(metrics.HIGHER_IS_BETTER), "count": 0, "no_fixation": 0}


def test_a_networks_map_is_resized_and_may_be_tiny_valued(rng):
    g = blob((112, 112), (30, 70), 12)
    fixations = some_fixations(rng, g)
    map = rng.random((14, 14))
    row = metrics.attention_row(map, fixations, g, np.random.default_rng(0))
    resized = cv2.resize(map, (112, 112), interpolation=cv2.INTER_LINEAR)
    assert row["cc"] == pytest.approx(metrics.cc(resized, g), abs=1e-6)
    tiny = metrics.attention_row(map * 1e-9, fixations, g, np.random.default_rng(0))
    assert tiny == pytest.approx(row)


@pytest.mark.parametrize(
    ("scale", "offset"), [(1, 0.5), (1, 40.0), (1, -1.0), (7, -3.5), (1e-6, 0.0), (1e-6, -1e-6)]
)
def test_a_row_sees_neither_offset_nor_scale_nor_sign(rng, scale, offset):
    """Signed and positive maps alike: a network's class map is either."""
    map, g = pair(rng, (96, 128))
    fixations = some_fixations(rng, g)
    row = metrics.attention_row(map, fixations, g, np.random.default_rng(0))
    moved = metrics.attention_row(map * scale + offset, fixations, g, np.random.default_rng(0))
    assert moved == pytest.approx(row, rel=1e-6)
    perfect = metrics.attention_row(g * scale + offset, fixations, g, np.random.default_rng(0))
    assert perfect["emd"] == pytest.approx(0, abs=1e-6)
    assert perfect["cc"] == pytest.approx(1) and perfect["sim"] == pytest.approx(1)
    assert perfect["kl"] == pytest.approx(metrics.kl(metrics.min_max(g), g))


def test_a_rows_scores_are_the_bare_functions_of_the_scaled_map(pysaliency, rng):
    map, g = pair(rng, (96, 128))
    fixations = some_fixations(rng, g)
    row = metrics.attention_row(map + 2, fixations, g, np.random.default_rng(0))
    scaled = (map - map.min()) / (map.max() - map.min())
    oracle = pysaliency("metrics")
    with np.errstate(divide="ignore"):  # it takes the logarithm of the minimum, 0
        assert row["kl"] == pytest.approx(oracle.MIT_KLDiv(scaled, g), rel=1e-8)
    assert row["kl"] != pytest.approx(metrics.kl(map + 2, g), rel=0.1)
    assert row["cc"] == pytest.approx(oracle.CC(map, g), rel=1e-10)


def test_ranks_are_those_of_table_v(rng):
    scores = {
        name: {m: float(rng.integers(4)) for m in metrics.HIGHER_IS_BETTER} for name in "abcde"
    }
    ranks, average = metrics.attention_ranks(scores), metrics.average_rank(scores)
    for metric, higher in metrics.HIGHER_IS_BETTER.items():
        values = np.array([scores[name][metric] for name in scores])
        expected = rankdata(-values if higher else values)
        np.testing.assert_array_equal([ranks[name][metric] for name in scores], expected)
    assert average["a"] == pytest.approx(np.mean(list(ranks["a"].values())))
    assert [m for m, up in metrics.HIGHER_IS_BETTER.items() if not up] == ["emd", "kl"]


@pytest.mark.parametrize(
    ("p", "g", "message"),
    [
        (np.ones((2, 2)), np.ones((3, 3)), r"\(2, 2\) and \(3, 3\)"),
        (np.ones((2, 2, 3)), np.ones((2, 2, 3)), r"\(2, 2, 3\)"),
        (np.full((2, 2), np.nan), np.ones((2, 2)), "NaN"),
    ],
)
def test_errors_say_what_was_found(p, g, message):
    for metric in (metrics.cc, metrics.sim, metrics.kl, metrics.emd):
        with pytest.raises(ValueError, match=message):
            metric(p, g)


def test_fixations_must_fit(rng):
    for metric in (metrics.auc_judd, metrics.auc_borji):
        with pytest.raises(ValueError, match=r"\(2, 2\) and \(3, 3\)"):
            metric(np.ones((2, 2)), np.ones((3, 3), bool), rng)


def test_nss_by_hand():
    """The mean of the map is 4 and its standard deviation √5."""
    values = np.array([[1.0, 3.0], [5.0, 7.0]])
    fixated = np.array([[True, False], [False, False]])
    assert metrics.nss(values, fixated) == pytest.approx(-3 / np.sqrt(5))
    fixated[1] = [False, True]
    assert metrics.nss(values, fixated) == pytest.approx(0, abs=1e-12)
    assert metrics.nss(10 * values - 3, values > 4) == pytest.approx(2 / np.sqrt(5))
    assert metrics.nss(np.ones((2, 2)), fixated) == 0
    assert np.isnan(metrics.nss(values, np.zeros((2, 2), bool)))
