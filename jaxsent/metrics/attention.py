"""How well a map tells where people look: the six metrics of WSCNet's Table V, of many images.

They are the MIT saliency benchmark's (Bylinskii et al., "What do different evaluation metrics tell
us about saliency models?", TPAMI 2019). The AUCs, here, take the fixations themselves, (H, W)
boolean; CC, SIM, KL and EMD compare with a continuous map (similarity.py).

What the definitions leave open:
- The AUCs of a constant map are those of chance.
- Without a fixation, or with a constant fixation map, there is no truth: NaN. `attention_row` has
  None.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from jaxsent.metrics.detection import min_max, resize_map
from jaxsent.metrics.similarity import cc, emd, kl, pair, sim

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
    hits = np.arange(1, count + 1)
    return float(_area(hits / count, (above - hits) / negatives))


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


def nss(map, fixations) -> float:
    """(H, W), (H, W) bool -> normalised scanpath saliency: the mean at the fixated pixels of the
    map less its mean over its standard deviation (Peters et al., Vision Research 2005).

    0 for a constant map, as chance; NaN without a fixation. Not one of Table V's six.
    """
    map, fixated = _map_and_fixations(map, fixations)
    if not fixated.any():
        return float("nan")
    map = np.asarray(map, np.float64)
    deviation = map.std()
    return float((map[fixated].mean() - map.mean()) / deviation) if deviation else 0.0


def attention_row(map, fixations, fixation_map, rng: np.random.Generator) -> dict:
    """(h, w) map, (H, W) bool, (H, W) -> one image's six scores, for `summarise_attention`.

    The map is resized to (H, W), bilinear, and scaled to 0..1 once for all six, so that none of
    them sees the map's offset or scale, and signed maps are scored as positive ones. KLdiv.m and
    EMD.m have no such step; the maps that they are given are images, whose least value is 0 or
    near it. All are None where nobody looked: no fixation, or a constant fixation map.
    """
    fixation_map = np.asarray(fixation_map)
    map = min_max(resize_map(map, fixation_map.shape))
    row = {
        "auc_judd": auc_judd(map, fixations, rng),
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


def _map_and_fixations(map, fixations):
    fixated = np.asarray(fixations) > 0
    map, _ = pair(map, fixated)
    return map, fixated
