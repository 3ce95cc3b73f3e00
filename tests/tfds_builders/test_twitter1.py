"""Twitter I: the published folds, and folders of small photographs under their names."""

import pytest

from jaxsent.errors import UserError
from tests.conftest import SHARED
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.prepare import prepare
from tfds_builders.twitter1 import folds

WORDS = {5: "five", 4: "four", 3: "three"}


def lines(path):
    return [line.split() for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("agree", "total", "positive"), [(5, 880, 579), (4, 1115, 688), (3, 1265, 767)]
)
def test_bundled_folds(agree, total, positive):
    """Five tests that cover each photograph once; each train is the rest."""
    parts = [folds.fold(folds.OFFICIAL, agree, k) for k in range(1, 6)]
    tested = [pair for part in parts for pair in part["test"]]
    assert len(tested) == len({name for name, _ in tested}) == total
    assert sum(label == "positive" for _, label in tested) == positive
    for part in parts:
        assert len(part["test"]) == total // 5
        assert sorted(part["train"] + part["test"]) == sorted(tested)
        assert not set(part["train"]) & set(part["test"])


@pytest.mark.parametrize("agree", WORDS)
def test_bundled_folds_are_the_published_ones(agree):
    folder = SHARED / "data" / "twitter1"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/twitter1, which is beside a developer's checkout only")
    for k in range(1, 6):
        ours = folds.fold(folds.OFFICIAL, agree, k)
        assert ours == folds.fold(folder, agree, k)
        for split in ("train", "test"):
            theirs = lines(folder / f"{WORDS[agree]}_agrees" / f"test{k}" / f"{split}.txt")
            signs = [[name, str(int(label == "positive"))] for name, label in ours[split]]
            assert signs == theirs


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Photographs under the published names of agree 5, as the authors pack them."""
    root = tmp_path_factory.mktemp("twitter1")
    for name, _ in _published():
        trees.photograph(root / "Agg_AMT_Candidates" / name, name)
    return root


def _published():
    files = folds.OFFICIAL.glob("five_agrees/test*/test.txt")
    return [pair for path in sorted(files) for pair in lines(path)]


def test_the_whole_of_a_fold(photographs, tmp_path):
    builder = prepare("twitter1", "agree5_fold2", tmp_path, photographs, strict=True)
    assert trees.sizes(builder) == {"train": 704, "test": 176}
    signs = dict(_published())
    tested = lines(folds.OFFICIAL / "five_agrees" / "test2" / "test.txt")
    examples = trees.examples(builder, "test")
    assert examples.keys() == {f"Agg_AMT_Candidates/{name}" for name, _ in tested}
    for name, sign in tested:
        example = examples[f"Agg_AMT_Candidates/{name}"]
        assert example["label"] == example["polarity"] == int(signs[name]) == int(sign)
    table = {(row.split, row.label): row for row in survey.load(builder.data_dir).rows()}
    assert table["all", "positive"].found == table["all", "positive"].expected == 579
    assert table["test", "all"].expected == 176


def test_configurations():
    from tfds_builders import builder_class

    names = list(builder_class("twitter1").builder_configs)
    assert names[0] == "agree5_fold1"
    assert names[-1] == "agree3_fold5"
    assert len(names) == 15


def test_photographs_alone_and_a_plain_table(tmp_path):
    """Ten photographs; a table that contradicts one label and names one that no fold has."""
    root = tmp_path / "photographs of tweets"
    train = folds.fold(folds.OFFICIAL, 5, 1)["train"][:6]
    test = folds.fold(folds.OFFICIAL, 5, 1)["test"][:4]
    for name, _ in train + test:
        trees.photograph(root / name, name)
    wrong = train[0][0], "01"[train[0][1] == "negative"]
    right = [(name, "01"[label == "positive"]) for name, label in train[1:] + test]
    table = [wrong, *right, ("trimmed.jpg", "1")]
    for name in ("trimmed.jpg", "other.jpg"):
        trees.photograph(root / name)
    (root / "five_agrees.txt").write_text("".join(f"{n} {s}\n" for n, s in table))
    builder = prepare("twitter1", "agree5_fold1", tmp_path / "out", root)
    assert trees.sizes(builder) == {"train": 5, "test": 4}
    told = survey.load(builder.data_dir)
    assert told.contradictory == [f"{train[0][0]} (negative, positive)"]
    assert told.left_out == {"in no fold": 1}
    assert (told.unlisted, told.others) == (["other.jpg"], [])
    assert len(told.missing) == 870
    with pytest.raises(UserError, match="870 missing"):
        prepare("twitter1", "agree5_fold1", tmp_path / "other", root, strict=True)


def test_folds_of_ones_own_come_first(tmp_path):
    root = tmp_path / "twitter"
    for i in range(10):
        trees.photograph(root / "images" / f"{i}.jpg")
    for k in range(1, 6):
        folder = root / "three_agrees" / f"test{k}"
        folder.mkdir(parents=True)
        (folder / "test.txt").write_text(f"{2 * k - 2}.jpg 0\n{2 * k - 1}.jpg 1\n")
    builder = prepare("twitter1", "agree3_fold4", tmp_path / "out", root, strict=True)
    assert trees.sizes(builder) == {"train": 8, "test": 2}
    assert trees.labels(builder, "test") == {"images/6.jpg": "negative", "images/7.jpg": "positive"}
    assert survey.load(builder.data_dir).others == []
    (root / "three_agrees" / "test1" / "test.txt").write_text("0.jpg 2\n")
    with pytest.raises(UserError, match=r"test.txt, line 1: expected .* found '0.jpg 2'"):
        prepare("twitter1", "agree3_fold1", tmp_path / "out", root)


def test_one_picture_in_train_and_test_is_an_error(tmp_path):
    fold = folds.fold(folds.OFFICIAL, 5, 1)
    for split in ("train", "test"):
        for sign in ("negative", "positive"):
            name = next(name for name, label in fold[split] if label == sign)
            trees.photograph(tmp_path / "in" / "images" / name, sign)
    with pytest.raises(UserError, match=r"in 2 cases two splits hold the same picture"):
        prepare("twitter1", "agree5_fold1", tmp_path / "out", tmp_path / "in")


def test_other_photographs(tmp_path):
    trees.photograph(tmp_path / "in" / "1.jpg")
    with pytest.raises(UserError, match=r"0 of 880 images usable; 880 missing: .*; none for the"):
        prepare("twitter1", None, tmp_path / "out", tmp_path / "in")


def test_other_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"holds notes.txt, out; expected .*Agg_AMT_Candidates"):
        prepare("twitter1", None, tmp_path / "out", tmp_path)
