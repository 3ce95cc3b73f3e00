"""How often the right class is named: accuracy, recall, confusion, F1, polarity, intervals.

N images, K classes. A label of -1 means that the truth is not known: such an image is left out
of every score and counted in `classification_scores(...)["missing"]`.
"""

import numpy as np
from scipy.special import ndtri

MISSING = -1


def accuracy(predictions, labels) -> float:
    """(N,), (N,) -> share of known labels that are predicted; NaN where none is known."""
    return _mean(correct(predictions, labels))


def correct(predictions, labels) -> np.ndarray:
    """(N,), (N,) -> (M,) bool: right or wrong for each of the M images with a known label."""
    predictions, labels = _known(predictions, labels)
    return predictions == labels


def confusion_matrix(predictions, labels, num_classes: int) -> np.ndarray:
    """(N,), (N,) -> (K, K) int64 counts; rows are the truth, columns the prediction.

    Raises:
      ValueError: a class outside 0..K-1.
    """
    predictions, labels = _known(predictions, labels)
    for name, values in (("labels", labels), ("predictions", predictions)):
        if values.size and not (values.min() >= 0 and values.max() < num_classes):
            raise ValueError(
                f"{name} must lie in 0..{num_classes - 1} (or be {MISSING} for a missing label), "
                f"found {values.min()}..{values.max()}; is num_classes={num_classes} right?"
            )
    counts = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def per_class_recall(confusion) -> np.ndarray:
    """(K, K) counts -> (K,) share of each class's images that are named right; NaN without any."""
    confusion = np.asarray(confusion, np.float64)
    images = confusion.sum(axis=1)
    return np.divide(np.diag(confusion), images, out=np.full_like(images, np.nan), where=images > 0)


def macro_f1(confusion) -> float:
    """(K, K) counts -> unweighted mean over classes of F1 = 2 tp / (2 tp + fp + fn).

    A class that is neither true nor predicted anywhere has no F1 and is left out of the mean, as
    in scikit-learn; one that is true or predicted but never both has F1 = 0.
    """
    confusion = np.asarray(confusion, np.float64)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    return _mean(2 * np.diag(confusion)[total > 0] / total[total > 0])


def macro_f1_interval(confusion, *, level=0.95, resamples=2000, seed=0) -> tuple[float, float]:
    """(K, K) counts -> (low, high), the percentile bootstrap interval of `macro_f1` over images.

    A resample draws as many images as there are from the confusion's cells. NaN, NaN for none.
    """
    confusion = np.asarray(confusion, np.int64)
    count, size = int(confusion.sum()), len(confusion)
    if not count:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, confusion.ravel() / count, size=resamples)
    drawn = drawn.reshape(resamples, size, size)
    scores = [macro_f1(each) for each in drawn]
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def polarity_accuracy(predictions, labels, polarities) -> float:
    """(N,), (N,), (K,) -> share of images whose predicted class has the true class's polarity.

    The polarity is that of the single predicted class: the number tells how many of the named
    emotions are at least on the right side. Summing probabilities by polarity would be another
    classifier. `polarities[k]` is class k's polarity in any code.
    """
    return _mean(correct_polarity(predictions, labels, polarities))


def correct_polarity(predictions, labels, polarities) -> np.ndarray:
    """(N,), (N,), (K,) -> (M,) bool: is the predicted class of the true class's polarity?"""
    predictions, labels = _known(predictions, labels)
    polarities = np.asarray(polarities)
    return polarities[predictions] == polarities[labels]


def wilson_interval(right, count, level=0.95) -> tuple[np.ndarray, np.ndarray]:
    """Numbers right (...) of count (...) -> low, high (...): Wilson's interval of a proportion.

    The proportions whose score test does not reject right / count (Wilson, JASA 1927), without
    continuity correction. It stays within 0..1 and is no point at either end: N right of N give
    [N / (N + z^2), 1], where a bootstrap, whose every resample is all right, gives [1, 1]. NaN
    where count is 0.
    """
    right, count = np.asarray(right, np.float64), np.asarray(count, np.float64)
    z2 = ndtri((1 + level) / 2) ** 2
    variance = np.full(np.broadcast(right, count).shape, np.nan)
    np.divide(right * (count - right), count, out=variance, where=count > 0)
    half = np.sqrt(z2 * (variance + z2 / 4))
    low, high = ((right + z2 / 2 + sign * half) / (count + z2) for sign in (-1, 1))
    # Rounding would leave 1 - 1e-16 where all are right.
    return low, np.where((count > 0) & (right == count), 1, high)


def bootstrap_interval(values, *, level=0.95, resamples=2000, seed=0) -> tuple[float, float]:
    """(N,) per-image values -> (low, high), the percentile bootstrap interval of their mean.

    For what is no proportion, such as MAE; for right or wrong, `wilson_interval`.
    A resample of N images holds each distinct value a multinomial number of times, so right/wrong
    values cost `resamples` draws however many images there are. NaN, NaN for no values.
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        return float("nan"), float("nan")
    distinct, counts = np.unique(values, return_counts=True)
    rng = np.random.default_rng(seed)
    chunk = max(1, 4_000_000 // distinct.size)  # bounds the table of draws at 32 MB
    means = [
        rng.multinomial(values.size, counts / values.size, size=min(chunk, resamples - start))
        @ distinct
        / values.size
        for start in range(0, resamples, chunk)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def classification_scores(probabilities, labels, *, polarities=None, seed=0) -> dict:
    """(N, K) probabilities or logits, (N,) labels -> plain numbers and lists, ready for JSON.

    Keys: count, missing, accuracy, macro_f1, recall (K), confusion (K, K), majority (the share of
    the most frequent class); with `polarities` (K,) also polarity_accuracy. Each of the accuracies,
    macro_f1 and recall has a 95 % interval, [low, high], as <key>_interval: Wilson's, of
    proportions, and for macro_f1 the bootstrap's over images, of `seed`. What is not defined is
    None.

    Raises:
      ValueError: shapes that do not fit, or probabilities that are not finite.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"expected probabilities (N, K) and labels (N,), found {probabilities.shape} "
            f"and {labels.shape}"
        )
    if not np.isfinite(probabilities[labels != MISSING]).all():
        raise ValueError("probabilities hold NaN or infinity: did the training diverge?")
    predictions = probabilities.argmax(axis=1)
    hits = correct(predictions, labels)
    confusion = confusion_matrix(predictions, labels, probabilities.shape[1])
    scores = {
        "count": int(hits.size),
        "missing": int(labels.size - hits.size),
        "accuracy": _number(_mean(hits)),
        "accuracy_interval": _interval(hits),
        "macro_f1": _number(macro_f1(confusion)),
        "macro_f1_interval": [_number(v) for v in macro_f1_interval(confusion, seed=seed)],
        "recall": [_number(v) for v in per_class_recall(confusion)],
        "recall_interval": [
            [_number(v) for v in interval]
            for interval in zip(*wilson_interval(np.diag(confusion), confusion.sum(axis=1)))
        ],
        "confusion": confusion.tolist(),
        "majority": _number(confusion.sum(axis=1).max() / hits.size if hits.size else np.nan),
    }
    if polarities is not None:
        hits = correct_polarity(predictions, labels, polarities)
        scores["polarity_accuracy"] = _number(_mean(hits))
        scores["polarity_accuracy_interval"] = _interval(hits)
    return scores


def _known(predictions, labels):
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.ndim != 1 or predictions.shape != labels.shape:
        raise ValueError(
            f"expected predictions and labels of one shape (N,), found {predictions.shape} "
            f"and {labels.shape}"
        )
    known = labels != MISSING
    return predictions[known].astype(np.int64), labels[known].astype(np.int64)


def _mean(values) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")


def _interval(hits) -> list[float | None]:
    """(M,) bool -> [low, high] of their share."""
    return [_number(v) for v in wilson_interval(hits.sum(), hits.size)]


def _number(value) -> float | None:
    return float(value) if np.isfinite(value) else None
