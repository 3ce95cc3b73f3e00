"""How well ratings such as valence and arousal are predicted: Pearson's r and concordance.

N images; a rating that is NaN is not known, and such an image is left out and counted.
"""

import numpy as np
from scipy.special import ndtri


def pearson(predicted, truth) -> float:
    """(N,), (N,) -> r, blind to shift and scale; NaN where either is constant or N < 2."""
    p, t = _centred(predicted), _centred(truth)
    scale = np.sqrt((p**2).sum() * (t**2).sum())
    return float((p * t).sum() / scale) if scale > 0 else float("nan")


def concordance(predicted, truth) -> float:
    """(N,), (N,) -> CCC = 2 s_pt / (s_p² + s_t² + (p̄ − t̄)²), moments over N.

    Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 1989: r,
    lowered by a shift or another scale. NaN where both are one and the same constant.
    """
    p, t = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    return float(_concordance(np.array([p, t, p * p, t * t, p * t]).mean(1))) if p.size else np.nan


def pearson_interval(predicted, truth, level=0.95) -> tuple[float, float]:
    """(N,), (N,) -> (low, high) by Fisher's z, of variance 1/(N − 3); NaN, NaN for N < 4."""
    count = np.size(truth)
    if count < 4:
        return float("nan"), float("nan")
    r, half = pearson(predicted, truth), ndtri((1 + level) / 2) / np.sqrt(count - 3)
    if abs(r) >= 1:
        return r, r
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def concordance_interval(
    predicted, truth, *, level=0.95, resamples=2000, seed=0
) -> tuple[float, float]:
    """(N,), (N,) -> (low, high), the percentile bootstrap of CCC over images; NaNs for N < 2."""
    p, t = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if p.size < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    sums = np.array([p, t, p * p, t * t, p * t])
    even = np.full(p.size, 1 / p.size)
    # One resample at a time: a table of all would be resamples × N.
    values = [_concordance(sums @ rng.multinomial(p.size, even) / p.size) for _ in range(resamples)]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def regression_scores(predicted, truth, seed=0) -> dict:
    """(N,), (N,) -> plain numbers, ready for JSON; what is not defined is None.

    Keys: count, missing, pearson, ccc, each with its 95 % interval [low, high] as <key>_interval;
    mae and rmse in the ratings' units.

    Raises:
      ValueError: predictions that are not finite.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    known = np.isfinite(truth)
    p, t = predicted[known], truth[known]
    if not np.isfinite(p).all():
        raise ValueError("predictions hold NaN or infinity: did the training diverge?")
    error = np.abs(p - t)
    return {
        "count": int(known.sum()),
        "missing": int(truth.size - known.sum()),
        "pearson": _number(pearson(p, t)),
        "pearson_interval": [_number(v) for v in pearson_interval(p, t)],
        "ccc": _number(concordance(p, t)),
        "ccc_interval": [_number(v) for v in concordance_interval(p, t, seed=seed)],
        "mae": _number(error.mean()) if t.size else None,
        "rmse": _number(np.sqrt((error**2).mean())) if t.size else None,
    }


def _concordance(moments):
    """Means of p, t, p², t² and p·t -> CCC."""
    p, t, pp, tt, pt = moments
    below = pp - p**2 + tt - t**2 + (p - t) ** 2
    return 2 * (pt - p * t) / below if below > 1e-12 else np.nan


def _centred(values):
    values = np.asarray(values, np.float64)
    return values - values.mean() if values.size else values


def _number(value) -> float | None:
    return float(value) if np.isfinite(value) else None
