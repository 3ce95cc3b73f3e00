"""Scenes of emoji: deterministic, labelled right, masks exact."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from jaxsent.data.batches import eval_batches
from tests.tfds_builders import trees
from tfds_builders.emoji_scenes import scenes
from tfds_builders.emoji_scenes.emoji_scenes_dataset_builder import Config
from tfds_builders.emoji_scenes.glyphs import AFFECTIVE, NEUTRAL
from tfds_builders.prepare import prepare


def compose(label=0, split="train", seed=0, size=224):
    return scenes.compose(np.random.default_rng(seed), label, split, size)


def codes(label, split):
    return {code for family in AFFECTIVE[label] for code in getattr(family, split)}


def test_classes_are_mikels_in_alphabetical_order():
    assert scenes.CLASSES == (
        "amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness",
    )  # fmt: skip


def test_every_glyph_exists_and_belongs_to_one_class():
    everything = [code for c in scenes.CLASSES for code in codes(c, "train") | codes(c, "test")]
    assert len(everything) == len(set(everything))
    assert len(NEUTRAL) == len(set(NEUTRAL))
    assert not set(NEUTRAL) & set(everything)
    for code in (*everything, *NEUTRAL):
        rendered = scenes.drawing(code, 32)
        assert rendered.shape == (32, 32, 4)
        assert rendered[..., 3].max() > 200, code


def test_variants_of_a_family_are_held_out_entirely_or_shared():
    held_out = 0
    for families in AFFECTIVE.values():
        for family in families:
            apart = not set(family.train) & set(family.test)
            assert apart or family.train == family.test, family.name
            held_out += apart
    assert held_out >= 8


def test_compose_is_a_function_of_its_arguments():
    first, again, other = compose(seed=1), compose(seed=1), compose(seed=2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != other[0]).any()


def test_class_changes_only_the_affective_drawings():
    """Two classes with one seed share the background and objects outside both regions."""
    for seed in range(8):
        one, other = compose(0, seed=seed), compose(6, seed=seed)
        outside = (one[1] == 0) & (other[1] == 0)
        np.testing.assert_array_equal(one[0][outside], other[0][outside])
        assert (one[0][one[1] == 255] != other[0][one[1] == 255]).mean() > 0.5


@pytest.mark.parametrize("size", [64, 224, 320])
def test_regions_are_a_fair_part_of_the_scene(size):
    shares = []
    for seed in range(24):
        image, region = compose(seed % 8, seed=seed, size=size)
        assert image.shape == (size, size, 3)
        assert region.shape == (size, size)
        assert image.dtype == region.dtype == np.uint8
        shares.append((region > 127).mean())
    assert min(shares) > 0.005
    assert max(shares) < 0.5
    assert 0.04 < np.mean(shares) < 0.25


def test_region_is_the_drawings_alpha():
    """A scene's drawing pasted on another background differs exactly where the region is 0."""
    rng = np.random.default_rng(0)
    drawing = scenes._tilted(rng, "1F602", 224)
    for tone in (0, 255):
        scene = np.full((224, 224, 3), tone, np.uint8)
        scenes._paste(scene, drawing, 10, 20)
        side = drawing.shape[0]
        alpha = drawing[..., 3]
        patch = scene[10 : 10 + side, 20 : 20 + side]
        assert (patch[alpha == 0] == tone).all()
        np.testing.assert_array_equal(patch[alpha == 255], drawing[..., :3][alpha == 255])


@pytest.mark.parametrize(("y", "x"), [(-20, 5), (5, -20), (210, 210), (-300, 0), (0, 300)])
def test_paste_is_cut_at_the_borders(y, x):
    scene = np.zeros((224, 224, 3), np.uint8)
    scenes._paste(scene, np.full((64, 64, 4), 255, np.uint8), y, x)
    big = np.zeros((900, 900), np.uint8)
    big[400 + y : 464 + y, 400 + x : 464 + x] = 255
    np.testing.assert_array_equal(scene[..., 0], big[400:624, 400:624])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return prepare("emoji_scenes", "tiny", tmp_path_factory.mktemp("tfds"))


def test_prepared_scenes_equal_composed_ones(tiny):
    (source,) = [trees.stored(tiny, "test")]
    examples = {e["file"].decode(): e for e in source}
    assert sorted(examples) == [f"test/{i:06d}.jpg" for i in range(32)]
    for index in (0, 13, 31):
        example = examples[f"test/{index:06d}.jpg"]
        image, region = compose(index % 8, "test", [0, 1, index])
        assert example["label"] == index % 8
        assert example["polarity"] == (index % 8 in (0, 2, 3, 5))
        stored = np.asarray(Image.open(io.BytesIO(example["image"]))).astype(int)
        assert np.abs(stored - image).mean() < 4  # JPEG
        np.testing.assert_array_equal(Image.open(io.BytesIO(example["region"])), region)


def test_classes_are_balanced_and_splits_differ(tiny):
    labels = [e["label"] for e in trees.stored(tiny, "train")]
    np.testing.assert_array_equal(np.bincount(labels), [8] * 8)
    images = [{e["image"] for e in trees.stored(tiny, split)} for split in ("train", "test")]
    assert len(images[0]) == 64
    assert len(images[1]) == 32
    assert not images[0] & images[1]


def test_configuration_of_ones_own(tmp_path):
    config = Config(name="mine", train=8, test=8, size=96, seed=7)
    builder = prepare("emoji_scenes", config, tmp_path)
    first = next(eval_batches(builder, "train", batch_size=8, image_size=96, resize=96))
    image, _ = compose(0, "train", [7, 0, 0], 96)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    expected = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
    (row,) = np.flatnonzero(first["file"] == "train/000000.jpg")
    np.testing.assert_array_equal(first["image"][row], expected)


def test_metadata_credits_openmoji(tiny):
    assert "CC BY-SA 4.0" in tiny.info.description
    assert "OpenMoji" in tiny.info.description
    assert "CC BY-SA 4.0" in str(tiny.info.redistribution_info)
