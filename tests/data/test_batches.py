"""Batches of the tiny configuration of emoji_scenes."""

import pickle
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from jaxsent.data import augment, batches, records
from jaxsent.data.batches import eval_batches, train_batches
from jaxsent.data.elements import TrainElement
from jaxsent.errors import UserError
from tfds_builders.prepare import prepare

TRAIN = dict(batch_size=12, image_size=40, seed=3)
EMPTY = SimpleNamespace(info=SimpleNamespace(full_name="empty", features={}))
EVAL = dict(batch_size=12, image_size=40, resize=48)


@pytest.fixture
def builder(prepared):
    return prepare("emoji_scenes", "tiny", prepared)


def take(batches, count):
    """The first batches, and the iterator closed."""
    first = [next(batches) for _ in range(count)]
    if hasattr(batches, "close"):
        batches.close()
    return first


def assert_equal(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def by_file(batches):
    """(file, image bytes, label) of every row, sorted."""
    rows = [r for b in batches for r in zip(b["file"], b["image"], b["label"], strict=True)]
    return sorted((str(f), i.tobytes(), int(label)) for f, i, label in rows)


# Training -------------------------------------------------------------------------------------


def test_train_elements(builder):
    batch = next(train_batches(builder, "train", **TRAIN))
    assert batch["image"].shape == (12, 40, 40, 3)
    assert batch["image"].dtype == np.uint8
    for key, dtype in [("label", np.int32), ("polarity", np.int32), ("mask", np.bool_)]:
        assert batch[key].shape == (12,)
        assert batch[key].dtype == dtype
    assert batch["mask"].all()
    assert batch["file"][0].startswith("train/")


def test_plain_crops_come_from_one_scale(builder):
    """A hill of light on 224 pixels keeps its width: none is enlarged more than another."""
    y, x = np.mgrid[:224, :224]
    image = np.uint8(255 * np.exp(-((y - 112) ** 2 + (x - 112) ** 2) / 800))
    raw = records.source(builder, "train")[0]
    raw = {**raw, "image": cv2.imencode(".png", np.repeat(image[..., None], 3, -1))[1].tobytes()}
    size, ways = 40, {}
    for crop in augment.CROPS:
        example = TrainElement(
            size, (0.08, 1.0), (0.75, 1.33), 0.5, "bilinear", (), crop, resize=48
        )
        found = [example(raw, np.random.default_rng(i))["image"] for i in range(40)]
        ways[crop] = [int((f[..., 0] > 128).sum()) for f in found]
    expected = (image > 128).sum() * (48 / 224) ** 2
    np.testing.assert_allclose(ways["plain"], expected, rtol=0.1)
    assert np.std(ways["resized"]) > 0.3 * expected


def test_a_plain_crop_must_exist_and_fit(builder):
    with pytest.raises(UserError, match="'random': expected one of resized, plain"):
        train_batches(builder, "train", **TRAIN, crop="random")
    with pytest.raises(UserError, match="augment.resize=39 is below data.image_size=40"):
        train_batches(builder, "train", **TRAIN, crop="plain", resize=39)
    train_batches(builder, "train", **TRAIN, resize=39)


def test_resumed_equals_unbroken(builder):
    unbroken = take(train_batches(builder, "train", **TRAIN), 12)  # more than two epochs
    resumed = take(train_batches(builder, "train", start_step=5, **TRAIN), 7)
    assert_equal(unbroken[5:], resumed)


@pytest.mark.parametrize("keep", [1.0, 40 * 224 * 224 * 3 / 2**30])
@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_kept_changes_nothing(builder, workers, keep):
    """All of it, and the 40 images that find room."""
    options = TRAIN | {"image_size": 24, "scale": (0.02, 1.0)}  # some boxes are decoded smaller
    fresh = take(train_batches(builder, "train", **options), 14)
    cached = train_batches(builder, "train", workers=workers, keep=keep, **options)
    assert_equal(fresh, take(cached, 14))


def test_images_are_kept_while_there_is_room(builder, monkeypatch):
    source = records.source(builder, "train")
    size = augment.decode(source[0]["image"]).nbytes
    cached = records.CachedSource(source, 5 * size)
    first = [cached[i] for i in range(8)]
    monkeypatch.setattr(records.Source, "__getitem__", lambda self, i: {"file": i})
    assert [cached[i] is first[i] for i in range(5)] == [True] * 5
    assert [cached[i] for i in range(5, 8)] == [{"file": i} for i in range(5, 8)]
    assert "pixels" not in records.CachedSource(source, 0)[0]
    assert not pickle.loads(pickle.dumps(cached)).examples


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_do_not_change_batches(builder, workers):
    alone = take(train_batches(builder, "train", start_step=2, **TRAIN), 5)
    helped = train_batches(builder, "train", start_step=2, workers=workers, **TRAIN)
    assert_equal(alone, take(helped, 5))


def test_processes_share_each_global_batch(builder):
    whole = take(train_batches(builder, "train", **TRAIN), 7)
    for count in (2, 3):
        parts = [
            take(
                train_batches(builder, "train", **TRAIN, process_index=i, process_count=count),
                7,
            )
            for i in range(count)
        ]
        assert parts[0][0]["image"].shape[0] == 12 // count
        for step in range(7):
            assert by_file(p[step] for p in parts) == by_file([whole[step]])


def test_epochs_are_complete_and_differ(builder):
    options = TRAIN | {"batch_size": 16}  # 4 batches an epoch
    batches = take(train_batches(builder, "train", **options), 8)
    first, second = (
        np.concatenate([b["file"] for b in part]) for part in (batches[:4], batches[4:])
    )
    assert len(set(first)) == 64
    assert set(first) == set(second)
    assert list(first) != list(second)
    assert not set(by_file(batches[:4])) & set(by_file(batches[4:]))  # other crops
    other = take(train_batches(builder, "train", **options | {"seed": 4}), 1)
    assert list(other[0]["file"]) != list(first[:16])


def test_no_augmentation_is_a_plain_resize(builder):
    """The whole image: area 1 and ratio 1 of a square, never mirrored."""
    options = TRAIN | dict(image_size=128, scale=(1, 1), ratio=(1, 1), flip=0.0)
    (batch,) = take(train_batches(builder, "train", **options), 1)
    plain = eval_batches(builder, "train", batch_size=64, image_size=128, resize=128)
    whole = next(plain)
    images = dict(zip(whole["file"], whole["image"], strict=True))
    for file, image in zip(batch["file"], batch["image"], strict=True):
        np.testing.assert_array_equal(image, images[file])


def test_flip_mirrors_half(builder):
    options = TRAIN | dict(batch_size=64, scale=(1, 1), ratio=(1, 1))
    still, mirrored, half = (
        take(train_batches(builder, "train", **options, flip=p), 1)[0]["image"]
        for p in (0.0, 1.0, 0.5)
    )
    np.testing.assert_array_equal(mirrored, still[:, :, ::-1])
    count = sum((a == b).all() for a, b in zip(half, mirrored, strict=True))
    assert 20 <= count <= 44


def test_batch_that_does_not_divide(builder):
    with pytest.raises(UserError, match=r"batch_size=30 .* 8 processes; try 24 or 32"):
        train_batches(builder, "train", **TRAIN | {"batch_size": 30}, process_count=8)


def test_a_map_that_the_set_lacks():
    with pytest.raises(UserError, match="has no fixations; it has"):
        batches._check_maps(EMPTY, ("fixations",))


def test_unknown_split(builder):
    with pytest.raises(UserError, match=r"no split validation; it has"):
        train_batches(builder, "validation", **TRAIN)


# Evaluation -----------------------------------------------------------------------------------


def test_eval_sees_each_image_once_in_order(builder):
    batches = list(eval_batches(builder, "test", **EVAL))  # 32 images: 12, 12, 8
    assert [int(b["mask"].sum()) for b in batches] == [12, 12, 8]
    assert all(b["image"].shape == (12, 40, 40, 3) for b in batches)
    files = [f for b in batches for f in b["file"][b["mask"]]]
    assert sorted(files) == [f"test/{i:06d}.jpg" for i in range(32)]
    again = [f for b in eval_batches(builder, "test", **EVAL) for f in b["file"][b["mask"]]]
    assert files == again
    assert not batches[-1]["image"][8:].any()


@pytest.mark.parametrize("count", [2, 4, 12])
def test_eval_processes_hold_blocks_of_the_global_batch(builder, count):
    whole = list(eval_batches(builder, "test", **EVAL))
    parts = [
        list(eval_batches(builder, "test", **EVAL, process_index=i, process_count=count))
        for i in range(count)
    ]
    assert {len(p) for p in parts} == {3}
    joined = [{k: np.concatenate([p[s][k] for p in parts]) for k in whole[0]} for s in range(3)]
    assert_equal(whole, joined)


def test_eval_workers_do_not_change_batches(builder):
    options = EVAL | dict(maps=("region",), ten_crop=True)
    alone = list(eval_batches(builder, "test", **options))
    assert_equal(alone, list(eval_batches(builder, "test", **options, workers=2)))


def test_ten_crop_ends_with_the_centre(builder):
    batch = next(eval_batches(builder, "test", **EVAL, ten_crop=True))
    centre = next(eval_batches(builder, "test", **EVAL))
    whole = next(eval_batches(builder, "test", batch_size=12, image_size=48, resize=48))
    assert batch["image"].shape == (12, 5, 40, 40, 3)
    np.testing.assert_array_equal(batch["image"][:, -1], centre["image"])
    for i, (y, x) in enumerate([(0, 0), (0, 8), (8, 0), (8, 8)]):
        np.testing.assert_array_equal(
            batch["image"][:, i], whole["image"][:, y : y + 40, x : x + 40]
        )


def test_the_whole_image_comes_with_files_as_they_are(builder):
    """What maps are made from: no crop hides a part of it; truths keep their own size."""
    options = dict(whole=True, maps=("region",))
    for workers in (0, 2):
        batch = next(eval_batches(builder, "test", **EVAL, **options, workers=workers))
        assert batch["whole"].shape == (12, 40, 40, 3)
        raw = records.source(builder, "test")[3]
        assert (batch["photograph"][3], batch["region"][3]) == (raw["image"], raw["region"])
        image = augment.decode(raw["image"])
        np.testing.assert_array_equal(batch["whole"][3], augment.resize(image, 40, 40))
    last = list(eval_batches(builder, "test", **EVAL, **options))[-1]  # 8 images and padding
    assert not last["mask"][8:].any()
    assert (last["photograph"][-1], last["region"][-1]) == (b"", b"")


def test_crop_larger_than_the_resized_image(builder):
    with pytest.raises(UserError, match=r"resize=32 is below image_size=40"):
        eval_batches(builder, "test", batch_size=4, image_size=40, resize=32)


def test_files_in_a_batch_keep_the_zeros_at_their_ends():
    """Which NumPy's own bytes would lose."""
    files = [b"ab\0\0", b"", b"\0"]
    batch = batches._batched([{"photograph": file} for file in files])
    assert list(batch["photograph"]) == files
