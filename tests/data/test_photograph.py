"""Large photographs are decoded at part of their size, and the same is seen of them."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxsent.data import photograph
from jaxsent.prediction.predictor import look
from jaxsent.run.card import Card

CARD = Card(("a", "b"), (), 256, 224, "bilinear")


def jpeg(width, height, turned=1) -> bytes:
    """Blocks with grain, as large as a camera's."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (height // 96 + 1, width // 96 + 1, 3), np.uint8)
    pixels = np.kron(blocks, np.ones((96, 96, 1), np.uint8))[:height, :width].astype(np.int16)
    pixels += rng.integers(-9, 10, pixels.shape, np.int16)
    exif = Image.Exif()
    exif[0x0112] = turned
    file = io.BytesIO()
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    image.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("turned", [1, 3, 6])
def test_a_camera_photograph_at_a_quarter(turned, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(2944, 2208, turned))
    image, shape = photograph.read_near(path, 256)
    whole = photograph.read(path)
    assert shape == whole.shape[:2] == ((2944, 2208) if turned == 6 else (2208, 2944))
    assert tuple(4 * v for v in image.shape[:2]) == shape
    near, exact = look(path, CARD), look(whole, CARD)
    assert near.box == exact.box
    assert np.abs(near.pixels.astype(int) - exact.pixels).mean() < 1


@pytest.mark.parametrize("size", [(2946, 2207), (1600, 1200)])
def test_others_are_decoded_whole(size):
    data = jpeg(*size)
    image, shape = photograph.read_near(data, 256)
    assert image.shape[:2] == shape == size[::-1]
    np.testing.assert_array_equal(image, photograph.read(data))
