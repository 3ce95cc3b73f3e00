"""Ridge regression of ratings on embeddings, and how its scores become probabilities.

N images, n numbers each, in G groups (themes): images of one group never stand on both sides of a
division. All arithmetic is float64 and in the kernel's form, as N is smaller than n.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

PENALTIES = (0.3, 1.0, 3.0)
STEEPNESS = (0.5, 1.0, 2.0)
INNER = 5  # divisions of the training groups by which scores are calibrated


class Scaling(NamedTuple):
    """(x − mean)/√var · weight, the weights of a block of numbers being 1/√(its size)."""

    mean: np.ndarray
    var: np.ndarray
    weight: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean) / np.sqrt(self.var) * self.weight


class Linear(NamedTuple):
    """score = x·kernel + bias, of embeddings as the network gives them.

    Attributes:
      kernel: (n,).
      bias: a number.
    """

    kernel: np.ndarray
    bias: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.kernel + self.bias


def scaling(x: np.ndarray, blocks: Sequence[int]) -> Scaling:
    """(N, n), sizes of the blocks -> their scale, in which each has the same sum of variances."""
    weight = np.concatenate([np.full(size, (size * len(blocks)) ** -0.5) for size in blocks])
    return Scaling(x.mean(0), x.var(0) + 1e-6, weight)


def saturated(valence: np.ndarray, steepness: float, middle: float = 4.0) -> np.ndarray:
    """Ratings -> tanh(a(v − middle))/a: the valence itself for small a, its sign for large a.

    What is very positive need not be told from what is clearly so, and neutral images teach too.
    """
    return np.tanh(steepness * (valence - middle)) / steepness


def ridge(x: np.ndarray, target: np.ndarray, penalties: Sequence[float]) -> list[tuple]:
    """(N, n), (N,) -> for each penalty λ (kernel (n,), bias) that minimises, over w and b,
    Σ (x·w + b − target)² + λ|w|²; x is centred first, so that b is not punished."""
    mean, middle = x.mean(0), target.mean()
    centred = x - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values = np.maximum(values, 0)
    turned = vectors.T @ (target - middle)
    kernels = [centred.T @ (vectors @ (turned / (values + p))) for p in penalties]
    return [(kernel, middle - mean @ kernel) for kernel in kernels]


def divided(groups: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """(N,) names of groups -> (N,) the part, 0 to parts − 1, that an image's group fell into."""
    names, places = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % parts)[places]


def logistic(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """(M,) scores, (M,) bool -> (a, b): σ(a·score + b) is the likeliest chance of positive (Platt,
    1999, without his prior)."""
    sign = np.where(positive, 1.0, -1.0)
    spread = scores.std() or 1.0

    def loss(ab):
        return np.logaddexp(0, -sign * (ab[0] * scores / spread + ab[1])).mean()

    a, b = minimize(loss, [1.0, 0.0], method="BFGS").x
    return a / spread, b


def likelihood(logits: np.ndarray, positive: np.ndarray) -> float:
    """(M,) log-odds, (M,) bool -> mean negative log-likelihood in nats."""
    return float(np.logaddexp(0, np.where(positive, -1.0, 1.0) * logits).mean())


def averaged(x: np.ndarray, valence: np.ndarray, blocks: Sequence[int]) -> Linear:
    """(N, n) embeddings, (N,) valence -> the mean of the regressions of all PENALTIES and
    STEEPNESS, each in deviations of its target.

    To choose one of them by the few images at hand follows their noise; the mean of linear scores
    is a linear score (docs/photographs.md has both).
    """
    scale = scaling(x, blocks)
    fits = []
    for steepness in STEEPNESS:
        target = saturated(valence, steepness)
        spread = target.std() or 1.0
        fits += [(w / spread, b / spread) for w, b in ridge(scale(x), target, PENALTIES)]
    w, b = (sum(parts) / len(fits) for parts in zip(*fits))
    return unscaled(w, b, scale)


def polarity_probe(
    x: np.ndarray, valence: np.ndarray, positive: np.ndarray, clear: np.ndarray,
    groups: np.ndarray, blocks: Sequence[int],
) -> Linear:  # fmt: skip
    """The log-odds of positive: `averaged` of all these images, calibrated within them.

    The scale and the offset that turn scores to log-odds (`logistic`) are fitted to the clearly
    valenced images, each scored by a regression without its group, in INNER folds.

    Args:
      x: (N, n) embeddings.
      valence: (N,) mean ratings.
      positive, clear: (N,) bool, whether positive, and whether positive or negative at all.
      groups: (N,) names.
      blocks: sizes of x's parts.
    """
    part = divided(groups, INNER, seed=0)
    scores = np.zeros(len(x))
    for fold in range(INNER):
        inside, outside = part != fold, part == fold
        scores[outside] = averaged(x[inside], valence[inside], blocks)(x[outside])
    a, b = logistic(scores[clear], positive[clear])
    kernel, bias = averaged(x, valence, blocks)
    return Linear(a * kernel, a * bias + b)


def unscaled(w: np.ndarray, b: float, scale: Scaling) -> Linear:
    """Kernel and bias for scaled embeddings -> for those that the network gives."""
    kernel = w * scale.weight / np.sqrt(scale.var)
    return Linear(kernel, float(b - scale.mean @ kernel))


def linear(x: np.ndarray, target: np.ndarray, penalty: float, blocks: Sequence[int]) -> Linear:
    """(N, n), (N,) -> `ridge` of scaled embeddings, for unscaled ones."""
    scale = scaling(x, blocks)
    ((w, b),) = ridge(scale(x), target, (penalty,))
    return unscaled(w, b, scale)
