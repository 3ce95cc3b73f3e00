"""Movement: the way that eyes would take over an image.

PAEF takes the distribution of gaze vectors of a scan path simulated from a saliency map. Here the
path is Itti and Koch's: the most salient place, which is then inhibited, and the next (TPAMI 1998,
II-D), and of the vectors three numbers stay.
"""

import numpy as np

FIXATIONS = 8
INHIBITED = 1 / 6  # radius of what a fixation rules out, of the shorter side


def movement(saliency: np.ndarray) -> np.ndarray:
    """(H, W) -> (3,): mean length of the gaze's vectors in diagonals; their level part, 0 upright
    to 1 level, by length; and how straight the path is, from 0 back at its start to 1.

    All are 0 where there are not two salient places.
    """
    steps = np.diff(scan_path(saliency), axis=0)
    if not len(steps):
        return np.zeros(3)
    lengths = np.hypot(*steps.T)
    level = np.abs(steps[:, 1]).sum() / np.abs(steps).sum()
    straight = np.hypot(*steps.sum(axis=0)) / lengths.sum()
    return np.array([lengths.mean() / np.hypot(*saliency.shape), level, straight])


def scan_path(saliency: np.ndarray) -> np.ndarray:
    """(H, W) -> (n, 2) rows and columns of up to 8 fixations, the most salient first."""
    left = np.array(saliency, np.float64)
    y, x = np.ogrid[: left.shape[0], : left.shape[1]]
    radius = INHIBITED * min(left.shape)
    path = []
    while len(path) < FIXATIONS and left.max() > 0:
        row, column = np.unravel_index(left.argmax(), left.shape)
        path.append((row, column))
        left[np.hypot(y - row, x - column) <= radius] = 0
    return np.array(path, np.int64).reshape(-1, 2)
