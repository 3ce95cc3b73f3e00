"""Maps without learning, by name: MAPS[name](image, rng), image uint8 (H, W, 3) -> float32 (H, W).

The comparisons of WSCNet's Fig. 6 and Table V and of WSIDNet. None knows of emotion: they are what
a sentiment map has to beat. Only "random" uses the generator.
"""

from collections.abc import Callable

import numpy as np

from jaxsent import metrics
from jaxsent.baselines.fine_grained import fine_grained
from jaxsent.baselines.gbvs import gbvs
from jaxsent.baselines.itti_koch import itti_koch
from jaxsent.baselines.objectness import objectness
from jaxsent.baselines.spectral_residual import spectral_residual

CENTRE_SIGMA = 0.25  # of either side; not fitted to any fixations


def random(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) -> (H, W), uniform in 0..1: "assign random probability to each pixel"."""
    return metrics.random_map(image.shape[:2], rng).astype(np.float32)


def centre_box(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W), 1 in the central half of the area: "crop half of the image"."""
    return metrics.centre_box(image.shape[:2]).astype(np.float32)


def centre_gaussian(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W): a Gaussian stretched to the image's sides, the MIT benchmark's centre.

    People look at the middle first, wherever the object is.
    """
    y, x = (
        np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * CENTRE_SIGMA**2))
        for n in image.shape[:2]
    )
    return np.outer(y, x).astype(np.float32)


def _without_rng(map):
    return lambda image, rng: map(image)


MAPS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "random": random,
    **{
        map.__name__: _without_rng(map)
        for map in (
            centre_box,
            centre_gaussian,
            objectness,
            itti_koch,
            gbvs,
            spectral_residual,
            fine_grained,
        )
    },
}
