"""Runs, reports and exports where a disk takes no more: one line, and nothing lost."""

import json
import shutil
import sys

import pytest

from jaxsent import commands
from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.export import export
from jaxsent.prediction.answers import Answers
from jaxsent.report.contact_sheet import ContactSheet
from jaxsent.run import history, logbook
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.run.provenance import provenance
from jaxsent.training import loop
from tests.faults.conftest import limit
from tests.tfds_builders.test_folder import pets
from tfds_builders.prepare import prepare


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    """A finished run of four steps."""
    tiny_config.train.steps = 4
    return trained(tiny_config, tmp_path / "run")


def contents(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in paths}


@pytest.mark.slow
def test_nothing_good_is_overwritten(run, tiny_config):
    """One run, since it takes its time: training on, its report, an export."""
    export(run, "safetensors")
    before = contents(run)
    before.pop(run / "history.jsonl")  # a short line may still fit
    with limit(3000), pytest.raises(UserError, match=r"report/.* cannot be written \(File too"):
        evaluate.run(tiny_config, run)
    with limit(3000), pytest.raises(UserError, match=r"model.safetensors cannot be written"):
        export(run, "safetensors")
    tiny_config.train.steps = 6
    save = Checkpoints.save

    def limited(*arguments):
        with limit(3000):
            save(*arguments)

    with pytest.MonkeyPatch.context() as patch:  # another would take tiny_config's away as well
        patch.setattr(Checkpoints, "save", limited)
        with pytest.raises(UserError, match=r"checkpoints cannot be written \(File too large\)"):
            loop.train(tiny_config, run, accept_changes=True)
    config = run / "config.json"
    left = contents(run)
    grown = {config, run / "metrics.jsonl"}
    assert {path for path in before if left[path] != before[path]} <= grown
    assert json.loads(config.read_text())["train"]["steps"] == 6
    with Checkpoints(run / "checkpoints") as checkpoints:
        assert checkpoints.last() == 4
    results = loop.train(tiny_config, run)
    assert results["step"] == 6
    assert [line["step"] for line in logbook.read(run / "metrics.jsonl")] == [2, 4, 6]
    assert not list((run / "checkpoints").glob("*tmp*"))
    assert history.read(run)[-1]["call"] == "evaluate"


def test_a_sheet_of_a_full_disk_leaves_the_one_before(tmp_path):
    path = tmp_path / "sheet.html"
    path.write_text("good")

    def draw(text, most=1 << 30):
        with ContactSheet(path, None, provenance({})) as sheet, limit(most):
            sheet._write(text)

    draw("x" * 5000)
    size = path.stat().st_size
    assert path.read_text().endswith("</html>\n")
    path.write_text("good")
    for around, inside in ((1000, 1 << 30), (size, 1 << 30), (1 << 30, size - 2000)):
        # Its head, its end, a card while there is room for the end again.
        with limit(around), pytest.raises(UserError, match="sheet.html cannot be written"):
            draw("x" * 5001, min(around, inside))
        assert [p.name for p in tmp_path.iterdir()] == ["sheet.html"]
        assert path.read_text() == "good"


def test_a_set_on_a_full_disk(small_disk, tmp_path):
    """The one that is there stays; what was begun is deleted."""
    source, disk = pets(tmp_path / "pets"), small_disk(4000)
    prepare("folder", "mine", disk, source)
    before = contents(disk / "folder" / "mine")
    (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 8192))
    with pytest.raises(
        UserError, match=r"mine cannot be written \(No space left on device\); make"
    ):
        prepare("folder", "mine", disk, source, force=True)
    assert contents(disk / "folder" / "mine") == before
    (disk / "ballast").unlink()
    assert prepare("folder", "mine", disk, source, force=True).is_prepared()


def test_answers_of_a_full_disk_are_whole(tmp_path):
    path, columns = tmp_path / "answers.csv", ["file", "label", "polarity", "awe"]
    answer = {"label": "awe", "polarity": "positive", "probabilities": {"awe": 1.0}}

    def ask(count):
        with Answers(path, columns) as answers:
            there = len(answers.files)
            for i in range(count):
                answers.add(answer | {"file": f"{i}.jpg"})
        return there

    with limit(200), pytest.raises(UserError, match="answers.csv cannot be written"):
        ask(20)
    there = ask(1)
    assert 2 < there < 20
    assert path.read_bytes().count(b"\r\n") == there + 2


@pytest.mark.parametrize("number", [28, 30, 122])  # ENOSPC, EROFS, EDQUOT
def test_whatever_meets_a_full_disk_it_is_one_line(number, monkeypatch, capsys):
    from jaxsent.commands import doctor, run_py

    def refuse(*_):
        raise OSError(number, "no more", "/there/file")

    monkeypatch.setattr(doctor, "run", refuse)
    monkeypatch.setattr(sys, "argv", ["jaxsent", "doctor"])
    assert commands.main() == 2
    assert run_py.status(refuse) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == lines[:1] * 2
    assert lines[0].startswith("jaxsent: /there/file cannot be written (no more); ")
