"""Pearson's r and concordance against scipy and loops."""

import numpy as np
import pytest
from scipy import stats

from jaxsent import metrics

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(4, 1.2, 40)
PREDICTED = 0.6 * TRUTH + RNG.normal(1, 0.5, 40)


def lin(p, t):
    """CCC as Lin writes it, 1 − E(p − t)² over what it is for independent ones."""
    n = len(p)
    mean_p, mean_t = sum(p) / n, sum(t) / n
    apart = sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / n
    chance = sum((a - b) ** 2 for a in p for b in t) / n**2
    assert mean_p != mean_t
    return 1 - apart / chance


def test_pearson_and_its_interval_are_scipys():
    theirs = stats.pearsonr(PREDICTED, TRUTH)
    assert metrics.pearson(PREDICTED, TRUTH) == pytest.approx(theirs.statistic)
    expected = theirs.confidence_interval(0.95)
    assert metrics.pearson_interval(PREDICTED, TRUTH) == pytest.approx(tuple(expected))


def test_concordance_is_lins():
    ccc = metrics.concordance(PREDICTED, TRUTH)
    assert ccc == pytest.approx(lin(PREDICTED.tolist(), TRUTH.tolist()))
    assert ccc < metrics.pearson(PREDICTED, TRUTH)
    assert metrics.concordance(TRUTH, TRUTH) == pytest.approx(1)
    assert metrics.pearson(2 * TRUTH + 1, TRUTH) == pytest.approx(1)
    assert metrics.concordance(TRUTH + 1, TRUTH) < 0.95


def test_its_interval_is_a_bootstrap():
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(1500):
        rows = rng.integers(0, 40, 40)
        drawn.append(lin(PREDICTED[rows], TRUTH[rows]))
    expected = np.quantile(drawn, [0.025, 0.975])
    np.testing.assert_allclose(metrics.concordance_interval(PREDICTED, TRUTH), expected, atol=0.025)


def test_scores_leave_unknown_ratings_out():
    truth = TRUTH.copy()
    truth[3] = np.nan
    scores = metrics.regression_scores(PREDICTED, truth)
    rest = np.delete(np.arange(40), 3)
    assert (scores["count"], scores["missing"]) == (39, 1)
    assert scores["ccc"] == pytest.approx(metrics.concordance(PREDICTED[rest], TRUTH[rest]))
    error = PREDICTED[rest] - TRUTH[rest]
    assert scores["mae"] == pytest.approx(np.abs(error).mean())
    assert scores["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert scores["ccc_interval"][0] < scores["ccc"] < scores["ccc_interval"][1]


@pytest.mark.filterwarnings("error")
def test_what_is_not_defined_is_none():
    nothing = metrics.regression_scores(np.ones(3), np.full(3, np.nan))
    assert {v for k, v in nothing.items() if k not in ("count", "missing")
            and not isinstance(v, list)} == {None}  # fmt: skip
    constant = metrics.regression_scores(np.ones(5), np.arange(5.0))
    assert constant["pearson"] is None
    assert constant["ccc"] == 0
    with pytest.raises(ValueError, match="did the training diverge"):
        metrics.regression_scores([np.nan, 1.0], [1.0, 2.0])
