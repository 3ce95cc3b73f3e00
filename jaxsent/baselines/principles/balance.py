"""Balance: symmetry by reflection, by rotation, and around a point.

PAEF measures the first two by Loy and Eklundh, "Detecting symmetry and symmetric constellations of
features", ECCV 2006, and the third by Loy and Zelinsky, "Fast radial symmetry for detecting points
of interest", TPAMI 2003.
"""

from typing import NamedTuple

import cv2
import numpy as np

from jaxsent.baselines import features

KEYPOINTS = 200
NEAR = 4.0  # pixels within which two key points are one place
TILT = np.deg2rad(5)  # how far axes may differ that support each other
SHIFT = 4.0  # the same in pixels, of axes and of centres
TURN = 0.1  # sine of half the least rotation that has a centre to speak of
RADII = (4, 8, 16, 24, 32, 48)  # pixels
SPREAD = 0.25  # sigma of the votes over the radius (Loy and Zelinsky)


class KeyPoints(NamedTuple):
    """N SIFT key points.

    Attributes:
      place: (N, 2) x and y in pixels from the image's centre, y downwards.
      scale: (N,) diameters in pixels.
      angle: (N,) radians, from x towards y.
      descriptors, mirrored: (N, 128), of the image and of its mirror image.
    """

    place: np.ndarray
    scale: np.ndarray
    angle: np.ndarray
    descriptors: np.ndarray
    mirrored: np.ndarray


def balance(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (6,): reflection's strength, uprightness and offset of its axis;
    rotation's strength and offset of its centre; radial symmetry.

    Strengths are in 0..1. Offsets are distances from the image's centre in half diagonals; an axis
    is upright at 1 and level at 0. All are 0 where there is nothing to compare.
    """
    grey = np.uint8(np.round(features.grey(image)))
    half_diagonal = np.hypot(*grey.shape) / 2
    points = key_points(grey)
    strength, tilt, shift = reflection(points)
    turned, centre = rotation(points, grey.shape)
    return np.array([
        strength, np.abs(np.cos(tilt)) * (strength > 0), np.abs(shift) / half_diagonal,
        turned, np.hypot(*centre) / half_diagonal, radial(np.float32(grey)),
    ])  # fmt: skip


def key_points(grey: np.ndarray) -> KeyPoints:
    """(H, W) uint8 -> its strongest key points."""
    height, width = grey.shape
    sift = cv2.SIFT_create(KEYPOINTS)
    points, descriptors = sift.detectAndCompute(grey, None)
    if not points:
        return KeyPoints(np.zeros((0, 2)), *np.zeros((2, 0)), *np.zeros((2, 0, 128)))
    flipped = [
        cv2.KeyPoint(width - 1 - p.pt[0], p.pt[1], p.size, (180 - p.angle) % 360, p.response,
                     p.octave, i)
        for i, p in enumerate(points)
    ]  # fmt: skip
    kept, computed = sift.compute(np.ascontiguousarray(grey[:, ::-1]), flipped)
    mirrored = np.full_like(descriptors, np.inf)
    mirrored[[p.class_id for p in kept]] = computed
    return KeyPoints(
        np.array([p.pt for p in points]) - [(width - 1) / 2, (height - 1) / 2],
        np.array([p.size for p in points]),
        np.deg2rad([p.angle for p in points]),
        descriptors,
        mirrored,
    )


def nearest(points: KeyPoints, others: np.ndarray) -> np.ndarray:
    """For each key point the one elsewhere whose descriptor in `others` is nearest: (N,), -1 where
    there is none."""
    apart = np.linalg.norm(points.place[:, None] - points.place, axis=-1) > NEAR
    known = np.isfinite(others).all(axis=1)
    others = np.where(known[:, None], others, 0)
    distance = (others**2).sum(axis=1) - 2 * points.descriptors @ others.T
    distance = np.where(apart & known, distance, np.inf)
    if not distance.size:
        return np.zeros(0, int)
    return np.where(np.isfinite(distance.min(axis=1)), distance.argmin(axis=1), -1)


def reflection(points: KeyPoints) -> tuple[float, float, float]:
    """The axis that most pairs agree on: strength, angle of its normal, distance from the centre.

    A pair weighs (1 - cos(a_i + a_j - 2 t)) / 2 times the likeness of its scales, t the angle of
    the line that joins it. The strength is the weight of all pairs near the axis, a share of the
    key points.
    """
    i, j = _pairs(points, nearest(points, points.mirrored))
    if not len(i):
        return 0.0, 0.0, 0.0
    x, y = (points.place[j] - points.place[i]).T
    normal = np.arctan2(y, x)
    weight = (1 - np.cos(points.angle[i] + points.angle[j] - 2 * normal)) / 2 * _alike(points, i, j)
    middle = (points.place[i] + points.place[j]) / 2
    shift = middle[:, 0] * np.cos(normal) + middle[:, 1] * np.sin(normal)
    support = np.zeros((len(i), len(i)))
    for turn, sign in ((0, 1), (np.pi, -1)):  # an axis has two normals
        tilt = (normal[:, None] - normal + turn + np.pi) % (2 * np.pi) - np.pi
        near = (tilt / TILT) ** 2 + ((shift[:, None] - sign * shift) / SHIFT) ** 2
        support = np.maximum(support, np.exp(-near / 2))
    votes = support @ weight
    best = votes.argmax()
    return votes[best] / len(points.place), normal[best], shift[best]


def rotation(points: KeyPoints, shape: tuple[int, int]) -> tuple[float, np.ndarray]:
    """The centre inside the image that most pairs turn around: strength as above, place (2,)."""
    i, j = _pairs(points, nearest(points, points.descriptors))
    turn = points.angle[j] - points.angle[i]
    turns = np.abs(np.sin(turn / 2)) > TURN
    # c with p_j - c = R (p_i - c): half way, and off by cot(turn / 2) / 2 across.
    across = (points.place[j] - points.place[i])[:, ::-1] * [-1, 1]
    middle = (points.place[i] + points.place[j]) / 2
    cotangent = 1 / np.tan(np.where(turns, turn, np.pi) / 2)
    centre = middle + across * cotangent[:, None] / 2
    height, width = shape
    inside = (np.abs(centre) <= [width / 2, height / 2]).all(axis=1)
    weight = _alike(points, i, j) * (turns & inside)
    if not weight.any():
        return 0.0, np.zeros(2)
    distance = np.linalg.norm(centre[:, None] - centre, axis=-1)
    votes = np.exp(-((distance / SHIFT) ** 2) / 2) @ weight
    votes = np.where(weight > 0, votes, 0)
    best = votes.argmax()
    return votes[best] / len(points.place), centre[best]


def radial(grey: np.ndarray) -> float:
    """(H, W) float32 -> 0..1: the largest share of gradients that point to, or away from, one place
    at one of the radii."""
    dx, dy = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength = np.hypot(dx, dy)
    if strength.max() < 1:
        return 0.0
    y, x = np.nonzero(strength)
    mass = strength[y, x]
    step_y, step_x = dy[y, x] / mass, dx[y, x] / mass
    height, width = grey.shape
    best = 0.0
    for radius in RADII:
        sigma = SPREAD * radius
        for sign in (1, -1):
            to_y = np.int64(np.round(y + sign * radius * step_y))
            to_x = np.int64(np.round(x + sign * radius * step_x))
            held = (to_y >= 0) & (to_y < height) & (to_x >= 0) & (to_x < width)
            places = to_y[held] * width + to_x[held]
            votes = np.bincount(places, mass[held], height * width)
            votes = np.float32(votes.reshape(height, width))
            # Times the kernel's area: 1 where all votes meet.
            met = cv2.GaussianBlur(votes, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
            best = max(best, met.max() * 2 * np.pi * sigma**2 / mass.sum())
    return min(best, 1.0)


def _pairs(points, match):
    i = np.nonzero(match >= 0)[0]
    return i, match[i]


def _alike(points, i, j):
    """(n,) exp(-((s_i - s_j) / (s_i + s_j))^2) of the scales."""
    one, other = points.scale[i], points.scale[j]
    return np.exp(-(((one - other) / (one + other)) ** 2)) if len(i) else np.zeros(0)
