"""Two processes that want the same folder: trainings, evaluations, and a set to prepare."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.run import folder
from jaxsent.training import loop
from tests.faults.test_locks import holder
from tests.tfds_builders.test_folder import pets
from tfds_builders.prepare import prepare, prepared

ROOT = Path(__file__).parents[2]
PREPARE = """
import sys
from tfds_builders.prepare import prepare
def track(steps, what, total):
    for i, step in enumerate(steps):
        if i == 0 and what == "reading":
            print("reading", file=sys.__stdout__, flush=True)  # prepare hides stdout
            sys.stdin.readline()
        yield step
prepare("folder", "mine", *sys.argv[1:], track=track, tell=print)
"""


def test_a_second_training_is_refused_and_touches_nothing(tiny_config, tmp_path):
    with holder(tmp_path / ".training.lock") as first:
        with pytest.raises(UserError, match=rf"in use: process {first.pid} on .* trains there"):
            loop.train(tiny_config, tmp_path)
        first.kill()
    assert [p.name for p in tmp_path.iterdir()] == [".training.lock"]
    with folder.training(tmp_path), folder.evaluating(tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
    assert not list(tmp_path.iterdir())


def test_an_evaluation_waits_for_another(tiny_config, tmp_path, monkeypatch, capfd):
    """As that at the end of a training, which must not be lost."""
    with holder(tmp_path / ".evaluation.lock") as first:
        monkeypatch.setattr("time.sleep", lambda _: first.kill())
        monkeypatch.setattr(evaluate, "_evaluate", lambda *_: "results")
        assert evaluate.evaluate(None, None, tmp_path, 0) == "results"
    assert f"process {first.pid} on" in capfd.readouterr().err


def test_two_processes_prepare_one_set(tmp_path):
    """The second starts while the first reads the photographs, and comes to the same set."""
    source, out = pets(tmp_path / "pets"), tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(stdin):
        return subprocess.Popen(
            [sys.executable, "-c", PREPARE, out, source], text=True, env=environment,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    first = start(subprocess.PIPE)
    assert first.stdout.readline() == "reading\n"
    second = start(subprocess.DEVNULL)
    waiting = second.stderr.readline()
    assert f"folder/mine: process {first.pid} on" in waiting
    told, complaints = first.communicate("go on\n", timeout=120)
    assert first.returncode == 0, complaints
    told, complaints = second.communicate(timeout=120)
    assert second.returncode == 0, complaints
    assert "folder/mine is there already, prepared from" in told
    assert [one.name for one in prepared(out)] == ["folder/mine"]
    assert [p.name for p in (out / "folder" / "mine").iterdir()] == ["1.0.0"]


def test_what_a_killed_process_left_of_a_set_is_deleted(tmp_path):
    source, out = pets(tmp_path / "pets"), tmp_path / "out"
    for name in ("incomplete.x_1.0.0", "incomplete.y", "unpacked.z"):
        (out / "folder" / "mine" / name).mkdir(parents=True)
    prepare("folder", "mine", out, source)
    assert [p.name for p in (out / "folder" / "mine").iterdir()] == ["1.0.0"]


def test_a_set_on_a_disk_that_cannot_be_written_is_read(tmp_path, monkeypatch):
    source, out = pets(tmp_path / "pets"), tmp_path / "out"
    prepare("folder", "mine", out, source)
    monkeypatch.setattr("jaxsent.locks.held", None)  # no lock is asked for
    assert prepare("folder", "mine", out, source).is_prepared()
    assert prepare("folder", "mine", out).is_prepared()
