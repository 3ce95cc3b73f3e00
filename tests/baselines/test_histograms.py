"""Colour histograms against NumPy's, and the machine on sets that colour can and cannot tell."""

import types

import cv2
import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.svm import SVC

from jaxsent.baselines import histograms
from jaxsent.data.batches import num_examples
from jaxsent.errors import UserError
from tfds_builders.prepare import prepare


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def by_numpy(image):
    counts, _ = np.histogramdd(image.reshape(-1, 3), bins=4, range=[(0, 256)] * 3)
    return counts.ravel() / counts.sum()


def test_gch_is_the_joint_histogram(image):
    np.testing.assert_allclose(histograms.gch(image), by_numpy(image), atol=1e-7)
    red = np.zeros((5, 5, 3), np.uint8)
    red[..., 0] = 255
    assert histograms.gch(red)[48] == 1 and histograms.gch(red).shape == (64,)


def test_lch_is_gch_of_each_block(image):
    blocks = histograms.lch(image).reshape(4, 4, 64)
    for i in range(4):
        for j in range(4):
            block = image[10 * i : 10 * i + 10, 15 * j : 15 * j + 15]
            np.testing.assert_allclose(blocks[i, j], by_numpy(block), atol=1e-7)
    np.testing.assert_allclose(blocks.mean(axis=(0, 1)), histograms.gch(image), atol=1e-6)


def test_lch_of_uneven_blocks_and_of_too_small_an_image(image):
    assert histograms.lch(image[:37, :41]).sum() == pytest.approx(16, rel=1e-5)
    with pytest.raises(ValueError, match="at least 4 x 4"):
        histograms.lch(image[:3])


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
    monkeypatch.setattr(histograms.records, "source", lambda builder, split: splits[split])
    monkeypatch.setattr(histograms, "num_examples", lambda builder, split: len(splits[split]))
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
    x, y = histograms.read(BUILDER, "test", "gch", "polarity")
    expected = np.zeros(64)
    expected[48], expected[2 * 16 + 2 * 4 + 2] = 0.2, 0.8
    np.testing.assert_allclose(x, [expected], atol=1e-7)
    assert y.tolist() == [1]
    (blocks,), _ = histograms.read(BUILDER, "test", "lch", "polarity")
    red = blocks.reshape(4, 4, 64)[..., 48]
    ends = red if image.shape[1] > image.shape[0] else red.T
    np.testing.assert_allclose(ends, np.tile([0.4, 0, 0, 0.4], (4, 1)), atol=1e-7)


def test_a_photograph_too_small_for_blocks_is_named(splits):
    splits["test"] = stored([np.zeros((3, 50, 3), np.uint8)], [1])
    with pytest.raises(UserError, match=r"0.png: expected an image of at least 4 x 4"):
        histograms.read(BUILDER, "test", "lch", "polarity")


@pytest.mark.parametrize("feature", ["gch", "lch"])
def test_colour_tells_what_it_can(coloured, feature):
    scores = histograms.evaluate(coloured, feature)
    assert scores["accuracy"] == 1 and scores["count"] == 16 and scores["missing"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature": "hog"}, "feature=hog is not known; choose from gch, lch"),
        ({"feature": "gch", "target": "mood"}, "target=mood is not known"),
        ({"feature": "gch", "train": "none"}, "coloured: the split none is empty"),
    ],
)
def test_errors_say_what_to_do(coloured, arguments, message):
    with pytest.raises(UserError, match=message):
        histograms.evaluate(coloured, **arguments)


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
    predicted = histograms.fit(x, y).predict(x)
    np.testing.assert_array_equal(predicted, expected)
    one_against_one = SVC(gamma=1 / 5).fit(x / x.std(), y).predict(x / x.std())
    assert (predicted != one_against_one).any() and (predicted == y).mean() > 0.5


def test_two_classes_are_told_by_one_machine():
    x, y = classes(2)
    machine = SVC(gamma=1 / 5).fit(x / x.std(), y)
    np.testing.assert_array_equal(histograms.fit(x, y).predict(x), machine.predict(x / x.std()))


def test_one_class_is_too_few():
    with pytest.raises(UserError, match="two classes"):
        histograms.fit(np.zeros((3, 64), np.float32), np.zeros(3, int))


def test_a_prepared_set_is_read_whole(prepared):
    builder = prepare("emoji_scenes", "tiny", prepared)
    for target, classes in (("polarity", 2), ("label", 8)):
        scores = histograms.evaluate(builder, "gch", target)
        assert scores["count"] == num_examples(builder, "test")
        assert len(scores["recall"]) == classes
