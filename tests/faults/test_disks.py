"""Runs, reports and exports where a disk takes no more: one line, and nothing lost."""

import json
import sys

import pytest

from jaxsent import commands
from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.export import export
from jaxsent.report.contact_sheet import ContactSheet
from jaxsent.run import history, logbook
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.run.provenance import provenance
from jaxsent.training import loop
from tests.faults.conftest import limit


@pytest.fixture
def run(tiny_config, tmp_path):
    """A finished run of four steps."""
    tiny_config.train.steps = 4
    loop.train(tiny_config, tmp_path / "run")
    return tmp_path / "run"


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

    def draw(text):
        with ContactSheet(path, None, provenance({})) as sheet:
            sheet._write(text)

    draw("x" * 5000)
    size = path.stat().st_size
    assert path.read_text().endswith("</html>\n")
    path.write_text("good")
    for most, text in ((1000, ""), (size, "x" * 5001)):  # its head, its end
        with limit(most), pytest.raises(UserError, match="sheet.html cannot be written"):
            draw(text)
        assert [p.name for p in tmp_path.iterdir()] == ["sheet.html"]
        assert path.read_text() == "good"


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
