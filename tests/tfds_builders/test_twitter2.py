"""Twitter II: five partitions, labels by row."""

import pytest

from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tfds_builders import survey
from tfds_builders.prepare import prepare
from tfds_builders.twitter2.twitter2_dataset_builder import read_labels

POSITIVE = {n for n in range(1, 21) if n % 4}  # 1, 2, 3, not 4, ...


@pytest.fixture
def folder(tmp_path):
    """Twenty photographs, 1 to 4 in partition 1 and so on; the table has a heading."""
    root = tmp_path / "in" / "twitter"
    rows = ["id\tsentiment"]
    for n in range(1, 21):
        trees.photograph(root / f"partition{(n + 3) // 4}" / f"{n}.jpg")
        rows.append(f"{1000 + n}\t{'positive' if n in POSITIVE else 'negative'}")
    (root / "groundTruthLabel.txt").write_text("\r\n".join(rows))
    return root


@pytest.mark.parametrize("fold", range(1, 6))
def test_a_partition_is_test(folder, tmp_path, fold):
    builder = prepare("twitter2", f"fold{fold}", tmp_path / "out", folder.parent)
    tested = range(4 * fold - 3, 4 * fold + 1)
    assert trees.sizes(builder) == {"train": 16, "test": 4}
    assert trees.labels(builder, "test") == {
        f"twitter/partition{fold}/{n}.jpg": "positive" if n in POSITIVE else "negative"
        for n in tested
    }
    examples = trees.examples(builder, "train").values()
    assert all(e["label"] == e["polarity"] for e in examples)
    assert sum(e["label"] for e in examples) == 12


def test_the_folder_itself_and_what_it_lacks(folder, tmp_path):
    (folder / "partition2" / "6.jpg").unlink()
    trees.photograph(folder / "partition2" / "99.jpg")
    trees.photograph(folder / "partition2" / "cover.jpg")
    builder = prepare("twitter2", None, tmp_path / "out", folder)
    told = survey.load(builder.data_dir)
    assert (told.missing, told.found, told.expected) == (["6.jpg"], 19, 603)
    assert told.left_out == {"without a row in the table": 2}
    assert (told.unlisted, told.outside, told.others) == ([], [], [])
    assert {(r.label, r.expected) for r in told.rows() if r.split == "all"} == {
        ("negative", 133), ("positive", 470), ("all", 603),
    }  # fmt: skip
    assert builder.builder_config.name == "fold1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("heading", ["", "tweet\tsentiment"])
def test_rows_with_and_without_a_heading(tmp_path, end, heading):
    words = ["negative", "positive", "negative", "Positive "]
    rows = [heading] * bool(heading) + [f"{i}\t{word}" for i, word in enumerate(words)]
    (tmp_path / "t.txt").write_bytes(end.join(rows).encode())
    expected = {1: "negative", 2: "positive", 3: "negative", 4: "positive"}
    assert read_labels(tmp_path / "t.txt") == expected
    (tmp_path / "t.txt").write_text("1\tneg\n2\tpos\n")
    with pytest.raises(UserError, match=r"t.txt: expected a column with `positive`"):
        read_labels(tmp_path / "t.txt")


def test_other_folder(folder, tmp_path):
    (folder / "groundTruthLabel.txt").unlink()
    with pytest.raises(UserError, match=r"holds twitter; expected .*groundTruthLabel.txt"):
        prepare("twitter2", None, tmp_path / "out", folder.parent)
