"""Edge boxes against exhaustive loops and drawn shapes."""

import itertools

import cv2
import numpy as np
import pytest

from jaxsent.baselines import objectness


def disc(shape=(120, 160), centre=(60, 50), radius=22):
    """(H, W, 3) uint8: a bright disc on a dark ground."""
    image = np.full((*shape, 3), 40, np.uint8)
    cv2.circle(image, centre[::-1], radius, (220, 220, 220), -1)
    return image


@pytest.fixture
def contours():
    image = disc()
    cv2.rectangle(image, (90, 20), (140, 100), (120, 60, 60), -1)
    cv2.line(image, (0, 110), (159, 95), (200, 200, 200), 2)
    return objectness.contours(*objectness.edges(image[..., 0].astype(np.float32)))


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("centre", [(60, 50), (40, 110), (80, 80)])
def test_the_window_is_around_the_object(centre):
    image = disc(centre=centre)
    box = np.zeros(image.shape[:2], bool)
    box[centre[0] - 22 : centre[0] + 23, centre[1] - 22 : centre[1] + 23] = True
    assert iou(objectness.objectness(image) > 0, box) > 0.8


def test_a_large_photograph_gets_the_same_window():
    image = disc()
    large = cv2.resize(image, None, fx=4, fy=4)
    shrunk = cv2.resize(objectness.objectness(large), (160, 120), interpolation=cv2.INTER_AREA)
    assert iou(shrunk > 0.5, objectness.objectness(image) > 0) > 0.8


def test_the_bound_finds_what_scoring_all_windows_finds(contours):
    boxes = objectness.windows((120, 160))
    everywhere = np.concatenate(
        [objectness.scores(boxes[i : i + 64], contours) for i in range(0, len(boxes), 64)]
    )
    best = objectness.scores(objectness.best_windows(boxes, contours, 10), contours)
    np.testing.assert_allclose(best, np.sort(everywhere)[::-1][:10])


def test_windows_fit_and_are_of_many_sizes():
    boxes = objectness.windows((120, 160))
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= (120, 160)).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (sides > 1).all() and len(np.unique(sides, axis=0)) > 20
    share = sides.prod(axis=1) / (120 * 160)
    assert 0.01 < share.min() < 0.05 and 0.6 < share.max() < 0.7


def test_links_are_the_best_paths():
    rng = np.random.default_rng(0)
    affinity = rng.random((6, 6)) * (rng.random((6, 6)) < 0.5)
    affinity = np.maximum(affinity, affinity.T)
    np.fill_diagonal(affinity, 0)
    linked = objectness.paths(affinity)
    for i, j in itertools.combinations(range(6), 2):
        inner = [k for k in range(6) if k not in (i, j)]
        best = 0.0
        for length in range(len(inner) + 1):
            for middle in itertools.permutations(inner, length):
                steps = itertools.pairwise((i, *middle, j))
                best = max(best, np.prod([affinity[a, b] for a, b in steps]))
        assert linked[i, j] == pytest.approx(best, rel=1e-5)


def test_links_through_neighbours_in_line():
    """Affinities of 1, paths of length 0, are links and no gaps."""
    affinity = np.array([[0, 1, 0, 0], [1, 0, 0.5, 0], [0, 0.5, 0, 0], [0, 0, 0, 0]])
    expected = [[1, 1, 0.5, 0], [1, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(objectness.paths(affinity), expected, rtol=1e-6)


def test_straight_contours_are_linked_and_corners_are_not():
    strength, angle = np.zeros((40, 40)), np.zeros((40, 40))
    strength[20, 2:12] = strength[20, 13:23] = 1  # two pieces of a horizontal line
    strength[22:32, 24] = 1  # a vertical one close by
    angle[22:32, 24] = np.pi / 2
    labels, count = objectness.groups(strength, angle)
    affinity = objectness.affinities(labels, count, angle)
    left, right, upright = labels[20, 5], labels[20, 20], labels[25, 24]
    assert affinity[left, right] == pytest.approx(1)
    assert affinity[right, upright] < 0.3 and affinity[left, upright] == 0
    np.testing.assert_array_equal(affinity, affinity.T)


def test_enclosure_by_the_definition(contours):
    boxes = objectness.windows((120, 160))[::97]
    weights = objectness.enclosure(boxes, contours)
    for box, row in zip(boxes, weights, strict=True):
        inside, crossing = [], []
        for top, left, bottom, right in contours.bounds:
            apart = bottom <= box[0] or right <= box[1] or top >= box[2] or left >= box[3]
            held = top >= box[0] and left >= box[1] and bottom <= box[2] and right <= box[3]
            inside.append(held and not apart)
            crossing.append(not held and not apart)
        for g, held in enumerate(inside[1:], start=1):
            reach = max((contours.links[c, g] for c in np.flatnonzero(crossing)), default=0)
            assert row[g] == pytest.approx((1 - reach) if held else 0)
