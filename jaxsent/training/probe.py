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


def stranger_probe(
    x: np.ndarray, others: np.ndarray, blocks: Sequence[int]
) -> tuple[np.ndarray, float]:
    """(N, n) of photographs, (M, n) of other pictures -> kernel and bias of a score that is to be
    0 for the former and 1 for the latter."""
    target = np.concatenate([np.zeros(len(x)), np.ones(len(others))])
    return ridge.linear(np.concatenate([x, others]), target, STRANGER_PENALTY, blocks)


def rating_probe(
    x: np.ndarray, rating: np.ndarray, groups: np.ndarray, blocks: Sequence[int]
) -> tuple[np.ndarray, float]:
    """(N, n), (N,) -> kernel and bias, with the penalty of the least squared error out of fold."""
    part = ridge.divided(groups, ridge.INNER, seed=0)
    errors = np.zeros(len(RATING_PENALTIES))
    for fold in range(ridge.INNER):
        inside, outside = part != fold, part == fold
        scale = ridge.scaling(x[inside], blocks)
        fits = ridge.ridge(scale(x[inside]), rating[inside], RATING_PENALTIES)
        for i, (w, b) in enumerate(fits):
            errors[i] += np.square(scale(x[outside]) @ w + b - rating[outside]).sum()
    return ridge.linear(x, rating, RATING_PENALTIES[int(errors.argmin())], blocks)


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
    blocks: Sequence[int], others: np.ndarray,
) -> Unseen:  # fmt: skip
    """Out-of-fold answers; each fold's penalty, steepness and calibration are chosen without it.

    Args:
      x: (N, n).
      ratings: (N, R), valence first.
      groups: (N,) names of themes.
      fold: (N,), whole themes in each.
      blocks: sizes of x's parts.
      others: (M, n), of pictures that are no photographs; they are divided in turn.
    """
    answers = Unseen(
        np.zeros(len(x)), np.zeros(ratings.shape), np.zeros(len(x)), np.zeros(len(others))
    )
    names = np.unique(fold)
    turn = np.arange(len(others)) % len(names)
    for place, name in enumerate(names):
        inside, outside = fold != name, fold == name
        answers.logits[outside] = polarity(x, ratings, groups, blocks, inside)(x[outside])
        for i in range(ratings.shape[1]):
            w, b = rating_probe(x[inside], ratings[inside, i], groups[inside], blocks)
            answers.ratings[outside, i] = x[outside] @ w + b
        w, b = stranger_probe(x[inside], others[turn != place], blocks)
        answers.strangeness[outside] = x[outside] @ w + b
        answers.others[turn == place] = others[turn == place] @ w + b
    return answers


def polarity(x, ratings, groups, blocks, inside=slice(None)) -> ridge.Linear:
    """The polarity probe of the photographs `inside`, see ridge.polarity_probe."""
    valence = ratings[inside, 0]
    return ridge.polarity_probe(
        x[inside], valence, valence >= POSITIVE, clear(valence), groups[inside], blocks
    )


def clear(valence: np.ndarray) -> np.ndarray:
    """(N,) -> bool, clearly positive or negative."""
    return (valence >= POSITIVE) | (valence <= NEGATIVE)


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """(M,), (M,) bool -> area under the ROC curve, ties counted half (Mann–Whitney)."""
    count = positive.sum()
    above = rankdata(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def results(answers: Unseen, ratings: np.ndarray, groups: np.ndarray, sure: float) -> dict:
    """What the model's card tells of its answers for unseen themes.

    Intervals are of 2,000 bootstrap samples of themes, since photographs of one are alike. Keys:
    count, positive, accuracy, auc (each with _interval), majority, nll, ece, coverage and
    sure_accuracy by the threshold `sure`, neutral and neutral_sure (count, and the share of them
    whose answer is sure), valence_r and arousal_r (Pearson, all photographs).
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
    return {
        "count": int(known.sum()),
        "positive": int(positive.sum()),
        "accuracy": float(right.mean()),
        "accuracy_interval": [float(low[0]), float(high[0])],
        "auc": auc(logits, positive),
        "auc_interval": [float(low[1]), float(high[1])],
        "majority": float(max(positive.mean(), 1 - positive.mean())),
        "nll": ridge.likelihood(logits, positive),
        "ece": expected_calibration_error(both[known], positive.astype(int), bins=10),
        "coverage": float(confident[known].mean()),
        "sure_accuracy": float(right[confident[known]].mean()),
        "unsure_accuracy": float(right[~confident[known]].mean()),
        "neutral": int((~known).sum()),
        "neutral_sure": float(confident[~known].mean()),
        "valence_r": float(pearson(answers.ratings[:, 0], ratings[:, 0])),
        "arousal_r": float(pearson(answers.ratings[:, 1], ratings[:, 1])),
    }
