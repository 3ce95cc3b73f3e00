"""What holds of every input of transforms of photographs and of conversions of weights."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxsent import pretrained
from jaxsent.data import augment, photograph
from jaxsent.pretrained import torch_file, torch_writer
from jaxsent.pretrained.convert import from_flax

few = settings(max_examples=15, deadline=None, derandomize=True, database=None)
many = settings(few, max_examples=40)
pixels = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda shape: arrays(np.uint8, (*shape, 3))
)


@many
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 2**31))
def test_crops_lie_within(height, width, seed):
    rng = np.random.default_rng(seed)
    for y, x, h, w in (
        augment.random_crop_box(height, width, rng),
        augment.plain_crop_box(height, width, rng, 448, 512),
    ):
        assert 0 <= y < y + h <= height and 0 <= x < x + w <= width


@many
@given(pixels)
def test_turns_undo_each_other(image):
    assert (augment.flip(augment.flip(image)) == image).all()
    for turn in range(1, 9):
        back = {6: 8, 8: 6}.get(turn, turn)
        assert (photograph.turned(photograph.turned(image, turn), back) == image).all()
        assert sorted(photograph.turned(image, turn).ravel()) == sorted(image.ravel())
    quarter = photograph.turned(image, 6)
    assert (photograph.turned(quarter, 6) == photograph.turned(image, 3)).all()


@many
@given(pixels, st.integers(1, 60), st.integers(1, 60), st.sampled_from(["bilinear", "bicubic"]))
def test_resizing_makes_no_light(image, height, width, kind):
    resized = augment.resize(image, height, width, kind)
    assert resized.shape == (height, width, 3)
    if kind == "bilinear":  # bicubic overshoots
        assert resized.max() <= image.max() and resized.min() >= image.min()
    flat = np.full_like(image, image[0, 0])
    assert (augment.resize(flat, height, width, kind) == flat[0, 0]).all()


@many
@given(pixels, st.integers(1, 60), st.integers(1, 60))
def test_no_fixation_is_lost(image, height, width):
    points = np.where(image[..., 0] > 200, 255, 0).astype(np.uint8)
    moved = augment.resize_points(points, height, width)
    assert bool(moved.any()) == bool(points.any())
    assert (moved > 0).sum() <= (points > 0).sum()
    if height >= points.shape[0] and width >= points.shape[1]:
        assert (moved > 0).sum() == (points > 0).sum()


@many
@given(pixels, st.sampled_from([0, 255]))
def test_on_white(image, alpha):
    opaque = augment.on_white(np.dstack([image, np.full(image.shape[:2], alpha, np.uint8)]))
    assert (opaque == (image if alpha else 255)).all()


@many
@given(
    arrays(np.float32, st.sampled_from([(7,), (3, 5), (2, 3, 4, 5), (3, 512 * 49), (1, 9, 1, 1)]))
)
def test_weights_there_and_back(stored):
    shape = pretrained.to_flax(stored, (0,) * stored.ndim).shape
    loaded = pretrained.to_flax(stored, shape)
    np.testing.assert_array_equal(from_flax(loaded), stored)


@few
@given(st.dictionaries(st.text("ab.é\n", max_size=9), arrays(np.float32, (2, 3)), max_size=4))
def test_a_torch_file_there_and_back(tmp_path_factory, state):
    path = tmp_path_factory.getbasetemp() / "w.pth"
    torch_writer.write(path, state)
    loaded = torch_file.read(path)
    assert list(loaded) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array)
