"""How well a sentiment map finds the region that evokes the emotion (WSCNet, IV-B3 and Fig. 12).

Maps are (h, w) of any range; truths are (H, W), soft, in 0..1 (integer images are divided by
their type's largest value). Nothing here keeps maps: `detection_row` scores one image and
`summarise_detection` averages the rows, so a data set of any size streams through. Whatever takes
a map raises ValueError where it is not two-dimensional, is empty or holds NaN or infinity.
"""

from collections.abc import Iterable

import numpy as np

BINS = 256
ORDERS = ("recall first", "inclusion first")
CASES = ("correct", "hypothesis_inside", "truth_inside", "overlap", "disjoint")


def otsu(map) -> float:
    """(h, w) -> the threshold between the two classes of values that differ most (Otsu, 1979).

    Values above it are foreground. 256 bins between the map's smallest and largest value, the
    threshold at a bin's centre, as in scikit-image. A constant map returns its value, so that
    nothing lies above it.
    """
    values = _finite(map).ravel()
    if _constant(values):
        return float(values.max())
    counts, edges = np.histogram(values, BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    total = np.cumsum(counts * centres)
    gap = total[:-1] / below - (total[-1] - total[:-1]) / above
    # int64 below * above would overflow only beyond 10**9 pixels, but float is as good.
    return float(centres[np.argmax(below.astype(np.float64) * above * gap**2)])


def resize_map(map, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) -> (H, W) float64, bilinear between half-pixel centres, edges held.

    OpenCV's INTER_LINEAR and PyTorch's align_corners=False; no smoothing when shrinking.
    """
    return _lerp(_lerp(_finite(map), shape[0]).T, shape[1]).T


def min_max(map) -> np.ndarray:
    """(h, w) -> (h, w) float64 scaled to 0..1; a constant map becomes all zeros."""
    map = _finite(map)
    low, high = map.min(), map.max()
    return np.zeros_like(map) if _constant(map) else (map - low) / (high - low)


def binarise(map) -> np.ndarray:
    """(h, w) -> (h, w) bool, the pixels above Otsu's threshold; none of a constant map."""
    map = _finite(map)
    return map > otsu(map)


def detection_row(map, truth, cases: str = "recall first") -> dict:
    """(h, w) map, (H, W) truth -> one image's scores, to be averaged by `summarise_detection`.

    mae, mae_binary: mean absolute difference of the map, resized and scaled to 0..1, and of its
    binarised form, to the soft truth. precision, recall: of the binarised map b against the
    binarised truth g; an empty b has both 0. case: one of CASES, by the order `cases` of ORDERS.
    Where g is empty the last three are None: there is nothing to find.

    Raises:
      ValueError: a truth of floats outside 0..1, or an order that there is not.
    """
    if cases not in ORDERS:
        raise ValueError(f"cases={cases!r}: expected one of {', '.join(ORDERS)}")
    truth = _unit(truth)
    scaled = min_max(resize_map(map, truth.shape))
    binary, region = binarise(scaled), binarise(truth)
    row = {
        "mae": float(np.abs(scaled - truth).mean()),
        "mae_binary": float(np.abs(binary - truth).mean()),
        "precision": None,
        "recall": None,
        "case": None,
    }
    if region.any():
        both = int((binary & region).sum())
        row["precision"] = both / max(1, int(binary.sum()))
        row["recall"] = both / int(region.sum())
        row["case"] = _case(int(binary.sum()), int(region.sum()), both, cases)
    return row


def _case(size: int, region: int, both: int, cases: str) -> str:
    """Pixel counts of b, g and b ∩ g -> the first that holds, in the order `cases`.

    1. correct: recall over a half;  2. hypothesis_inside: b lies in g;  3. truth_inside: g lies in
    b;  4. overlap: anything in common;  5. disjoint. This is "recall first", the order in which the
    paper lists them. By it `truth_inside` never occurs, since a b that holds all of g has recall 1;
    "inclusion first" asks 2 and 3 before 1, so that correct is a recall over a half of a b that
    neither holds g nor lies in it, or is g. An empty b is disjoint.
    """
    if both == 0:
        return "disjoint"
    if size == region == both:
        return "correct"
    inclusion = {size: "hypothesis_inside", region: "truth_inside"}.get(both)
    if inclusion and cases == "inclusion first":
        return inclusion
    if both > region / 2:
        return "correct"
    return inclusion or "overlap"


def summarise_detection(rows: Iterable[dict]) -> dict:
    """Rows of `detection_row` -> means over images, and F = 2 R P / (R + P) from the means.

    MAE is over all `count` images; precision, recall and the cases' shares leave out the
    `empty_truths` images whose truth holds no region. What has no image is None.
    """
    rows = list(rows)
    scored = [row for row in rows if row["case"] is not None]
    precision, recall = _mean(scored, "precision"), _mean(scored, "recall")
    f = None
    if scored:
        f = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    return {
        "mae": _mean(rows, "mae"),
        "mae_binary": _mean(rows, "mae_binary"),
        "precision": precision,
        "recall": recall,
        "f": f,
        "count": len(rows),
        "empty_truths": len(rows) - len(scored),
        **{case: _share(scored, case) for case in CASES},
    }


def cases_by_class(rows: Iterable[dict], labels, num_classes: int) -> list[dict | None]:
    """Rows and their labels (N,) -> for each class the share of every case (Fig. 12).

    None for a class without an image that holds a region.
    """
    groups = [[] for _ in range(num_classes)]
    for row, label in zip(rows, labels, strict=True):
        if row["case"] is not None and label >= 0:
            groups[label].append(row)
    return [{case: _share(g, case) for case in CASES} if g else None for g in groups]


def mean_cases(by_class: Iterable[dict | None]) -> dict | None:
    """`cases_by_class` -> each case's share averaged over the classes that have one (Fig. 12)."""
    groups = [shares for shares in by_class if shares]
    return {case: float(np.mean([g[case] for g in groups])) for case in CASES} if groups else None


def detection_scores(maps: Iterable, truths: Iterable) -> dict:
    """N maps (h, w), N truths (H, W), of any sizes -> `summarise_detection` of their rows."""
    return summarise_detection(detection_row(m, t) for m, t in zip(maps, truths, strict=True))


def centre_box(shape: tuple[int, int]) -> np.ndarray:
    """(H, W) float64: 1 in the centre box of half the image's area and its aspect ratio.

    The paper's baseline "crop half of the image from the center", read as half of the area.
    """
    box = np.zeros(shape)
    top, left = (round(n * (1 - 1 / np.sqrt(2)) / 2) for n in shape)
    box[top : shape[0] - top, left : shape[1] - left] = 1
    return box


def random_map(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W) float64, each pixel uniform in 0..1: the paper's random baseline."""
    return rng.random(shape)


def _lerp(map, length):
    """(h, w) -> (length, w). a + t (b - a), so that equal neighbours stay equal to the last bit."""
    size = map.shape[0]
    at = np.clip((np.arange(length) + 0.5) * (size / length) - 0.5, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    return map[low] + (at - low)[:, None] * (map[high] - map[low])


def _finite(map):
    map = np.asarray(map, np.float64)
    if map.ndim != 2 or not map.size:
        raise ValueError(f"expected a map (h, w) with at least one pixel, found shape {map.shape}")
    if not np.isfinite(map).all():
        raise ValueError("the map holds NaN or infinity: did the training diverge?")
    return map


def _constant(values) -> bool:
    """Is the range too narrow for BINS distinct numbers? Such a map says nothing."""
    low, high = values.min(), values.max()
    return bool(high - low <= BINS * np.spacing(max(abs(low), abs(high))))


def _unit(truth):
    truth = np.asarray(truth)
    if np.issubdtype(truth.dtype, np.integer):
        return _finite(truth) / np.iinfo(truth.dtype).max
    truth = _finite(truth)
    if truth.min() < 0 or truth.max() > 1:
        raise ValueError(
            f"a truth of floats must lie in 0..1, found {truth.min():g}..{truth.max():g}; "
            "give integer images in their own type (uint8, uint16)"
        )
    return truth


def _mean(rows, key):
    return float(np.mean([row[key] for row in rows])) if rows else None


def _share(rows, case):
    return sum(row["case"] == case for row in rows) / len(rows) if rows else None
