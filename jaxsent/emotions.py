"""Label spaces, polarity, Mikels' wheel and the sentiment graph (WSIDNet, section 3.2).

Everything here is a small NumPy constant of the method: nothing is learned.
"""

import numpy as np

from jaxsent.errors import UserError

MIKELS = (
    "amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness",
)  # fmt: skip
"""Mikels' eight emotions in the order of labels everywhere in this project."""

EMOTIONROI = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
"""EmotionROI's six classes, its own order."""

POLARITY = ("negative", "positive")

POSITIVE = frozenset(
    {"amusement", "awe", "contentment", "excitement", "joy", "surprise", "positive"}
)

KNOWN = frozenset({*MIKELS, *EMOTIONROI, *POLARITY})
"""Classes whose polarity is known."""

WHEEL = ("fear", "excitement", "awe", "contentment", "amusement", "anger", "disgust", "sadness")
"""Mikels' wheel in cyclic order; three independent public codes agree (method.md)."""

EMOTIONROI_WHEEL = ("fear", "surprise", "joy", "anger", "disgust", "sadness")
"""Our construction: no paper gives a wheel for EmotionROI's six classes."""

EDGES = ("cross", "same", "none")
SELF_LOOPS = ("distance", "identity")


def polarity(classes) -> np.ndarray:
    """Names of C classes -> (C,) int32, 1 where the emotion is positive and 0 where negative."""
    return np.array([name in POSITIVE for name in classes], np.int32)


def wheel_steps(classes=MIKELS, wheel=WHEEL) -> np.ndarray:
    """(C, C) int32: steps between two emotions, the shorter way round the wheel.

    Raises:
      ValueError: a class is not on the wheel.
    """
    missing = sorted(set(classes) - set(wheel))
    if missing:
        raise ValueError(f"{', '.join(missing)} not on the wheel of {', '.join(wheel)}.")
    place = np.array([wheel.index(name) for name in classes])
    clockwise = np.abs(place[:, None] - place[None, :])
    return np.minimum(clockwise, len(wheel) - clockwise).astype(np.int32)


def mikels_distance(classes=MIKELS, wheel=WHEEL) -> np.ndarray:
    """(C, C) int32: dis_ij = 1 + steps, so that dis_ii = 1."""
    return 1 + wheel_steps(classes, wheel)


def sentiment_graph(
    edges: str = "cross", self_loops: str = "distance", classes=MIKELS, wheel=WHEEL
) -> np.ndarray:
    """(C, C) float32 adjacency A of the sentiment graph (WSIDNet Eq. 3).

    A_ij = 1/dis_ij, plus 1 where the polarities differ (``edges="cross"``, the equation read
    literally), where they are equal (``"same"``) or nowhere (``"none"``). With
    ``self_loops="distance"`` the diagonal is an entry like the others: dis_ii = 1, and under
    ``"same"`` an emotion's own polarity counts as equal, which makes it 2. ``"identity"`` takes
    steps for the distance of two emotions, and a diagonal of 1 whatever the edges.

    Raises:
      ValueError: an option that does not exist.
    """
    if edges not in EDGES or self_loops not in SELF_LOOPS:
        raise ValueError(
            f"edges={edges!r}, self_loops={self_loops!r}: "
            f"expected edges of {EDGES} and self_loops of {SELF_LOOPS}."
        )
    steps = wheel_steps(classes, wheel)
    signs = polarity(classes)
    differs = signs[:, None] != signs[None, :]
    bonus = {"cross": differs, "same": ~differs, "none": np.zeros_like(differs)}[edges]
    if self_loops == "distance":
        return (1 / (1 + steps) + bonus).astype(np.float32)
    itself = steps == 0
    apart = np.where(itself, 1, steps)  # no division by 0
    return np.where(itself, 1, 1 / apart + bonus).astype(np.float32)


def normalize_adjacency(a: np.ndarray) -> np.ndarray:
    """(C, C) -> D^-½ A D^-½ with D the row sums of A (WSIDNet Eq. 4–5)."""
    scale = 1 / np.sqrt(a.sum(axis=-1))
    return (a * scale[:, None] * scale[None, :]).astype(np.float32)


def label_distributions(classes, sigma: float, over: str = "polarity") -> np.ndarray:
    """Names of K classes -> (K, K) float32: row c is the distribution that a label c stands for.

    A Gaussian of the steps on the wheel of emotions, normalised (Yang, She & Sun, IJCAI 2017,
    implication); with `over` "polarity" the emotions of the other polarity have no part (exclusion;
    both and σ = 0.45 in the authors' code), with "wheel" all have.

    Raises:
      UserError: the classes are on no wheel.
    """
    wheels = {MIKELS: WHEEL, EMOTIONROI: EMOTIONROI_WHEEL}
    if tuple(classes) not in wheels:
        raise UserError(
            f"loss.distribution_weight: {', '.join(classes)} are on no wheel of emotions; expected "
            "Mikels' eight or EmotionROI's six (data.class_target=label), or a weight of 0."
        )
    steps = wheel_steps(classes, wheels[tuple(classes)])
    density = np.exp(-(steps**2) / (2 * sigma**2))
    if over == "polarity":
        signs = polarity(classes)
        density = density * (signs[:, None] == signs[None, :])
    return (density / density.sum(1, keepdims=True)).astype(np.float32)
