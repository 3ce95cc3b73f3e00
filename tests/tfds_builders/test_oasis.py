"""OASIS: the shared part of it, and small folders made here."""

import logging

import cv2
import numpy as np
import pytest

from jaxsent.data.batches import class_names, eval_batches, num_examples
from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders.oasis.ratings import FOLDS, Rating, read_ratings
from tfds_builders.prepare import prepare

HEADER = (
    ",Theme,Category,Source,Valence_mean,Valence_SD,Valence_N,Arousal_mean,Arousal_SD,Arousal_N"
)


def write_csv(root, rows):
    """OASIS.csv as published: carriage returns alone end the lines. rows: (name, valence)."""
    lines = [f"I{i},{name},Object,X,{v},1,100,{2.5},1,100" for i, (name, v) in enumerate(rows)]
    (root / "OASIS.csv").write_bytes("\r".join([HEADER, *lines]).encode())


def write_photo(root, name, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (20, 25, 3), np.uint8)
    cv2.imwrite(str(root / "images" / f"{name}.jpg"), noise)


THEMES = [f"{a}{b}" for a in ("Cat", "Sea", "Sun", "Ice") for b in "ABCDE"]


@pytest.fixture
def folder(tmp_path):
    """60 photographs of 20 themes with valences 2, 4 and 6."""
    root = tmp_path / "oasis"
    (root / "images").mkdir(parents=True)
    rows = [(f"{theme} {i}", 2 * i) for theme in THEMES for i in (1, 2, 3)]
    # As in the published table, one name ends with a space.
    write_csv(root, [(f"{name} " if name == "SunC 2" else name, v) for name, v in rows])
    for seed, (name, _) in enumerate(rows):
        write_photo(root, name, seed)
    return root


def examples(builder, split):
    return list(trees.stored(builder, split))


def test_polarity_thresholds_are_inclusive():
    valences = [3.49, 3.5, 3.51, 4.49, 4.5, 4.51]
    polarities = [Rating("a 1", "a", "Object", v, 2.0).polarity for v in valences]
    assert polarities == [0, 0, -1, -1, 1, 1]


def test_rows_are_read(folder):
    ratings = read_ratings(folder / "OASIS.csv")
    assert len(ratings) == 60
    assert ratings[0] == Rating("CatA 1", "CatA", "Object", 2.0, 2.5, 1.0, 1.0)
    assert {r.name for r in ratings if r.theme == "SunC"} == {"SunC 1", "SunC 2", "SunC 3"}


@pytest.mark.parametrize(("mean", "sd"), [(2.0, 1.0), (4.0, 0.5), (5.2, 1.3), (6.9, 0.2)])
def test_votes_against_raters_drawn_one_by_one(mean, sd):
    drawn = np.random.default_rng(0).normal(mean, sd, 1_000_000)
    positive, negative = (drawn >= 4.5).sum(), (drawn <= 3.5).sum()
    rating = Rating("a 1", "a", "Object", mean, 2.0, sd)
    np.testing.assert_allclose(rating.votes, positive / (positive + negative), atol=3e-3)


@pytest.mark.parametrize("deviation", ["", "unknown", "0"])
def test_without_deviations_there_are_no_votes(folder, deviation):
    text = (folder / "OASIS.csv").read_text()
    (folder / "OASIS.csv").write_text(text.replace(",2.0,1,", f",2.0,{deviation},"))
    assert np.isnan(Rating("a 1", "a", "Object", 2.0, 2.0).votes)
    assert len(read_ratings(folder / "OASIS.csv")) == 60


def test_a_part_of_the_set_keeps_the_folds(folder):
    before = {r.name: r.fold for r in read_ratings(folder / "OASIS.csv")}
    write_csv(folder, [("SeaB 2", 4), ("CatA 3", 6)])
    for rating in read_ratings(folder / "OASIS.csv"):
        assert rating.fold == before[rating.name]


def test_prepared_folds(folder, tmp_path, caplog):
    tested = []
    for k in range(1, FOLDS + 1):
        builder = prepare("oasis", f"fold{k}", tmp_path / "out", folder, strict=True)
        parts = {s: examples(builder, s) for s in ("train", "test", "neutral")}
        assert [len(parts["neutral"]), len(parts["train"]) + len(parts["test"])] == [20, 40]
        assert {e["fold"] for e in parts["test"]} <= {k}
        assert k not in {e["fold"] for e in parts["train"]}
        themes = [{e["theme"] for e in parts[s]} for s in ("train", "test")]
        assert not themes[0] & themes[1]
        for e in parts["train"] + parts["test"]:
            assert e["label"] == e["polarity"] == (e["valence"] > 4)
            assert (e["votes"] > 0.9) == (e["valence"] > 4)
            assert e["valence_sd"] == 1
        assert {e["label"] for e in parts["neutral"]} == {-1}
        tested += [e["file"].decode() for e in parts["test"]]
    assert len(tested) == len(set(tested)) == 40
    assert class_names(builder) == ["negative", "positive"]


def test_missing_and_broken_photographs_are_told(folder, tmp_path, caplog):
    (folder / "images" / "SeaA 1.jpg").unlink()
    (folder / "images" / "SeaA 3.jpg").write_bytes(b"<html>not found</html>")
    (folder / "images" / "IceE 1.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"57 of 60 .* 1 missing: SeaA 1.jpg; 2 undecodable"):
        prepare("oasis", "fold1", tmp_path / "out", folder, strict=True)
    assert not list((tmp_path / "out").glob("oasis/fold1/*"))
    with caplog.at_level(logging.WARNING, "absl"):
        builder = prepare("oasis", "fold1", tmp_path / "out", folder)
    assert "57 of 60 images usable; 1 missing: SeaA 1.jpg" in caplog.text
    assert "no photographs" not in caplog.text  # OASIS.csv is the set's own
    assert sum(num_examples(builder, s) for s in ("train", "test", "neutral")) == 57


def test_png_with_transparency_named_jpg_lies_on_white(folder, tmp_path):
    rgba = np.zeros((20, 25, 4), np.uint8)
    rgba[:10] = (0, 0, 200, 255)  # BGRA: the upper half opaque red, the lower transparent black
    _, png = cv2.imencode(".png", rgba)
    (folder / "images" / "IceA 1.jpg").write_bytes(png.tobytes())
    builder = prepare("oasis", "fold1", tmp_path / "out", folder)
    everything = examples(builder, "train") + examples(builder, "test")
    (example,) = [e for e in everything if e["file"] == b"images/IceA 1.jpg"]
    stored = cv2.imdecode(np.frombuffer(example["image"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert stored.shape == (20, 25, 3)
    assert (stored[:10] == (0, 0, 200)).all()
    assert (stored[10:] == 255).all()


def test_one_picture_in_two_folds_is_an_error(folder, tmp_path):
    ratings = [r for r in read_ratings(folder / "OASIS.csv") if r.polarity == 1]
    first = ratings[0]
    other = next(r for r in ratings if r.fold != first.fold)
    images = folder / "images"
    (images / f"{other.name}.jpg").write_bytes((images / f"{first.name}.jpg").read_bytes())
    with pytest.raises(UserError, match=r"the same picture"):
        prepare("oasis", f"fold{first.fold}", tmp_path / "out", folder)


def test_wrong_folder_says_what_was_expected(tmp_path):
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(UserError) as error:
        prepare("oasis", "fold1", tmp_path / "out", tmp_path)
    for text in (str(tmp_path / "OASIS.csv"), "images/<Theme n>.jpg", "osf.io"):
        assert text in str(error.value)


def test_wrong_table_says_which_column(folder, tmp_path):
    (folder / "OASIS.csv").write_text("Theme,Category,Valence_mean\nCat 1,Animal,5\n")
    with pytest.raises(UserError, match=r"; no Arousal_mean"):
        prepare("oasis", "fold1", tmp_path / "out", folder)
    write_csv(folder, [("CatA 1", "high")])
    with pytest.raises(UserError, match=r"row 1: expected numbers .* 'CatA 1'"):
        prepare("oasis", "fold1", tmp_path / "out", folder)


def test_the_shared_photographs(oasis_folder, tmp_path):
    builder = prepare("oasis", "fold3", tmp_path, oasis_folder, strict=True)
    counts = {s: num_examples(builder, s) for s in ("train", "test", "neutral")}
    assert counts == {"train": 369, "test": 94, "neutral": 128}
    (batch,) = eval_batches(builder, "test", batch_size=94, image_size=64, resize=72)
    np.testing.assert_array_equal(np.bincount(batch["label"]), [35, 59])


def test_folds_are_balanced(oasis_folder):
    ratings = read_ratings(oasis_folder / "OASIS.csv")
    for polarity, low, high in [(1, 58, 66), (0, 29, 35), (-1, 22, 29)]:
        folds = np.bincount([r.fold for r in ratings if r.polarity == polarity], minlength=6)[1:]
        assert low <= folds.min()
        assert folds.max() <= high
