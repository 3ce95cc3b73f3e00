"""Graph-based visual saliency: where a random walk over an image's features spends its time.

Harel, Koch and Perona, "Graph-based visual saliency", NIPS 2006; sections are theirs. Both of its
Markov chains walk on undirected weights, so that their equilibria need no iteration: a random walk
on an undirected graph is at a node in proportion to the sum of the node's weights.

What the paper leaves open is as in Harel's code (gbvs.m, getFeatureMaps.m and makeGBVSParams.m in
github.com/sergeyk/vislab, matlab/gbvs): levels, sigmas and nodes; features smoothed as imresize
shrinks them to the nodes; the sum blurred. Three of its steps are not here: DKL colours, a power of
1.5 in place of the paper's second chain, and the fading of 4 nodes at the border.
"""

import cv2
import numpy as np

from jaxsent.baselines import features

SIDE = 32  # nodes on the longer side
LEVELS = (2, 3, 4)  # of the features' pyramids
ACTIVATION = 0.15  # sigma of the distance, as a share of the map's mean side
CONCENTRATION = 0.06
BLUR = 0.02  # sigma of the last blur, as a share of the longer side


def gbvs(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float32, mean over the channels of their activations."""
    image_of_nodes = features.resize(image, SIDE)
    shape = image_of_nodes.shape[:2]
    near, nearer = (closeness(shape, share) for share in (ACTIVATION, CONCENTRATION))
    total = np.zeros(shape, np.float32)
    for channel in _channels(features.resize(image, features.SIDE)):
        for map in channel:
            nodes = at_nodes(map, shape).ravel()
            total += concentrate(activate(nodes, near), nearer).reshape(shape) / len(channel)
    return features.enlarge(blur(total), image)


def at_nodes(map: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) -> (h, w) float32: means over areas where a side shrinks, bilinear where it grows."""
    height, width = shape
    small = min(width, map.shape[1]), min(height, map.shape[0])
    map = cv2.resize(np.float32(map), small, interpolation=cv2.INTER_AREA)
    return cv2.resize(map, (width, height), interpolation=cv2.INTER_LINEAR)


def blur(map: np.ndarray) -> np.ndarray:
    """(h, w) -> (h, w), by a Gaussian cut off at two sigmas, the border's nodes repeated."""
    sigma = BLUR * max(map.shape)
    side = 2 * round(2 * sigma) + 1
    return cv2.GaussianBlur(map, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)


def closeness(shape: tuple[int, int], share: float) -> np.ndarray:
    """(h, w) nodes -> (N, N), N = h w: F = exp(-distance^2 / (2 sigma^2)), section 3.1."""
    sigma = share * np.mean(shape)
    across, down = (
        np.exp(-(np.subtract.outer(np.arange(n), np.arange(n)) ** 2) / (2 * sigma**2))
        for n in shape
    )
    return np.kron(across, down).astype(np.float32)


def activate(map: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(N,), (N, N) -> (N,) equilibrium of the walk with weights |M_i - M_j| F_ij, section 3.1.

    The paper's |log(M_i / M_j)| or |M_i - M_j|: the latter, which features of 0 leave defined. A
    constant map is active everywhere alike.
    """
    dissimilar = np.abs(map[:, None] - map)
    return _share((dissimilar * near).sum(axis=1))


def concentrate(activation: np.ndarray, nearer: np.ndarray) -> np.ndarray:
    """(N,), (N, N) -> (N,) equilibrium of the walk i -> j in proportion to A_j F_ij, section 3.2.

    Its transition matrix is that of the undirected weights A_i A_j F_ij.
    """
    return _share(activation * (nearer @ activation))


def _share(mass):
    return mass / mass.sum() if mass.sum() > 0 else np.full_like(mass, 1 / mass.size)


def _channels(image):
    """Intensity, colour and orientation: lists of maps (h, w), each at three levels."""
    intensity, red_green, blue_yellow = features.opponents(image)
    grey, *colours = (
        [pyramid[level] for level in LEVELS]
        for pyramid in (
            features.pyramid(channel, LEVELS[-1] + 1)
            for channel in (intensity, red_green, blue_yellow)
        )
    )
    oriented = [features.orientation(map, angle) for map in grey for angle in features.ANGLES]
    return grey, sum(colours, []), oriented
