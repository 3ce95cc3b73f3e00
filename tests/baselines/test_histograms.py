"""Colour histograms against NumPy's."""

import numpy as np
import pytest

from jaxsent.baselines import histograms


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
