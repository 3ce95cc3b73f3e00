"""Boxes that may hold an object, several an image, by the edges that they enclose.

Edge boxes, as in objectness.py, which is what both works on affective regions begin with: "an
off-the-shelf object proposal algorithm" (WSCNet, II-A).
"""

import numpy as np

from jaxsent.baselines import features
from jaxsent.baselines import objectness as edge_boxes
from jaxsent.baselines.boxes import Boxes

CANDIDATES = 100  # the best windows, of which those that overlap are dropped
COUNT = 10  # boxes of an image
OVERLAP = 0.5  # largest IoU of two of them


def propose(image: np.ndarray) -> Boxes:
    """(H, W, 3) uint8 RGB -> (n, 5) x0, y0, x1, y1 and objectness, n at most 10, the best first.

    Objectness is the score of edge boxes (Zitnick and Dollár, equation 4) over that of the image's
    best box, so in 0..1. n = 0 in an image without edges, or of a line that holds no box.
    """
    strength, angle = edge_boxes.edges(features.grey(features.resize(image, edge_boxes.SIDE)))
    windows = edge_boxes.windows(strength.shape)
    if not strength.any() or not len(windows):
        return np.zeros((0, 5))
    lines = edge_boxes.contours(strength, angle)
    candidates = edge_boxes.best_windows(windows, lines, CANDIDATES)
    candidates = candidates[distinct(candidates)[:COUNT]]
    refined = np.array([edge_boxes.refine(box, lines) for box in candidates])
    scores = edge_boxes.scores(refined, lines)
    order = np.argsort(-scores, kind="stable")
    order = order[distinct(refined[order])]
    scale = np.array(image.shape[:2] * 2) / (strength.shape * 2)
    corners = np.round(refined[order] * scale)[:, [1, 0, 3, 2]]
    boxes = np.column_stack([corners, scores[order] / max(scores.max(), 1e-12)])
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (boxes[:, 4] > 0)]


def distinct(corners: np.ndarray) -> np.ndarray:
    """(n, 4), the best first -> places of those that overlap no better one by an IoU above 0.5."""
    first, last = corners[:, :2], corners[:, 2:]
    areas = (last - first).prod(axis=1)
    shared = np.minimum(last[:, None], last) - np.maximum(first[:, None], first)
    shared = np.maximum(shared, 0).prod(axis=2)
    iou = shared / (areas[:, None] + areas - shared)
    kept: list[int] = []
    for place in range(len(corners)):
        if (iou[place, kept] <= OVERLAP).all():
            kept.append(place)
    return np.array(kept, int)
