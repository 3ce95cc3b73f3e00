"""A file of answers grows, goes on after a crash, and is no other model's."""

import json

import pytest

from jaxsent.errors import UserError
from jaxsent.prediction import answers
from jaxsent.run.card import Card, Rules

CARD = Card(
    ("negative", "positive"), (), 256, 224, "bilinear", ratings=("valence",),
    rules=Rules(0.7, 3.0),
)  # fmt: skip
COLUMNS = ["file", "label", "polarity", "negative", "positive", "valence", "sure", "familiar",
           "seconds"]  # fmt: skip


def answer(i: int) -> dict:
    p = 0.5 + i / 1000
    return {
        "file": f"folder, one/\u00e9 {i}.jpg", "label": "positive", "polarity": "positive",
        "probabilities": {"positive": p, "negative": 1 - p}, "ratings": {"valence": 4 + i / 100},
        "strangeness": 0.1, "sure": i % 2 == 0, "familiar": True, "seconds": 0.25,
    }  # fmt: skip


@pytest.fixture(params=answers.FORMATS)
def path(request, tmp_path):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="needs jaxsent[parquet]")
    return tmp_path / "new" / f"answers{request.param}"


def write(path, numbers) -> None:
    with answers.Answers(path, answers.columns(CARD)) as file:
        for i in numbers:
            if answer(i)["file"] not in file.files:
                file.add(answer(i))


def rows(path) -> list[dict]:
    return list(answers.Answers(path, COLUMNS).rows())


def test_columns():
    assert answers.columns(CARD) == COLUMNS
    assert set(answers.flat(answer(1))) == set(COLUMNS)
    plain = CARD._replace(ratings=(), rules=Rules())
    assert answers.columns(plain) == [
        "file",
        "label",
        "polarity",
        "negative",
        "positive",
        "seconds",
    ]


def test_a_second_call_adds_what_is_missing(path):
    write(path, range(3))
    write(path, range(5))
    assert rows(path) == [answers.flat(answer(i)) for i in range(5)]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_it_goes_on_after_a_crash_in_the_middle_of_a_line(path):
    open_file = answers.Answers(path, COLUMNS).__enter__()
    for i in range(3):
        open_file.add(answer(i))
    open_file.__exit__(KeyboardInterrupt, None, None)
    (growing,) = path.parent.iterdir()
    whole = growing.read_bytes()
    for cut in (1, 20, len(whole.splitlines()[-1])):
        growing.write_bytes(whole[:-cut])
        write(path, range(4))
        assert [row["file"] for row in rows(path)] == [answer(i)["file"] for i in range(4)]
        path.unlink()
    growing.write_bytes(b"x" * 200_000)
    write(path, range(1))
    assert len(rows(path)) == 1


def test_answers_of_another_model(path):
    write(path, range(2))
    before = path.read_bytes()
    other = CARD._replace(classes=("awe", "fear"))
    with (
        pytest.raises(UserError, match="answers of another model"),
        answers.Answers(path, answers.columns(other)),
    ):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ['{"a": 1}\n', "a,b\n1,2\n", "[]\n", "\x00\n"])
def test_what_are_no_answers(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UserError, match=r"expected|another model"), answers.Answers(path, COLUMNS):
        pass
    assert path.read_text() == text


def test_other_suffixes(tmp_path):
    with pytest.raises(UserError, match=r"expected a name that ends in .jsonl, .csv, .parquet"):
        answers.Answers(tmp_path / "answers.xlsx", COLUMNS)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="cannot be written"),
        answers.Answers(tmp_path / "file" / "answers.csv", COLUMNS),
    ):
        pass


def test_json_lines_keep_the_whole_answer(tmp_path):
    write(tmp_path / "a.jsonl", range(1))
    assert json.loads((tmp_path / "a.jsonl").read_text()) == answer(0)


def test_ranked(path):
    write(path, [3, 1, 2])
    best = answers.ranked(rows(path), "valence", 2)
    assert [row["file"] for row in best] == [answer(3)["file"], answer(2)["file"]]
    assert [row["positive"] for row in answers.ranked(rows(path), "negative")] == [
        0.501, 0.502, 0.503,
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"--sort label: expected one of .*negative.*valence"):
        answers.ranked(rows(path), "label")
    assert answers.ranked([], "valence") == []
