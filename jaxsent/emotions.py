"""Label spaces, polarity, Mikels' wheel and the sentiment graph (WSIDNet, section 3.2).

Everything here is a small NumPy constant of the method: nothing is learned.
"""

import numpy as np

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
    return np.where(itself, 1, 1 / np.where(itself, 1, steps) + bonus).astype(np.float32)


def normalize_adjacency(a: np.ndarray) -> np.ndarray:
    """(C, C) -> D^-½ A D^-½ with D the row sums of A (WSIDNet Eq. 4–5)."""
    scale = 1 / np.sqrt(a.sum(axis=-1))
    return (a * scale[:, None] * scale[None, :]).astype(np.float32)
