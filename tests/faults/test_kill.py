"""SIGKILL at any moment; `python -m tests.faults.kill` does it fifty times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxsent.run import history, logbook
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.run.logbook import Logbook
from tests.faults import kill

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_is_the_run_that_nobody_killed():
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.kill", "--times", "3", "--seed", "5"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (sum(told["kills"].values()), told["wrong"]) == (3, [])


def test_the_campaign_sees_what_is_broken(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints" / "3").mkdir(parents=True)
    (run / "results.json").write_text('{"a": ')
    (run / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    (run / "index.html").write_text("<html>")
    wrong = kill.check(tmp_path)
    assert [text.rpartition("/")[2][:7] for text in wrong] == [
        "results",
        "metrics",
        "index.h",
        "3: _CHE",
    ]


def test_a_kill_while_metrics_are_cut_back_loses_none(tmp_path, monkeypatch):
    """A run that goes on drops the lines after its checkpoint, and keeps the others whatever ends
    it meanwhile."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "split": "train"}\n{"step": 2, "split": "train"}\n')

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        Logbook(tmp_path, 1, 3, 4, quiet=False)
    assert [line["step"] for line in logbook.read(path)] == [1, 2]


def test_a_line_of_the_history_that_was_cut_costs_no_other(tmp_path):
    (tmp_path / "history.jsonl").write_text('{"call": "train"}\n{"call": "tra')
    history.record(tmp_path, "evaluate")
    assert [line["call"] for line in history.read(tmp_path)] == ["train", "evaluate"]


def test_a_checkpoint_that_is_being_deleted_has_lost_its_name(tmp_path, monkeypatch):
    """Wherever its deletion is cut off."""
    import jax.numpy as jnp
    import optax

    from jaxsent.run import checkpoint
    from jaxsent.run.state import TrainState

    state = TrainState.create({"params": {"a": jnp.ones(3)}}, optax.sgd(0.1), ema=False)
    with Checkpoints(tmp_path) as checkpoints:
        for step in range(1, 3):
            checkpoints.save(state.replace(step=jnp.int32(step)))

        def killed(path, **_):
            if path.is_dir():
                (path / "_CHECKPOINT_METADATA").unlink()
                raise KeyboardInterrupt

        monkeypatch.setattr(checkpoint.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(state.replace(step=jnp.int32(3)))
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "deleted.1"]
    with Checkpoints(tmp_path, training=True) as checkpoints:
        assert checkpoints.last() == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3"]
