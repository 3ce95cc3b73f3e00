"""What a linear probe of photographs learns from embeddings and ratings, in closed form.

Everything is a function of arrays: x (N, n) embeddings, their ratings, and the groups (themes) that
must not stand on both sides of a division.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from jaxsent.training import ridge

POSITIVE, NEGATIVE = 4.5, 3.5
"""Mean valence, 1 to 7, from which and up to which a photograph is clearly so (OASIS's builder)."""
RATING_PENALTIES = (1.0, 3.0, 10.0, 30.0)
STRANGER_PENALTY = 0.3
FAMILIAR = 0.99
"""Share of photographs of unseen themes that the strangeness' threshold takes for familiar."""


def stranger_probe(x: np.ndarray, others: np.ndarray, blocks: Sequence[int]) -> ridge.Linear:
    """(N, n) of photographs, (M, n) of other pictures -> a score that is to be 0 for the former and
    1 for the latter."""
    target = np.concatenate([np.zeros(len(x)), np.ones(len(others))])
    return ridge.linear(np.concatenate([x, others]), target, STRANGER_PENALTY, blocks)


def rating_probe(
    x: np.ndarray, rating: np.ndarray, groups: np.ndarray, blocks: Sequence[int], read: int | None
) -> ridge.Linear:
    """(N, n), (N,) -> the rating, by the first `read` blocks (None: all), with the penalty of the
    least squared error out of fold."""
    width = x.shape[1]
    blocks = blocks[:read]
    x = x[:, : sum(blocks)]
    part = ridge.divided(groups, ridge.INNER, seed=0)
    errors = np.zeros(len(RATING_PENALTIES))
    for fold in range(ridge.INNER):
        inside, outside = part != fold, part == fold
        scale = ridge.scaling(x[inside], blocks)
        fits = ridge.ridge(scale(x[inside]), rating[inside], RATING_PENALTIES)
        for i, (w, b) in enumerate(fits):
            errors[i] += np.square(scale(x[outside]) @ w + b - rating[outside]).sum()
    kernel, bias = ridge.linear(x, rating, RATING_PENALTIES[int(errors.argmin())], blocks)
    return ridge.Linear(np.pad(kernel, (0, width - len(kernel))), bias)


class Unseen(NamedTuple):
    """What photographs get from models that saw none of their themes.

    Attributes:
      logits: (N,) log-odds of positive.
      ratings: (N, R).
      strangeness: (N,).
      others: (M,), that of pictures that are no photographs, by models that did not see them.
    """

    logits: np.ndarray
    ratings: np.ndarray
    strangeness: np.ndarray
    others: np.ndarray


def unseen(
    x: np.ndarray, ratings: np.ndarray, groups: np.ndarray, fold: np.ndarray,
    blocks: Sequence[int], others: np.ndarray, rated: int | None = None,
) -> Unseen:  # fmt: skip
    """Out-of-fold answers; what is fitted or chosen for a fold is so without it.

    Args:
      x: (N, n).
      ratings: (N, R), valence first.
      groups: (N,) names of themes.
      fold: (N,), whole themes in each.
      blocks: sizes of x's parts.
      others: (M, n), of pictures that are no photographs; they are divided in turn.
      rated: how many of the blocks ratings are read of, None for all.
    """
    answers = Unseen(
        np.zeros(len(x)), np.zeros(ratings.shape), np.zeros(len(x)), np.zeros(len(others))
    )
    names = np.unique(fold)
    turn = np.arange(len(others)) % len(names)
    answers.logits[:] = unseen_logits(x, ratings, groups, fold, blocks)
    for place, name in enumerate(names):
        inside, outside = fold != name, fold == name
        for i in range(ratings.shape[1]):
            rating = rating_probe(x[inside], ratings[inside, i], groups[inside], blocks, rated)
            answers.ratings[outside, i] = rating(x[outside])
        strange = stranger_probe(x[inside], others[turn != place], blocks)
        answers.strangeness[outside] = strange(x[outside])
        answers.others[turn == place] = strange(others[turn == place])
    return answers


def unseen_logits(x, ratings, groups, fold, blocks) -> np.ndarray:
    """`unseen`'s log-odds alone, (N,)."""
    logits = np.zeros(len(x))
    for name in np.unique(fold):
        inside, outside = fold != name, fold == name
        logits[outside] = polarity(x, ratings, groups, blocks, inside)(x[outside])
    return logits


def divisions(x, ratings, groups, blocks, folds: int, count: int = 10) -> dict[str, list[float]]:
    """{"accuracy", "auc": [mean, standard deviation]} over `count` divisions of the groups, at
    random, into folds; arguments as of `unseen`."""
    known = clear(ratings[:, 0])
    positive = ratings[known, 0] >= POSITIVE
    scores = []
    for seed in range(1, 1 + count):
        fold = ridge.divided(groups, folds, seed)
        logits = unseen_logits(x, ratings, groups, fold, blocks)[known]
        scores.append((((logits > 0) == positive).mean(), auc(logits, positive)))
    pairs = np.stack([np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)], 1).tolist()
    return dict(zip(("accuracy", "auc"), pairs))


def polarity(x, ratings, groups, blocks, inside=slice(None)) -> ridge.Linear:
    """The polarity probe of the photographs `inside`, see ridge.polarity_probe."""
    valence = ratings[inside, 0]
    return ridge.polarity_probe(
        x[inside], valence, valence >= POSITIVE, clear(valence), groups[inside], blocks
    )


def clear(valence: np.ndarray) -> np.ndarray:
    """(N,) -> bool, clearly positive or negative."""
    return (valence >= POSITIVE) | (valence <= NEGATIVE)


def commoner(positive: np.ndarray) -> float:
    """(M,) bool -> share of the commoner one."""
    return max(positive.mean(), 1 - positive.mean())


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """(M,), (M,) bool -> area under the ROC curve, ties counted half (Mann–Whitney)."""
    count = positive.sum()
    above = rankdata(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


BANDS = np.linspace(0.5, 1, 6)
"""Bounds of the probabilities that the table of calibration goes by."""


def results(
    answers: Unseen, ratings: np.ndarray, groups: np.ndarray, categories: np.ndarray, sure: float
) -> dict:
    """What the model's card tells of its answers for unseen themes.

    Intervals are of 2,000 bootstrap samples of themes, since photographs of one are alike. Keys:
    count, positive, accuracy, auc (each with _interval), majority, nll, ece, coverage and
    sure_accuracy by the threshold `sure`, neutral and neutral_sure (count, and the share of them
    whose answer is sure), valence_r and arousal_r (Pearson, all photographs); bands: of each part
    of BANDS its lower bound, count, mean probability and share right; categories: {name: (count,
    share right, share of the commoner polarity)}; strong: (count, share right) of valence up to 2.5
    or from 5.5.
    """
    from jaxsent.metrics import expected_calibration_error, pearson

    known = clear(ratings[:, 0])
    positive, logits = ratings[known, 0] >= POSITIVE, answers.logits[known]
    chance = 1 / (1 + np.exp(-answers.logits))
    confident = np.maximum(chance, 1 - chance) >= sure
    right = (logits > 0) == positive
    names, places = np.unique(groups[known], return_inverse=True)
    members = [np.flatnonzero(places == i) for i in range(len(names))]
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(2_000):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])
        samples.append((right[rows].mean(), auc(logits[rows], positive[rows])))
    low, high = np.percentile(samples, (2.5, 97.5), axis=0)
    both = np.stack([1 - chance, chance], 1)
    given = np.maximum(chance, 1 - chance)[known]
    band = np.digitize(given, BANDS[1:-1])
    strong = np.abs(ratings[known, 0] - (POSITIVE + NEGATIVE) / 2) >= 1.5
    kinds = {str(name): categories[known] == name for name in np.unique(categories[known])}
    return {
        "count": int(known.sum()),
        "positive": int(positive.sum()),
        "accuracy": float(right.mean()),
        "accuracy_interval": [float(low[0]), float(high[0])],
        "auc": auc(logits, positive),
        "auc_interval": [float(low[1]), float(high[1])],
        "majority": float(commoner(positive)),
        "nll": ridge.likelihood(logits, positive),
        "ece": expected_calibration_error(both[known], positive.astype(int), bins=10),
        "coverage": float(confident[known].mean()),
        "sure_accuracy": float(right[confident[known]].mean()),
        "unsure_accuracy": float(right[~confident[known]].mean()),
        "neutral": int((~known).sum()),
        "neutral_sure": float(confident[~known].mean()),
        "bands": [
            [float(BANDS[i]), int(of.sum()), float(given[of].mean()), float(right[of].mean())]
            for i, of in enumerate(band == i for i in range(len(BANDS) - 1))
            if of.any()
        ],
        "categories": {
            name: [int(of.sum()), float(right[of].mean()), float(commoner(positive[of]))]
            for name, of in kinds.items()
        },
        "strong": [int(strong.sum()), float(right[strong].mean()) if strong.any() else None],
        "valence_r": float(pearson(answers.ratings[:, 0], ratings[:, 0])),
        "arousal_r": float(pearson(answers.ratings[:, 1], ratings[:, 1])),
    }
