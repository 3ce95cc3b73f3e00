"""Colour histograms against NumPy's, and the machine on sets that colour can and cannot tell."""

import types

import numpy as np
import pytest

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


@pytest.fixture
def coloured(monkeypatch):
    """A set whose positive images are light; one image has no label, the last batch is padded."""
    rng = np.random.default_rng(0)

    def batches(builder, split, *, batch_size, image_size, resize):
        polarity = np.array([0, 1] * 8 + [-1, 0, 0, 0])
        light = rng.integers(0, 128, (20, image_size, image_size, 3)) + 127 * (
            polarity == 1
        ).reshape(-1, 1, 1, 1)
        mask = np.arange(20) < 17
        yield {"image": light.astype(np.uint8), "polarity": polarity, "mask": mask}

    monkeypatch.setattr(batches, "eval_batches", batches)
    monkeypatch.setattr(batches, "num_examples", lambda builder, split: 17 * (split != "none"))
    return types.SimpleNamespace(info=types.SimpleNamespace(full_name="coloured"))


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


def test_one_class_is_too_few():
    with pytest.raises(UserError, match="two classes"):
        histograms.fit(np.zeros((3, 64), np.float32), np.zeros(3, int))


def test_a_prepared_set_is_read_whole(prepared):
    builder = prepare("emoji_scenes", "tiny", prepared)
    for target, classes in (("polarity", 2), ("label", 8)):
        scores = histograms.evaluate(builder, "gch", target)
        assert scores["count"] == num_examples(builder, "test")
        assert len(scores["recall"]) == classes
