"""Measures of benchmarks/experiment_report.py over resamples of clusters."""

from typing import NamedTuple

import numpy as np

RESAMPLES = 2000


class Scores(NamedTuple):
    """A measure of a row: its mean over seeds, and over each resample of the clusters (R,)."""

    mean: float
    resampled: np.ndarray
    deviation: float  # of the seeds


def cluster_weights(clusters: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """(N,) names -> (R, N) how often each photograph is drawn when its cluster is."""
    names, place = np.unique(clusters, return_inverse=True)
    draws = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=resamples
    )
    return draws[:, place].astype(np.float64)


def accuracy(weights, p, y) -> np.ndarray:
    """(R, N), (N,), (N,) -> (R,) share of the weight that p > ½ puts on the right side."""
    return weights @ ((p > 0.5) == y) / weights.sum(1)


def balanced(weights, p, y) -> np.ndarray:
    """Mean of both classes' recall."""
    right = (p > 0.5) == y
    return sum(weights @ (right & (y == k)) / (weights @ (y == k)) for k in (0, 1)) / 2


def log_loss(weights, p, y) -> np.ndarray:
    """Mean −log p(truth)."""
    return weights @ -np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-7, 1)) / weights.sum(1)


def auc(weights, p, y) -> np.ndarray:
    """Weighted area under the ROC curve: the share of pairs in order, equal ones counting half."""
    order = np.argsort(p, kind="stable")
    p, y, weights = p[order], y[order], weights[:, order]
    below = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights * (y == 0), 1)], 1)
    wins = (below[:, np.searchsorted(p, p, "left")] + below[:, np.searchsorted(p, p, "right")]) / 2
    pairs = (weights @ (y == 1)) * (weights @ (y == 0))
    return (weights * (y == 1) * wins).sum(1) / pairs


MEASURES = {"accuracy": accuracy, "AUC": auc, "balanced": balanced, "log loss": log_loss}


def scores(measure, weights, predictions, y) -> Scores:
    """A measure of (S, N) predictions."""
    whole = np.ones((1, weights.shape[1]))
    each = np.array([measure(whole, p, y)[0] for p in predictions])
    resampled = np.mean([measure(weights, p, y) for p in predictions], 0)
    return Scores(each.mean(), resampled, each.std(ddof=1) if len(each) > 1 else np.nan)


def interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
