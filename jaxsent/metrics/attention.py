"""How well a map tells where people look: the six metrics of WSCNet's Table V.

They are the MIT saliency benchmark's (Bylinskii et al., "What do different evaluation metrics tell
us about saliency models?", TPAMI 2019). p is a predicted map, g the truth: fixations blurred to a
continuous map; both are (H, W) of any range and of one size. The AUCs take the fixations
themselves, (H, W) boolean.

What the definitions leave open:
- A map with negative values is shifted to a minimum of 0 before it becomes a distribution, and
  one without mass is the uniform distribution: it says nothing about where. CC of a constant p is
  0, the AUCs of a constant map are those of chance.
- Without a fixation, or with a constant g, there is no truth: NaN. `attention_row` has None.

Whatever takes a map raises ValueError where shapes differ or the map is not two-dimensional, is
empty or holds NaN or infinity.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from jaxsent.metrics.detection import min_max, resize_map

HIGHER_IS_BETTER = {
    "auc_judd": True,
    "auc_borji": True,
    "cc": True,
    "sim": True,
    "emd": False,
    "kl": False,
}
"""The metrics in the order of Table V, and whether a larger value is better."""

JITTER = 1e7  # Judd's: ties are broken by noise below 1e-7
SPLITS = 100
STEPS = 10
SHRINK = 32  # EMD compares maps of a 32nd of the size
EPSILON = 2.2204e-16  # MATLAB's eps, in the benchmark's own digits


def auc_judd(map, fixations, rng: np.random.Generator) -> float:
    """(H, W), (H, W) bool -> area under the ROC curve that has a threshold at each fixation.

    Fixated pixels are the positives and all others the negatives (Judd et al., ICCV 2009). Noise
    of up to 1e-7 breaks ties, so a map in about 0..1 is expected: `min_max` a map of tiny values.
    NaN where no pixel or every pixel is fixated.
    """
    map, fixated = _map_and_fixations(map, fixations)
    count, negatives = int(fixated.sum()), int((~fixated).sum())
    if not count or not negatives:
        return float("nan")
    map = map + rng.random(map.shape) / JITTER
    # How many thresholds each pixel reaches; sorting the pixels instead takes twice the time.
    reached = np.searchsorted(np.sort(map[fixated]), map.ravel(), side="right")
    above = np.cumsum(np.bincount(reached, minlength=count + 1)[:0:-1])
    found = np.arange(1, count + 1)
    return float(_area(found / count, (above - found) / negatives))


def auc_borji(map, fixations, rng: np.random.Generator) -> float:
    """(H, W), (H, W) bool -> mean area under 100 ROC curves against random pixels.

    In each of 100 splits the negatives are as many pixels as are fixated, drawn from the whole map
    with replacement; thresholds are 0, 0.1, ..., 1 of the min-max scaled map (Borji et al., TIP
    2013). NaN without a fixation.
    """
    map, fixated = _map_and_fixations(map, fixations)
    count = int(fixated.sum())
    if not count:
        return float("nan")
    map = min_max(map)
    random = map.ravel()[rng.integers(map.size, size=(count, SPLITS))]
    # k / 10 is the double nearest to the decimal, which the values of 8-bit maps hit exactly.
    thresholds = np.arange(STEPS, -1, -1) / STEPS
    true = np.array([(map[fixated] >= t).mean() for t in thresholds])
    false = np.array([(random >= t).mean(axis=0) for t in thresholds])
    return float(_area(true, false).mean())


def cc(p, g) -> float:
    """(H, W), (H, W) -> Pearson's linear correlation coefficient, in -1..1."""
    p, g = (min_max(map) for map in _pair(p, g))
    if not g.any():
        return float("nan")
    if not p.any():
        return 0.0
    p, g = p - p.mean(), g - g.mean()
    return float((p * g).sum() / np.sqrt((p * p).sum() * (g * g).sum()))


def sim(p, g) -> float:
    """(H, W), (H, W) -> sum of min(p, g), in 0..1: the histograms' intersection.

    Both are min-max scaled first, so that mass at every pixel is no gain, and sum to 1.
    """
    p, g = (min_max(map) for map in _pair(p, g))
    if not g.any():
        return float("nan")
    return float(np.minimum(distribution(p), distribution(g)).sum())


def kl(p, g) -> float:
    """(H, W), (H, W) -> Kullback-Leibler divergence of p from the truth g, in nats.

    sum of g log(eps + g / (p + eps)), both summing to 1. 0 is best; a fixated pixel where p is 0
    costs up to 36, so it punishes what a map misses.
    """
    p, g = _pair(p, g)
    if g.min() == g.max():
        return float("nan")
    p, g = distribution(p), distribution(g)
    return float((g * np.log(EPSILON + g / (p + EPSILON))).sum())


def emd(p, g) -> float:
    """(H, W), (H, W) -> earth mover's distance, in cells of 32 x 32 pixels; 0 is best.

    Both maps are averaged over the cells and sum to 1; the distance of two cells is Euclidean, and
    the transport optimal (exact, by POT's network simplex). What p and g have in common need not
    move, since the distance is a metric, so only p's surplus travels to p's deficit.
    """
    import ot  # takes a second, which no other metric should wait for

    p, g = _pair(p, g)
    if g.min() == g.max():
        return float("nan")
    surplus = distribution(shrink(p)) - distribution(shrink(g))
    cells = np.indices(surplus.shape).reshape(2, -1)
    # In the order of their mass, the simplex needs a third less time.
    order = np.argsort(surplus, axis=None, kind="stable")
    cells, surplus = cells[:, order], surplus.ravel()[order]
    supply, demand = surplus[surplus > 0], -surplus[surplus < 0]
    mass = supply.sum()
    if mass <= EPSILON * surplus.size:
        return 0.0
    source, target = cells[:, surplus > 0], cells[:, surplus < 0]
    distance = np.hypot(*(source[:, :, None] - target[:, None]))
    work = ot.emd2(supply / mass, demand / demand.sum(), distance, numItermax=10_000_000)
    return float(mass * work)


def distribution(map) -> np.ndarray:
    """(H, W) -> (H, W) float64, not negative, of sum 1; uniform where the map has no mass."""
    map = np.asarray(map, np.float64)
    map = map - min(map.min(), 0)
    total = map.sum()
    return map / total if total > 0 else np.full_like(map, 1 / map.size)


def shrink(map, by: int = SHRINK) -> np.ndarray:
    """(H, W) -> (ceil(H / by), ceil(W / by)) float64: means over equal cells of the map."""
    return _cell_means(_cell_means(np.asarray(map, np.float64), by).T, by).T


def attention_row(map, fixations, fixation_map, rng: np.random.Generator) -> dict:
    """(h, w) map, (H, W) bool, (H, W) -> one image's six scores, for `summarise_attention`.

    The map is resized to (H, W), bilinear; for AUC-Judd it is also scaled to 0..1. All are None
    where nobody looked: no fixation, or a constant fixation map.
    """
    fixation_map = np.asarray(fixation_map)
    map = resize_map(map, fixation_map.shape)
    row = {
        "auc_judd": auc_judd(min_max(map), fixations, rng),
        "auc_borji": auc_borji(map, fixations, rng),
        "cc": cc(map, fixation_map),
        "sim": sim(map, fixation_map),
        "emd": emd(map, fixation_map),
        "kl": kl(map, fixation_map),
    }
    return row if np.isfinite(list(row.values())).all() else dict.fromkeys(row)


def summarise_attention(rows: Iterable[dict]) -> dict:
    """Rows of `attention_row` -> the mean of each metric, count and no_fixation.

    The `no_fixation` images among the `count` are left out of every mean; None where none remains.
    """
    rows = list(rows)
    scored = [row for row in rows if row["cc"] is not None]
    means = {
        name: float(np.mean([row[name] for row in scored])) if scored else None
        for name in HIGHER_IS_BETTER
    }
    return {**means, "count": len(rows), "no_fixation": len(rows) - len(scored)}


def attention_scores(maps: Iterable, fixations: Iterable, fixation_maps: Iterable, rng) -> dict:
    """N maps (h, w), N fixations (H, W) bool, N fixation maps (H, W) -> `summarise_attention`."""
    triples = zip(maps, fixations, fixation_maps, strict=True)
    return summarise_attention(attention_row(*triple, rng) for triple in triples)


def attention_ranks(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """{method: {metric: value}} -> {method: {metric: rank}}, 1 for the best, as in Table V.

    Methods of equal value share the mean of their ranks. Values may include more than the metrics;
    a metric's ranks are defined where all methods have a value.
    """
    ranks = {method: {} for method in scores}
    for metric, higher in HIGHER_IS_BETTER.items():
        values = np.array([row[metric] for row in scores.values()], np.float64)
        values = -values if higher else values
        for method, value in zip(scores, values, strict=True):
            better, equal = (values < value).sum(), (values == value).sum()
            ranks[method][metric] = float(better + (equal + 1) / 2)
    return ranks


def average_rank(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """{method: {metric: value}} -> {method: mean rank over the six metrics}: Table V's AVG."""
    ranks = attention_ranks(scores)
    return {method: float(np.mean(list(row.values()))) for method, row in ranks.items()}


def _area(true, false):
    """Rates at falling thresholds, (T,), (T, ...) -> (...) area under (0, 0), curve, (1, 1)."""
    true, false = (
        np.concatenate([np.zeros_like(rate[:1]), rate, np.ones_like(rate[:1])])
        for rate in (true, false)
    )
    return (true[1:] + true[:-1]) / 2 @ np.diff(false, axis=0)


def _cell_means(map, by):
    """(h, w) -> (ceil(h / by), w): means over equal cells of the rows, whose edges cut pixels."""
    length = len(map)
    count = -(-length // by)
    edges = np.linspace(0, length, count + 1)
    first = edges.astype(np.int64)
    whole = np.add.reduceat(map, first[:-1], axis=0)
    cut = (edges - first)[:, None] * map[np.minimum(first, length - 1)]
    return (whole + np.diff(cut, axis=0)) * (count / length)


def _pair(p, g):
    p, g = np.asarray(p, np.float64), np.asarray(g, np.float64)
    if p.ndim != 2 or p.shape != g.shape or not p.size:
        raise ValueError(
            f"expected two maps of one shape (H, W), found {p.shape} and {g.shape}; "
            "metrics.resize_map brings a map to another's size"
        )
    if not (np.isfinite(p).all() and np.isfinite(g).all()):
        raise ValueError("a map holds NaN or infinity: did the training diverge?")
    return p, g


def _map_and_fixations(map, fixations):
    fixated = np.asarray(fixations) > 0
    map, _ = _pair(map, fixated)
    return map, fixated
