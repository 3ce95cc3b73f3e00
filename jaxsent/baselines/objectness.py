"""An object's window, from edges alone: the number of contours that a box wholly encloses.

Zitnick and Dollár, "Edge boxes: locating object proposals from edges", ECCV 2014; equation numbers
are theirs. Their structured edge detector is learned, so Canny's edges stand in for it.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from jaxsent.baselines import features

SIDE = 160  # longer side, in pixels
WEAK, STRONG = 60, 120  # Canny's thresholds of the Sobel gradient
BINS = 4  # of a group's orientation
GAP = 2  # pixels between neighbouring groups
GAMMA, KAPPA = 2, 1.5  # the paper's
OVERLAP = 0.65  # of neighbouring windows: alpha
SMALLEST, LARGEST = 1 / 50, 0.65  # a window's share of the image; all of it would be no answer
GROUPS = 1000  # the strongest; texture has more, and takes time as their square
CHUNK = 32  # windows at once
REFINED = 16  # the best windows


def objectness(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float32, 1 inside the best window and 0 outside.

    "Use the objectness tool to generate one object region for each image" (WSCNet, IV-B2). Zero
    everywhere in an image without edges, or of a line that holds no window.
    """
    map = np.zeros(image.shape[:2], np.float32)
    strength, angle = edges(features.grey(features.resize(image, SIDE)))
    boxes = windows(strength.shape)
    if not strength.any() or not len(boxes):
        return map
    lines = contours(strength, angle)
    candidates = best_windows(boxes, lines, REFINED)
    refined = np.array([refine(box, lines) for box in candidates])
    best = refined[scores(refined, lines).argmax()]
    scale = np.array(image.shape[:2] * 2) / (strength.shape * 2)
    top, left, bottom, right = np.round(best * scale).astype(int)
    map[top:bottom, left:right] = 1
    return map


def edges(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) -> thin edges' strength (h, w), 0 elsewhere, and their direction in radians 0..pi."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    thin = cv2.Canny(dx, dy, WEAK, STRONG, L2gradient=True) > 0
    strength = np.where(thin, np.hypot(np.float32(dx), np.float32(dy)), 0)
    return strength, (np.arctan2(dy, dx) + np.pi / 2) % np.pi


def windows(shape: tuple[int, int]) -> np.ndarray:
    """(n, 4) int: top, left, bottom, right of boxes over all places, sizes and aspect ratios.

    Neighbours overlap by an IoU of about 0.65.
    """
    height, width = shape
    boxes = []
    aspects = OVERLAP ** np.arange(-2, 3)
    area = height * width * LARGEST
    while area >= height * width * SMALLEST:
        for aspect in aspects:
            h, w = round(np.sqrt(area / aspect)), round(np.sqrt(area * aspect))
            if 2 <= h <= height and 2 <= w <= width:
                # Moved by d of its length, a box overlaps itself by (1 - d) / (1 + d).
                step = (1 - OVERLAP) / (1 + OVERLAP)
                tops, lefts = (
                    np.linspace(0, n - m, round((n - m) / (step * m)) + 1).astype(int)
                    for n, m in ((height, h), (width, w))
                )
                boxes += [(y, x, y + h, x + w) for y in tops for x in lefts]
        area *= OVERLAP
    return np.array(boxes).reshape(-1, 4)


class Contours(NamedTuple):
    """Groups of edge pixels and what links them, G groups."""

    strength: np.ndarray  # (h, w) of the edge pixels, 0 elsewhere
    mass: np.ndarray  # (G,) sum of a group's strengths
    bounds: np.ndarray  # (G, 4) smallest box around a group
    links: np.ndarray  # (G, G) largest product of affinities over all paths, equation (2)


def contours(strength: np.ndarray, angle: np.ndarray) -> Contours:
    """Strength (h, w) and direction (h, w) of thin edges -> their groups."""
    labels, count = groups(strength, angle)
    strength = np.where(labels > 0, strength, 0)
    mass = np.bincount(labels.ravel(), strength.ravel(), count)
    links = paths(affinities(labels, count, angle))
    return Contours(strength, mass, _bounds(labels, count), links)


def best_windows(boxes: np.ndarray, contours: Contours, count: int) -> np.ndarray:
    """(n, 4) -> (count, 4), the boxes of the highest scores, the best first.

    A score is dear and cannot exceed that without links, so boxes are scored in the order of this
    bound until it falls below the scores found.
    """
    everything = inside(boxes, contours.bounds) @ contours.mass
    bounds = _less_inner(everything, boxes, contours)
    order = np.argsort(-bounds, kind="stable")
    boxes, bounds = boxes[order], bounds[order]
    best = np.empty(0)
    for start in range(0, len(boxes), CHUNK):
        if start >= count and bounds[start] <= np.sort(best)[-count]:
            break
        best = np.append(best, scores(boxes[start : start + CHUNK], contours))
    return boxes[np.argsort(-best, kind="stable")[:count]]


def refine(box: np.ndarray, contours: Contours) -> np.ndarray:
    """(4,) -> (4,), the box after moving its sides by ever smaller steps while its score rises."""
    limits = np.array(contours.strength.shape * 2)
    score = scores(box[None], contours)[0]
    step = max(box[2:] - box[:2]) // 4
    while step:
        moves = box + step * np.vstack([np.eye(4), -np.eye(4)]).astype(np.int64)
        moves = np.clip(moves, 0, limits)
        moves = moves[_sized(moves, contours.strength.size)]
        reached = scores(moves, contours)
        if reached.size and reached.max() > score:
            box, score = moves[reached.argmax()], reached.max()
        else:
            step //= 2
    return box


def scores(boxes: np.ndarray, contours: Contours) -> np.ndarray:
    """(n, 4) -> (n,) enclosed strength, less the inner quarter's, over the perimeter (3, 4)."""
    enclosed = enclosure(boxes, contours) @ contours.mass
    return _less_inner(enclosed, boxes, contours)


def groups(strength: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, int]:
    """(h, w), (h, w) -> labels (h, w) and their number; 0 is no group, with no mass of its own.

    A group is a run of touching edge pixels whose directions share a bin; the strongest are kept.
    """
    labels = np.zeros(strength.shape, np.int64)
    count = 1
    place = (angle * BINS / np.pi + 0.5).astype(np.int64) % BINS
    for k in range(BINS):
        last, components = cv2.connectedComponents(np.uint8((strength > 0) & (place == k)))
        labels += np.where(components > 0, components + count - 1, 0)
        count += last - 1
    mass = np.bincount(labels.ravel(), strength.ravel(), count)
    strongest = np.sort(np.argsort(-mass[1:], kind="stable")[:GROUPS] + 1)
    renumbered = np.zeros(count, np.int64)
    renumbered[strongest] = np.arange(1, len(strongest) + 1)
    return renumbered[labels], len(strongest) + 1


def affinities(labels: np.ndarray, count: int, angle: np.ndarray) -> np.ndarray:
    """(h, w), groups, (h, w) -> (G, G) |cos(t_i - t_ij) cos(t_j - t_ij)|^gamma of neighbours (1).

    t_i is a group's mean direction and t_ij that of the line between two groups' mean places.
    """
    height, width = labels.shape
    near = np.zeros((count, count), bool)
    for dy in range(GAP + 1):
        for dx in range(-GAP, GAP + 1):
            one = labels[: height - dy, max(0, -dx) : width - max(0, dx)]
            other = labels[dy:, max(0, dx) : width - max(0, -dx)]
            near[one, other] = near[other, one] = True
    near[0] = near[:, 0] = False

    def mean(values):
        total = np.bincount(labels.ravel(), values.ravel(), count)
        return total / np.maximum(np.bincount(labels.ravel(), minlength=count), 1)

    y, x = (mean(index) for index in np.indices(labels.shape))
    # Directions are axes: the mean is taken of the doubled angle.
    direction = np.arctan2(mean(np.sin(2 * angle)), mean(np.cos(2 * angle))) / 2
    between = np.arctan2(np.subtract.outer(y, y), np.subtract.outer(x, x))
    turn = np.cos(direction[:, None] - between) * np.cos(direction - between)
    return np.where(near, np.abs(turn) ** GAMMA, 0)


def paths(affinity: np.ndarray) -> np.ndarray:
    """(G, G) -> (G, G) largest product of affinities over all paths between two groups (2)."""
    one, other = np.nonzero(affinity)
    lengths = -np.log(np.minimum(affinity[one, other], 1))  # the shortest has the largest product
    graph = csr_array((lengths, (one, other)), shape=affinity.shape)
    return np.exp(-dijkstra(graph)).astype(np.float32)


def enclosure(boxes: np.ndarray, contours: Contours) -> np.ndarray:
    """(n, 4) -> (n, G) w_b: 1 for a group inside that no crossing group reaches (2).

    A group on the box's edge, or outside, weighs 0; one linked to such, 1 less the link.
    """
    bounds = contours.bounds
    within = inside(boxes, bounds)
    touches = (bounds[:, 2:] > boxes[:, None, :2]) & (bounds[:, :2] < boxes[:, None, 2:])
    crossing = touches.all(axis=2) & ~within
    weights = within.astype(np.float64)
    for row, held, crosses in zip(weights, within, crossing, strict=True):
        row[held] -= contours.links[np.ix_(crosses, held)].max(axis=0, initial=0)
    return weights


def inside(boxes: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(n, 4), (G, 4) -> (n, G) bool: does the box hold the whole group?"""
    top, left, bottom, right = boxes.T[:, :, None]
    return (
        (bounds[:, 0] >= top)
        & (bounds[:, 1] >= left)
        & (bounds[:, 2] <= bottom)
        & (bounds[:, 3] <= right)
    )


def _sized(boxes, pixels):
    sides = boxes[:, 2:] - boxes[:, :2]
    share = sides.prod(axis=1) / pixels
    return (sides > 1).all(axis=1) & (share >= SMALLEST) & (share <= LARGEST)


def _less_inner(enclosed, boxes, contours):
    height, width = (boxes[:, 2:] - boxes[:, :2]).T
    inner = np.stack([height, width, -height, -width], axis=1) // 4 + boxes
    return (enclosed - _sums(contours.strength, inner)) / (2 * (height + width) ** KAPPA)


def _bounds(labels, count):
    """(G, 4): the smallest box around each group, far outside for group 0."""
    bounds = np.full((count, 4), -1)
    place = np.argwhere(labels)
    group = labels[labels > 0]
    bounds[1:, :2] = labels.size
    np.minimum.at(bounds[:, :2], group, place)
    np.maximum.at(bounds[:, 2:], group, place + 1)
    return bounds


def _sums(map, boxes):
    """(h, w), (n, 4) -> (n,) sum of the map inside each box."""
    total = cv2.integral(map, sdepth=cv2.CV_64F)
    top, left, bottom, right = boxes.T
    return total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
