"""Regions: proposals where things are, which one is affective, what is salient, how views fuse."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu

from jaxsent.baselines import proposals, regions
from jaxsent.baselines.boxes import rasterise
from jaxsent.baselines.objectness import objectness


def iou(one, other):
    """By the pixels of a large canvas."""
    masks = [np.zeros((240, 320), bool) for _ in range(2)]
    for mask, (x0, y0, x1, y1) in zip(masks, (one, other), strict=True):
        mask[int(y0) : int(y1), int(x0) : int(x1)] = True
    return (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()


@pytest.fixture(scope="module")
def scene():
    """Two objects on an even ground, and their boxes."""
    image = np.full((240, 320, 3), 120, np.uint8)
    image[40:120, 30:110] = (240, 230, 60)
    image[150:210, 200:290] = (20, 40, 200)
    return image, [(30, 40, 110, 120), (200, 150, 290, 210)]


def test_proposals_are_where_the_objects_are(scene):
    image, objects = scene
    boxes = proposals.propose(image)
    assert boxes.shape[1] == 5 and 2 <= len(boxes) <= proposals.COUNT
    for box in objects:
        assert max(iou(box, proposal[:4]) for proposal in boxes) > 0.7
    assert boxes[0, 4] == 1 and (np.diff(boxes[:, 4]) <= 0).all() and (boxes[:, 4] > 0).all()
    for i in range(len(boxes)):
        for j in range(i):
            assert iou(boxes[i, :4], boxes[j, :4]) <= proposals.OVERLAP + 0.05  # rounded since
    best = rasterise(boxes[:1], image.shape, "N")
    overlap = objectness(image) * best
    assert overlap.sum() > 0.5 * best.sum()


def test_no_proposals_without_edges():
    assert proposals.propose(np.full((60, 80, 3), 120, np.uint8)).shape == (0, 5)
    assert proposals.propose(np.zeros((1, 300, 3), np.uint8)).shape == (0, 5)


def test_distinct_boxes():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 60, (40, 2))
    corners = np.hstack([first, first + rng.integers(20, 60, (40, 2))])
    kept = []
    for place, box in enumerate(corners):
        if all(iou(box, corners[k]) <= proposals.OVERLAP for k in kept):
            kept.append(place)
    assert 3 < len(kept) < 40
    assert proposals.distinct(corners).tolist() == kept


def test_the_affective_score_is_objectness_times_sentiment():
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2]])
    np.testing.assert_allclose(regions.sentiment(probabilities), [0, 0.8, 0.6])
    np.testing.assert_allclose(regions.sentiment(np.array([0.2, 0.5, 0.3])), 0.2)
    boxes = np.array([[0, 0, 9, 9, 1], [1, 1, 5, 5, 0.5], [2, 2, 4, 4, 0.9]])
    scored = regions.affective(boxes, probabilities)
    np.testing.assert_allclose(scored[:, 4], [0, 0.4, 0.54])
    np.testing.assert_array_equal(scored[:, :4], boxes[:, :4])
    assert regions.affective(np.zeros((0, 5)), np.zeros((0, 2))).shape == (0, 5)


@pytest.mark.parametrize(
    ("fusion", "of"),
    [
        ("average", lambda a, b: (a + b) / 2),
        ("product", lambda a, b: a * b),
        ("max", lambda a, b: a if a > b else b),
    ],
)
def test_fusions_class_by_class(fusion, of):
    rng = np.random.default_rng(0)
    whole, region = rng.dirichlet(np.ones(4), (2, 6))
    fused = regions.FUSIONS[fusion](whole, region)
    for i in range(6):
        values = [of(whole[i, k], region[i, k]) for k in range(4)]
        np.testing.assert_allclose(fused[i], np.array(values) / sum(values))
    np.testing.assert_allclose(regions.FUSIONS[fusion](whole, whole).argmax(1), whole.argmax(1))


def test_fusions_of_two_classes_decide_alike():
    """As docs/baselines.md says: positive where the two probabilities exceed 1 together."""
    positive = np.random.default_rng(0).random((2, 500))
    whole, region = np.stack([1 - positive, positive], axis=-1)
    for fusion in regions.FUSIONS.values():
        np.testing.assert_array_equal(fusion(whole, region).argmax(1), positive.sum(0) > 1)


def test_the_box_around_what_is_salient():
    """The larger of two areas above the threshold, by SciPy's components, at the image's size."""
    map = np.zeros((20, 30), np.float32)
    map[2:8, 3:12] = 1
    map[12:15, 20:24] = 1.5
    map += np.random.default_rng(0).random(map.shape).astype(np.float32) * 0.1
    areas, _ = ndimage.label(map > threshold_otsu(map), np.ones((3, 3)))
    largest = np.bincount(areas[areas > 0]).argmax()
    y, x = ndimage.find_objects(areas)[largest - 1]
    assert (y, x) == (slice(2, 8), slice(3, 12))
    expected = [[x.start, y.start, x.stop, y.stop, 1]]
    np.testing.assert_array_equal(regions.salient_box(map, map.shape), expected)
    (large,) = regions.salient_box(map, (40, 60))
    np.testing.assert_allclose(large[:4], 2 * np.array(expected[0][:4]), atol=1)
    assert regions.salient_box(np.ones((4, 4)), (40, 60)).shape == (0, 5)
