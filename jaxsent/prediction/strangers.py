"""Pictures that are no photographs, made here: what the model of photographs must not answer for.

A linear layer learns to tell them from photographs, after Hendrycks et al., "Deep Anomaly Detection
with Outlier Exposure", ICLR 2019. Each picture is a function of its kind and number alone.
"""

from collections.abc import Callable

import cv2
import numpy as np

SHAPE = (400, 500)
WORDS = (
    "the photograph evokes awe total 12.50 chapter figure name date settings page no yes".split()
)


def drawn(rng: np.random.Generator, number: int, split: str = "train") -> np.ndarray:
    """A scene of emoji. The `demo` extra draws them; raises ImportError without it."""
    from tfds_builders.emoji_scenes.scenes import compose

    return compose(rng, number % 8, split, 224)[0]


def noise(rng, number: int) -> np.ndarray:
    """Random colours in a grain of 1 to 64 pixels."""
    grain = 2 ** (number % 7)
    small = rng.integers(0, 256, (*(-(-side // grain) for side in SHAPE), 3), np.uint8)
    return cv2.resize(small, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)


def plain(rng, number: int) -> np.ndarray:
    """One colour, or a change from one to another."""
    first, last = rng.integers(0, 256, (2, 3))
    ramp = np.linspace(0, 1, SHAPE[1])[None, :, None] * (number % 2)
    row = first + ramp * (last - first)
    return np.repeat(row, SHAPE[0], axis=0).astype(np.uint8)


def text(rng, number: int) -> np.ndarray:
    """A page of words, dark on light or the reverse."""
    paper, ink = ((255, 0), (245, 30), (20, 230))[number % 3]
    page = np.full((*SHAPE, 3), paper, np.uint8)
    size = rng.uniform(0.4, 1.2)
    for y in np.arange(30, SHAPE[0], 40 * size + 5):
        line = " ".join(rng.choice(WORDS, 9))
        cv2.putText(
            page, line, (15, int(y)), cv2.FONT_HERSHEY_SIMPLEX, size, (ink,) * 3, 1 + (size > 1)
        )
    return page


def shapes(rng, number: int) -> np.ndarray:
    """Discs, boxes and lines on one colour."""
    picture = np.full((*SHAPE, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(3 + number % 10):
        (a, b), colour = rng.integers(0, SHAPE, (2, 2))[:, ::-1].tolist(), rng.integers(0, 256, 3)
        colour, thick = colour.tolist(), int(rng.choice([-1, 2, 6]))
        form = rng.integers(3)
        if form == 0:
            cv2.circle(picture, a, int(rng.integers(10, 120)), colour, thick)
        elif form == 1:
            cv2.rectangle(picture, a, b, colour, thick)
        else:
            cv2.line(picture, a, b, colour, abs(thick))
    return picture


KINDS: dict[str, tuple[Callable, int]] = {
    "drawn": (drawn, 60), "noise": (noise, 21), "plain": (plain, 20), "text": (text, 20),
    "shapes": (shapes, 20),
}  # fmt: skip
"""How each kind is made, and how many of it the model learns from."""


def strangers() -> dict[str, list[np.ndarray]]:
    """{kind: pictures (H, W, 3) uint8}, always the same."""
    return {
        name: [make(np.random.default_rng([i, number]), number) for number in range(count)]
        for i, (name, (make, count)) in enumerate(KINDS.items())
    }
