"""Whether a network is right as often as it claims (Guo et al., ICML 2017).

N images, K classes; the confidence of an image is its largest probability. A label of -1 means
that the truth is not known: such an image is left out.
"""

import numpy as np

from jaxsent.metrics.classification import MISSING

BINS = 15  # Guo et al.'s


def reliability(probabilities, labels, bins: int = BINS) -> dict[str, np.ndarray]:
    """(N, K) probabilities, (N,) labels -> the reliability diagram's data, M = `bins` of each.

    Keys: edges (M + 1,); count (M,) int64; confidence and accuracy (M,), the means over the images
    in each bin, NaN in an empty one. Bins are of equal width and hold their upper edge:
    ((m - 1) / M, m / M].

    Raises:
      ValueError: shapes that do not fit, or probabilities outside 0..1.
    """
    confidence, correct = _claims(probabilities, labels)
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    count = np.bincount(place, minlength=bins)

    def mean(values):
        total = np.bincount(place, values, minlength=bins)
        return np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)

    return {
        "edges": edges,
        "count": count,
        "confidence": mean(confidence),
        "accuracy": mean(correct),
    }


def expected_calibration_error(probabilities, labels, bins: int = BINS) -> float:
    """(N, K), (N,) -> mean |accuracy - confidence| over images, by bin (equation 3).

    In 0..1, 0 for a network that is right as often as it claims; NaN where no label is known.
    """
    diagram = reliability(probabilities, labels, bins)
    filled = diagram["count"] > 0
    if not filled.any():
        return float("nan")
    gap = np.abs(diagram["accuracy"] - diagram["confidence"])[filled]
    return float(np.average(gap, weights=diagram["count"][filled]))


def _claims(probabilities, labels):
    """-> confidence (M,) float64 and whether it was right (M,), of images with a known label."""
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"expected probabilities (N, K) and labels (N,), found {probabilities.shape} "
            f"and {labels.shape}"
        )
    known = labels != MISSING
    probabilities, labels = probabilities[known], labels[known]
    # The slack is a float32 softmax's rounding; NaN fails both comparisons.
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-5)).all():
        raise ValueError(
            "expected probabilities in 0..1, found values outside or NaN; apply a softmax to logits"
        )
    confidence = np.minimum(probabilities.max(axis=1, initial=0), 1)
    return confidence, probabilities.argmax(axis=1) == labels
