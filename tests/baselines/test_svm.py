"""The machine against scikit-learn's, and on sets that colour can and cannot tell."""

import types

import cv2
import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.svm import SVC

from jaxsent.baselines import svm
from jaxsent.data.batches import num_examples
from jaxsent.errors import UserError
from tfds_builders.prepare import prepare


def stored(images, polarities):
    """Examples as a prepared set holds them."""
    return [
        {
            "image": cv2.imencode(".png", image[..., ::-1])[1].tobytes(),
            "file": f"{i}.png".encode(),
            "polarity": int(polarity),
            "label": int(polarity),
        }
        for i, (image, polarity) in enumerate(zip(images, polarities, strict=True))
    ]


@pytest.fixture
def splits(monkeypatch):
    """{split: examples}, read as if prepared."""
    splits = {"none": []}
    monkeypatch.setattr(svm.records, "source", lambda builder, split: splits[split])
    monkeypatch.setattr(svm, "num_examples", lambda builder, split: len(splits[split]))
    return splits


BUILDER = types.SimpleNamespace(info=types.SimpleNamespace(full_name="coloured"))


@pytest.fixture
def coloured(splits):
    """A set whose positive images are light; one image has no label."""
    rng = np.random.default_rng(0)
    polarity = np.array([0, 1] * 8 + [-1])
    sizes = rng.integers(20, 60, (17, 2))
    images = [
        np.uint8(rng.integers(0, 128, (*size, 3)) + 127 * (p == 1))
        for size, p in zip(sizes, polarity, strict=True)
    ]
    splits |= dict.fromkeys(("train", "test"), stored(images, polarity))
    return BUILDER


def striped():
    """(40, 400, 3): a grey photograph whose outer tenths, which no centre crop holds, are red."""
    image = np.full((40, 400, 3), 130, np.uint8)
    image[:, :40] = image[:, -40:] = (255, 0, 0)
    return image


@pytest.mark.parametrize("image", [striped(), striped().transpose(1, 0, 2)])
def test_histograms_see_the_whole_image(splits, image):
    splits["test"] = stored([image], [1])
    x = svm.read(BUILDER, "gch", "test")
    expected = np.zeros(64)
    expected[48], expected[2 * 16 + 2 * 4 + 2] = 0.2, 0.8
    np.testing.assert_allclose(x, [expected], atol=1e-7)
    assert svm.targets(BUILDER, "test", "polarity").tolist() == [1]
    (blocks,) = svm.read(BUILDER, "lch", "test")
    red = blocks.reshape(4, 4, 64)[..., 48]
    ends = red if image.shape[1] > image.shape[0] else red.T
    np.testing.assert_allclose(ends, np.tile([0.4, 0, 0, 0.4], (4, 1)), atol=1e-7)


def test_a_photograph_too_small_for_blocks_is_named(splits):
    splits["test"] = stored([np.zeros((3, 50, 3), np.uint8)], [1])
    with pytest.raises(UserError, match=r"0.png: expected an image of at least 4 x 4"):
        svm.read(BUILDER, "lch", "test")


@pytest.mark.parametrize("feature", ["gch", "lch"])
def test_colour_tells_what_it_can(coloured, feature):
    scores = svm.evaluate(coloured, feature)
    assert scores["accuracy"] == 1 and scores["count"] == 16 and scores["missing"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": "hog"}, "features=hog is not known; choose from gch, lch"),
        ({"features": "gch", "kernel": "poly"}, "kernel=poly is not known"),
        ({"features": "gch", "target": "mood"}, "target=mood is not known"),
        ({"features": "gch", "train": "none"}, "coloured: the split none is empty"),
    ],
)
def test_errors_say_what_to_do(coloured, arguments, message):
    with pytest.raises(UserError, match=message):
        svm.evaluate(coloured, **arguments)


def classes(count, seed=3):
    """(N, 5) features of small values, as bins are, and (N,) labels."""
    x, y = make_blobs(120, 5, centers=count, cluster_std=4, random_state=seed)
    return x / 500 + 0.1, y


def test_each_class_has_a_machine_against_all_others():
    x, y = classes(5)
    decisions = []
    for k in range(5):
        # LIBSVM's defaults, gamma = 1 / D, of x over its standard deviation.
        machine = SVC(gamma=1 / 5).fit(x / x.std(), y == k)
        decisions.append(machine.decision_function(x / x.std()))
    expected = np.argmax(decisions, axis=0)
    predicted = svm.fit(x, y).predict(x)
    np.testing.assert_array_equal(predicted, expected)
    one_against_one = SVC(gamma=1 / 5).fit(x / x.std(), y).predict(x / x.std())
    assert (predicted != one_against_one).any() and (predicted == y).mean() > 0.5


def test_two_classes_are_told_by_one_machine():
    x, y = classes(2)
    machine = SVC(gamma=1 / 5).fit(x / x.std(), y)
    np.testing.assert_array_equal(svm.fit(x, y).predict(x), machine.predict(x / x.std()))


def test_one_class_is_too_few():
    with pytest.raises(UserError, match="two classes"):
        svm.fit(np.zeros((3, 64), np.float32), np.zeros(3, int))


def test_a_prepared_set_is_read_whole(prepared):
    builder = prepare("emoji_scenes", "tiny", prepared)
    for target, classes in (("polarity", 2), ("label", 8)):
        scores = svm.evaluate(builder, "gch", target)
        assert scores["count"] == num_examples(builder, "test")
        assert len(scores["recall"]) == classes


def test_features_with_units_of_their_own_are_scaled_one_by_one():
    x, y = classes(3)
    x = x * np.array([1, 10, 100, 1000, 1e4]) + 7
    unit = 2 * (x - x.min(axis=0)) / np.ptp(x, axis=0) - 1
    decisions = [SVC(gamma=1 / 5).fit(unit, y == k).decision_function(unit) for k in range(3)]
    predicted = svm.fit(x, y, scaled=True).predict(x)
    np.testing.assert_array_equal(predicted, np.argmax(decisions, axis=0))
    assert (predicted != svm.fit(x, y).predict(x)).any()


def test_the_linear_kernel():
    x, y = classes(2)
    machine = SVC(kernel="linear").fit(x / x.std(), y)
    predicted = svm.fit(x, y, "linear").predict(x)
    np.testing.assert_array_equal(predicted, machine.predict(x / x.std()))
    assert (predicted != svm.fit(x, y).predict(x)).any()
