"""The earth mover's distance against the MIT benchmark's EMD.m, POT, a linear programme and sums.

`benchmark_emd` follows the text of EMD.m, histMatchMaps.m (github.com/cvzoya/saliency,
code_forMetrics, commits 26e7105 and 50c0be2) and histoMatch.m (Simoncelli's matlabPyrTools, the
branch without compiled files) step by step. Its pieces share no code with jaxsent: imresize is
Pillow's bicubic filter on a mirrored border, hist and imhist are NumPy's counts, interp1 is its
interp, and emd_hat_gd_metric_mex with no penalty on equal masses is POT's emd2 on the whole maps.
"""

import cv2
import numpy as np
import ot
import pytest
from PIL import Image
from scipy.optimize import linprog
from skimage import exposure

from jaxsent import metrics
from jaxsent.metrics import similarity

SHAPE = (320, 448)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def bumps(rng, shape, count, width):
    """(H, W) sum of Gaussian bumps within 0..1: a fixation map, or what a network makes of one."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    places = rng.random((count, 2)) * shape
    total = sum(np.exp(-((y - r) ** 2 + (x - c) ** 2) / (2 * width**2)) for r, c in places)
    return total / total.max()


def photograph(seed, shape=SHAPE):
    """A truth of 60 fixations, a map that shares half of its places, and one that shares none."""
    rng = np.random.default_rng(seed)
    truth = bumps(rng, shape, 60, 16)
    return truth, 0.5 * truth + bumps(rng, shape, 6, 60), bumps(rng, shape, 6, 60)


def whole_transport(p, g):
    """(h, w), (h, w) of equal mass -> POT's distance, every cell in it."""
    rows, columns = np.divmod(np.arange(p.size), p.shape[1])
    distance = np.hypot(np.subtract.outer(rows, rows), np.subtract.outer(columns, columns))
    p, g = (np.maximum(m.ravel(), 0) for m in (p, g))
    return ot.emd2(p / p.sum(), g / g.sum(), distance * 1.0)


def area_means(map):
    """Cells of 32 x 32 by OpenCV."""
    height, width = (-(-n // 32) for n in map.shape)
    return np.atleast_2d(cv2.resize(map, (width, height), interpolation=cv2.INTER_AREA))


# The benchmark's code


def imresize(map):
    """imresize(map, 1/32) of sides that 32 divides: bicubic, wide as the shrinking, mirrored."""
    padded = Image.fromarray(np.float32(np.pad(map, 64, mode="symmetric")))
    size = padded.width // 32, padded.height // 32
    return np.float64(np.asarray(padded.resize(size, Image.Resampling.BICUBIC)))[2:-2, 2:-2]


def histo_match(map, counts, places):
    """histoMatch(map, counts, places), the branch of hist and interp1."""
    old, edges = np.histogram(map, len(places))
    cumulated = np.concatenate([[0], np.cumsum(old)]) / old.sum()
    counts = counts + counts.mean() / 1e8
    wanted = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    step = places[1] - places[0]
    wanted_edges = np.concatenate([[places[0] - step / 2], places + step / 2])
    return np.interp(map, edges, np.interp(cumulated, wanted, wanted_edges))


def benchmark_emd(p, g):
    """EMD(saliencyMap, fixationMap)."""
    im1, im2 = imresize(g), imresize(p)
    pixels = np.clip(np.floor(im1 * 255 + 0.5), 0, 255).astype(int)  # imhist of doubles
    counts = np.bincount(pixels.ravel(), minlength=256).astype(float)
    im2 = histo_match(im2, counts, np.linspace(0, 1, 256))
    return whole_transport(im2 / im2.sum(), im1 / im1.sum())


@pytest.mark.parametrize("seed", range(6))
def test_emd_is_the_benchmarks_but_for_bins_and_bicubic_cells(seed):
    truth, near, far = photograph(seed)
    for map in (near, far):
        assert metrics.emd(map, truth) == pytest.approx(benchmark_emd(map, truth), rel=0.08)
    # Without the matching the two differ by much more.
    plain = [metrics.emd(map, truth, match_histograms=False) for map in (near, far)]
    expected = [benchmark_emd(map, truth) for map in (near, far)]
    assert np.abs(np.divide(plain, expected) - 1).max() > 0.09


def test_the_benchmarks_bins_alone_keep_the_truth_from_0():
    truth, *_ = photograph(0)
    assert 0.03 < benchmark_emd(truth, truth) < 0.2
    assert metrics.emd(truth, truth) == 0


@pytest.mark.parametrize("offset", [0, 0.3, 1000.0, -0.7])
@pytest.mark.parametrize("scale", [1, 1e-4, 30])
def test_the_truth_plus_a_constant_scores_0(offset, scale):
    truth, near, _ = photograph(1)
    assert metrics.emd(truth * scale + offset, truth) == pytest.approx(0, abs=1e-6)
    moved = metrics.emd(near * scale + offset, truth)
    assert moved == pytest.approx(metrics.emd(near, truth), abs=1e-6)


def test_matched_histograms_ignore_how_peaked_a_map_is():
    truth, near, _ = photograph(2)
    cells = np.kron(area_means(near), np.ones((32, 32)))  # the order of means is that of pixels
    for monotone in (cells**3, np.exp(4 * cells)):
        assert metrics.emd(monotone, truth) == pytest.approx(metrics.emd(cells, truth), abs=1e-9)
        assert abs(metrics.emd(monotone, truth, False) - metrics.emd(cells, truth, False)) > 0.1


@pytest.mark.parametrize("levels", [3, 20, None])
def test_the_matching_is_scikit_images(rng, levels):
    map, reference = rng.random((12, 14)), np.maximum(rng.random((12, 14)) - 0.3, 0)
    if levels:  # ties
        map = np.floor(map * levels)
    expected = exposure.match_histograms(map, reference)
    np.testing.assert_allclose(similarity.match_histogram(map, reference), expected, atol=1e-12)


def test_rounding_breaks_no_tie(rng):
    noise = 0.7 + rng.integers(-3, 4, (6, 7)) * np.spacing(0.7)
    assert np.ptp(similarity.match_histogram(noise, rng.random((6, 7)))) == 0
    truth = bumps(rng, SHAPE, 5, 40)
    box = np.zeros(SHAPE)
    box[64:256, 96:352] = 1  # cells of 0 and 1, and their means
    exact = metrics.emd(box, truth)
    assert metrics.emd(box / 3 + 0.1, truth) == pytest.approx(exact, abs=1e-9)
    constant = np.full(SHAPE, 0.7)
    assert metrics.emd(constant, truth) == metrics.emd(np.ones(SHAPE), truth)
    uniform = similarity.shrink(truth)
    uniform = whole_transport(np.full(uniform.shape, uniform.mean()), uniform)
    assert metrics.emd(constant, truth) == pytest.approx(uniform, abs=1e-6)


# Transport


@pytest.mark.parametrize("shape", [(448, 448), (320, 500), (70, 40)])
@pytest.mark.parametrize("match_histograms", [True, False])
def test_emd_agrees_with_pot_on_the_whole_maps(rng, shape, match_histograms):
    p, g = (bumps(rng, shape, 8, 25) + 0.2 * rng.random(shape) for _ in range(2))
    cells = area_means(p), area_means(g)
    if match_histograms:
        cells = exposure.match_histograms(*cells), cells[1]
    expected = whole_transport(*cells)
    assert metrics.emd(p, g, match_histograms) == pytest.approx(expected, abs=1e-6)


def test_emd_agrees_with_a_linear_programme(rng):
    p, g = rng.random((64, 96)), rng.random((64, 96))
    cells = [m.reshape(2, 32, 3, 32).mean(axis=(1, 3)).ravel() for m in (p, g)]
    source, target = (c / c.sum() for c in cells)
    place = np.array([(r, c) for r in range(2) for c in range(3)], float)
    cost = [np.linalg.norm(a - b) for a in place for b in place]
    sums = [np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))]
    plan = linprog(cost, A_eq=np.vstack(sums), b_eq=np.r_[source, target])
    assert metrics.emd(p, g, match_histograms=False) == pytest.approx(plan.fun, abs=1e-9)


@pytest.mark.parametrize("shape", [(448, 448), (333, 500), (31, 65), (1, 1)])
def test_cells_are_means_over_areas(rng, shape):
    map = rng.random(shape)
    cells = similarity.shrink(map)
    np.testing.assert_allclose(cells, area_means(map), atol=1e-7)
    assert cells.shape == (-(-shape[0] // 32), -(-shape[1] // 32))
    assert cells.mean() == pytest.approx(map.mean())
