"""Pointing game and region AUC against scikit-learn, brute force and known answers."""

import json

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jaxsent import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def box(shape=(24, 32)):
    region = np.zeros(shape, bool)
    region[4:12, 10:26] = True
    return region


@pytest.mark.parametrize("levels", [2, 5, None])
def test_region_auc_is_scikit_learns(rng, levels):
    region = box()
    map = rng.normal(size=region.shape) + region
    if levels:  # ties
        map = np.floor(map * levels / 3)
    expected = roc_auc_score(region.ravel(), map.ravel())
    assert metrics.region_auc(map, region) == pytest.approx(expected, rel=1e-12)
    assert 0.6 < expected < 0.9
    for monotone in (5 * map - 40, np.exp(map)):
        assert metrics.region_auc(monotone, region) == pytest.approx(expected, rel=1e-12)
    assert metrics.region_auc(-map, region) == pytest.approx(1 - expected)


def test_region_auc_is_the_share_of_pairs_that_are_in_order(rng):
    region = rng.random((6, 7)) < 0.4
    map = rng.integers(0, 4, (6, 7))
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in map[region] for b in map[~region]]
    assert metrics.region_auc(map, region) == pytest.approx(np.mean(wins), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_pointing_is_the_place_of_the_maximum(seed):
    rng = np.random.default_rng(seed)
    region, map = rng.random((9, 11)) < 0.5, rng.normal(size=(9, 11))
    y, x = max(np.ndindex(9, 11), key=lambda at: map[at])
    assert metrics.pointing(map, region) == float(region[y, x])
    assert metrics.pointing(map - 50, region) == float(region[y, x])


def test_equal_maxima_share_the_point():
    map = np.zeros((4, 6))
    map[1, 1] = map[1, 4] = map[3, 0] = map[3, 5] = 2
    region = np.zeros((4, 6), bool)
    region[:, 3:] = True
    region[3, 5] = False
    assert metrics.pointing(map, region) == 0.25
    # A map that says nothing hits by chance.
    assert metrics.pointing(np.full((4, 6), 0.3), region) == pytest.approx(11 / 24)
    assert metrics.region_auc(np.full((4, 6), 0.3), region) == 0.5


def test_a_networks_map_is_resized(rng):
    region, map = box((96, 128)), rng.random((14, 14))
    large = cv2.resize(map, (128, 96), interpolation=cv2.INTER_LINEAR)
    expected = roc_auc_score(region.ravel(), large.ravel())
    assert metrics.region_auc(map, region) == pytest.approx(expected, abs=1e-9)
    assert metrics.pointing(map, region) == region.flat[large.argmax()]


def test_a_soft_region_is_cut_by_otsu(rng):
    region, map = box(), rng.random((24, 32))
    soft = np.uint8(np.where(region, 200, 20))
    for score in (metrics.pointing, metrics.region_auc):
        assert score(map, soft) == score(map, soft / 255) == score(map, region)


@pytest.mark.parametrize("score", [metrics.pointing, metrics.region_auc])
def test_what_is_not_defined(rng, score):
    map = rng.random((5, 5))
    assert np.isnan(score(map, np.zeros((5, 5), bool)))
    assert np.isnan(score(map, np.zeros((5, 5))))
    whole = score(map, np.ones((5, 5), bool))
    assert whole == 1 if score is metrics.pointing else np.isnan(whole)
    with pytest.raises(ValueError, match=r"\(5, 5, 1\)"):
        score(map[..., None], np.ones((5, 5), bool))
    with pytest.raises(ValueError, match="NaN"):
        score(np.full((5, 5), np.nan), np.eye(5) > 0)


def test_a_class_that_finds_its_region_is_told_from_the_others(rng):
    region = box()
    maps = rng.random((24, 32, 4))
    maps[..., 2] += region
    row = metrics.specificity_row(maps, region, 2)
    assert row["pointing"] == 1 and row["region_auc"] > 0.95
    others = [roc_auc_score(region.ravel(), maps[..., c].ravel()) for c in (0, 1, 3)]
    assert row["region_auc_others"] == pytest.approx(np.mean(others))
    hits = [float(region.flat[maps[..., c].argmax()]) for c in (0, 1, 3)]
    assert row["pointing_others"] == pytest.approx(np.mean(hits))
    # The same map for every class is specific to none.
    alike = metrics.specificity_row(np.repeat(maps[..., 2:3], 4, axis=2), region, 0)
    assert alike["region_auc"] == pytest.approx(alike["region_auc_others"])


def test_rows_are_averaged_where_they_are_defined(rng):
    maps = rng.random((24, 32, 3))
    rows = [metrics.specificity_row(maps, region, 1) for region in (box(), ~box(), box() & False)]
    assert rows[2] == dict.fromkeys(rows[2])
    summary = metrics.summarise_specificity(rows)
    assert summary["count"] == 3
    assert summary["region_auc"] == pytest.approx(0.5)  # of a region and of the rest
    assert json.loads(json.dumps(summary)) == summary
    single = metrics.specificity_row(maps[..., :1], box(), 0)
    assert single["region_auc_others"] is None and single["region_auc"] is not None
    assert metrics.summarise_specificity([])["pointing"] is None


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_has_no_map(rng, label):
    with pytest.raises(ValueError, match=rf"\(5, 5, 3\) and label {label}"):
        metrics.specificity_row(rng.random((5, 5, 3)), np.eye(5) > 0, label)
