"""How alike two maps are: CC, SIM, KL and EMD of WSCNet's Table V.

They are the MIT saliency benchmark's (Bylinskii et al., "What do different evaluation metrics tell
us about saliency models?", TPAMI 2019; code: github.com/cvzoya/saliency, code_forMetrics). p is a
predicted map, g the truth: fixations blurred to a continuous map; both are (H, W) of one size.

Each function keeps the benchmark's own normalisation of what it is given. They differ: CC, SIM and
EMD with matched histograms do not see an offset of p, KL and plain EMD do, since they only divide
by the sum. `attention_row` scales p to 0..1 before any of them, and so no offset changes its
scores.

What the definitions leave open:
- A map with negative values is shifted to a minimum of 0 before it becomes a distribution, and
  one without mass is the uniform distribution: it says nothing about where. CC of a constant p is
  0.
- With a constant g there is no truth: NaN.

Whatever takes a map raises ValueError where shapes differ or the map is not two-dimensional, is
empty or holds NaN or infinity.
"""

import numpy as np

from jaxsent.metrics.detection import BINS, min_max

SHRINK = 32  # EMD compares maps of a 32nd of the size
EPSILON = 2.2204e-16  # MATLAB's eps, in the benchmark's own digits
NO_MASS = 1e-9  # of all: what rounding leaves to move between equal maps


def cc(p, g) -> float:
    """(H, W), (H, W) -> Pearson's linear correlation coefficient, in -1..1."""
    p, g = (min_max(map) for map in pair(p, g))
    if not g.any():
        return float("nan")
    if not p.any():
        return 0.0
    p, g = p - p.mean(), g - g.mean()
    return float((p * g).sum() / np.sqrt((p * p).sum() * (g * g).sum()))


def sim(p, g) -> float:
    """(H, W), (H, W) -> sum of min(p, g), in 0..1: the histograms' intersection (similarity.m).

    Both are min-max scaled first, so that mass at every pixel is no gain, and sum to 1.
    """
    p, g = (min_max(map) for map in pair(p, g))
    if not g.any():
        return float("nan")
    return float(np.minimum(distribution(p), distribution(g)).sum())


def kl(p, g) -> float:
    """(H, W), (H, W) -> Kullback-Leibler divergence of p from the truth g, in nats (KLdiv.m).

    sum of g log(eps + g / (p + eps)), both summing to 1. 0 is best; a fixated pixel where p is 0
    costs up to 36, so it punishes what a map misses. An offset of p blurs it towards the uniform
    distribution and changes the score, as in KLdiv.m, which does not min-max scale.
    """
    p, g = pair(p, g)
    if g.min() == g.max():
        return float("nan")
    p, g = distribution(p), distribution(g)
    return float((g * np.log(EPSILON + g / (p + EPSILON))).sum())


def emd(p, g, match_histograms: bool = True) -> float:
    """(H, W), (H, W) -> earth mover's distance, in cells of 32 x 32 pixels; 0 is best.

    As EMD.m of the benchmark: both maps shrink to a 32nd; p's histogram is matched to g's, so that
    only where the mass lies counts and not how peaked p is; both sum to 1; the distance of two
    cells is Euclidean and the transport optimal, exact by POT's network simplex (EMD.m:
    emd_hat_gd_metric_mex with no penalty). `match_histograms=False` leaves the matching out, and
    an offset of p then counts.

    Two steps are done more exactly than in EMD.m. Its histoMatch has 256 bins between 0 and 1 and
    sends p's largest cell to 1 whatever g's largest is, so that g itself scores 0.15 on scenes;
    here the matching is of the cells' ranks (`match_histogram`), and g plus a constant scores 0.
    Its imresize is bicubic and may leave cells below 0; here a cell is a mean.
    """
    p, g = pair(p, g)
    if g.min() == g.max():
        return float("nan")
    p, g = shrink(p), distribution(shrink(g))
    if match_histograms:
        p = match_histogram(p, g)
    return _transport(distribution(p), g)


def match_histogram(map, reference) -> np.ndarray:
    """(h, w), (h, w) -> (h, w): the map's order with the reference's values (exact specification).

    The i-th smallest value becomes the reference's i-th smallest. Equal values, up to rounding,
    remain equal and take the largest of what is theirs, as in scikit-image's match_histograms: a
    constant map remains constant.
    """
    map = np.asarray(map, np.float64)
    order = np.argsort(map, axis=None, kind="stable")
    values = map.ravel()[order]
    rounding = BINS * np.spacing(np.abs(values[[0, -1]]).max())
    group = np.cumsum(np.diff(values, prepend=values[0]) > rounding)
    last = np.cumsum(np.bincount(group)) - 1
    matched = np.empty(map.size)
    matched[order] = np.sort(reference, axis=None)[last[group]]
    return matched.reshape(map.shape)


def distribution(map) -> np.ndarray:
    """(H, W) -> (H, W) float64, not negative, of sum 1; uniform where the map has no mass."""
    map = np.asarray(map, np.float64)
    map = map - min(map.min(), 0)
    total = map.sum()
    return map / total if total > 0 else np.full_like(map, 1 / map.size)


def shrink(map, by: int = SHRINK) -> np.ndarray:
    """(H, W) -> (ceil(H / by), ceil(W / by)) float64: means over equal cells of the map."""
    return _cell_means(_cell_means(np.asarray(map, np.float64), by).T, by).T


def pair(p, g) -> tuple[np.ndarray, np.ndarray]:
    """Two maps -> the same as float64. Raises ValueError unless they are of one shape (H, W)."""
    p, g = np.asarray(p, np.float64), np.asarray(g, np.float64)
    if p.ndim != 2 or p.shape != g.shape or not p.size:
        raise ValueError(
            f"expected two maps of one shape (H, W), found {p.shape} and {g.shape}; "
            "metrics.resize_map brings a map to another's size"
        )
    if not (np.isfinite(p).all() and np.isfinite(g).all()):
        raise ValueError("a map holds NaN or infinity: did the training diverge?")
    return p, g


def _transport(p, g) -> float:
    """Two distributions (h, w) -> the least mean distance that mass travels from one to the other.

    What p and g have in common need not move, since the distance is a metric, so only p's surplus
    travels to p's deficit.
    """
    import ot  # takes a second, which no other metric should wait for

    surplus = p - g
    cells = np.indices(surplus.shape).reshape(2, -1)
    # In the order of their mass, the simplex needs a third less time.
    order = np.argsort(surplus, axis=None, kind="stable")
    cells, surplus = cells[:, order], surplus.ravel()[order]
    supply, demand = surplus[surplus > 0], -surplus[surplus < 0]
    mass = supply.sum()
    if mass <= NO_MASS:
        return 0.0
    source, target = cells[:, surplus > 0], cells[:, surplus < 0]
    distance = np.hypot(*(source[:, :, None] - target[:, None]))
    work = ot.emd2(supply / mass, demand / demand.sum(), distance, numItermax=10_000_000)
    return float(mass * work)


def _cell_means(map, by):
    """(h, w) -> (ceil(h / by), w): means over equal cells of the rows, whose edges cut pixels."""
    length = len(map)
    count = -(-length // by)
    edges = np.linspace(0, length, count + 1)
    first = edges.astype(np.int64)
    whole = np.add.reduceat(map, first[:-1], axis=0)
    cut = (edges - first)[:, None] * map[np.minimum(first, length - 1)]
    return (whole + np.diff(cut, axis=0)) * (count / length)
