"""Principles of art: 27 numbers of how an image is composed (WSCNet's "principle-of-art features").

Zhao et al., "Exploring principles-of-art features for image emotion recognition" (PAEF), ACM
Multimedia 2014: balance, emphasis, harmony, variety, gradation and movement. WSCNet (IV-B2) takes
"a simplified version provided by the author to extract 27 dimensional features", whose makeup is
not public. These 27 are ours: each principle by what its paper measures, in few numbers.
docs/baselines.md says where they differ.
"""

import numpy as np

from jaxsent.baselines import features, itti_koch
from jaxsent.baselines.principles.balance import balance
from jaxsent.baselines.principles.emphasis import emphasis
from jaxsent.baselines.principles.gradation import gradation
from jaxsent.baselines.principles.harmony import harmony
from jaxsent.baselines.principles.movement import movement
from jaxsent.baselines.principles.variety import variety

SIDE = 256  # longer side, in pixels, at which all is measured
SMALLEST = 8  # pixels of the shorter side, below which there are no regions to speak of


def principles(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (27,) float32: balance 6, emphasis 8, harmony 2, variety 4, gradation
    4, movement 3.

    Raises:
      ValueError: at 256 pixels on its longer side the shorter one has fewer than 8.
    """
    image = features.resize(image, SIDE)
    if min(image.shape[:2]) < SMALLEST:
        raise ValueError(f"expected at most {SIDE // SMALLEST} times as long as wide")
    saliency = itti_koch.itti_koch(image)
    parts = (
        balance(image),
        emphasis(image, saliency),
        harmony(image),
        variety(image),
        gradation(image),
        movement(saliency),
    )
    return np.concatenate(parts).astype(np.float32)
