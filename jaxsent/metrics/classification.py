"""How often the right class is named: accuracy, recall, confusion, F1, polarity, intervals.

N images, K classes. A label of -1 means that the truth is not known: such an image is left out
of every score and counted in `classification_scores(...)["missing"]`.
"""

import numpy as np

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


def bootstrap_interval(values, *, level=0.95, resamples=2000, seed=0) -> tuple[float, float]:
    """(N,) per-image values -> (low, high), the percentile bootstrap interval of their mean.

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

    Keys: count, missing, accuracy, accuracy_interval, macro_f1, recall (K), confusion (K, K),
    majority (the share of the most frequent class); with `polarities` (K,) also
    polarity_accuracy and polarity_accuracy_interval. What is not defined is None.

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
        "accuracy_interval": [_number(v) for v in bootstrap_interval(hits, seed=seed)],
        "macro_f1": _number(macro_f1(confusion)),
        "recall": [_number(v) for v in per_class_recall(confusion)],
        "confusion": confusion.tolist(),
        "majority": _number(confusion.sum(axis=1).max() / hits.size if hits.size else np.nan),
    }
    if polarities is not None:
        hits = correct_polarity(predictions, labels, polarities)
        scores["polarity_accuracy"] = _number(_mean(hits))
        interval = bootstrap_interval(hits, seed=seed)
        scores["polarity_accuracy_interval"] = [_number(v) for v in interval]
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


def _number(value) -> float | None:
    return float(value) if np.isfinite(value) else None
