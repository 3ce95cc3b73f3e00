"""SIGTERM: a training saves and ends within ten seconds, and the next call goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxsent.evaluation import evaluate
from jaxsent.run import history, logbook
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.training import loop
from tests.faults import kill

ROOT = Path(__file__).parents[2]
SECONDS = 10
PROGRAM = """
import sys, time
from pathlib import Path
import jax
from jaxsent.commands import run_py
from jaxsent.evaluation import evaluate
from jaxsent.training import loop
from tests.faults import kill

folder, phase = Path(sys.argv[1]), sys.argv[2]

def slow(call, seconds, after=0):
    "Tells of each call but the first ones, and sleeps before it, whatever signals come meanwhile."
    calls = []
    def slowed(*arguments, **options):
        calls.append(call)
        if len(calls) > after:
            print(phase, flush=True)
            time.sleep(seconds)
        return call(*arguments, **options)
    return slowed

make = loop.train_step
if phase == "compiling":
    loop.train_step = lambda *arguments: slow(make(*arguments), 60)
if phase == "training":
    loop._check_labels = slow(loop._check_labels, 0.5, after=2)
if phase == "validating":
    evaluate.sharding.local = slow(evaluate.sharding.local, 4)
if phase == "evaluating":
    evaluate._evaluate = slow(evaluate._evaluate, 60)
jax.config.update("jax_num_cpu_devices", 2)
config = kill.config(folder)
config.train.checkpoint_every, config.eval.batch_size = 1000, 2
sys.exit(run_py.status(lambda: loop.train(config, folder / "run")))
"""


def started(folder, phase) -> subprocess.Popen:
    """A training that says when it comes to `phase`, which lasts; "" lets it end."""
    cache = folder.parent / "cache"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }  # fmt: skip
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), phase], cwd=ROOT, env=environment,
            stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip


def finished(folder):
    with started(folder, "") as process:
        assert process.wait(timeout=300) == 0, (folder / "log").read_text()
    return kill.outcome(folder)


@pytest.mark.slow
def test_a_training_ends_within_ten_seconds_of_sigterm_and_the_next_call_goes_on(tmp_path):
    """Before there is anything to save, and after all is saved, the signal ends it by itself; a
    shell tells both as 128 + 15."""
    kill.photographs(tmp_path / "unbroken" / "in")
    expected = finished(tmp_path / "unbroken")
    for phase, status, saved in (
        ("compiling", -signal.SIGTERM, None),
        ("training", 128 + signal.SIGTERM, True),
        ("validating", 128 + signal.SIGTERM, True),
        ("evaluating", -signal.SIGTERM, True),
    ):
        folder = tmp_path / phase
        kill.photographs(folder / "in")
        with started(folder, phase) as process:
            assert process.stdout.readline() == f"{phase}\n", (folder / "log").read_text()
            time.sleep(0.2)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == status, (folder / "log").read_text()
        assert time.monotonic() - began < SECONDS, phase
        lines = logbook.read(folder / "run" / "metrics.jsonl")
        with Checkpoints(folder / "run" / "checkpoints") as checkpoints:
            assert checkpoints.last() == (lines[-1]["step"] if saved else None), phase
        assert not kill.check(folder)
        assert not kill.differences(finished(folder), expected), phase


@pytest.fixture
def untested(monkeypatch):
    """Without the evaluation of the test split."""
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: {})


def test_a_validation_that_a_signal_ends_is_the_next_calls(
    tiny_config, tmp_path, monkeypatch, untested
):
    """Twice: between two trained steps, and after the last one."""
    tiny_config.data.validation_split, tiny_config.train.validate_every = "test", 0.5
    batches, local = [], evaluate.sharding.local

    def counted(outputs):  # of three batches each
        batches.append(outputs)
        if len(batches) in (5, 10):
            os.kill(os.getpid(), signal.SIGTERM)
        return local(outputs)

    monkeypatch.setattr(evaluate.sharding, "local", counted)
    for step, count, validated in ((4, 5, [2]), (6, 10, [2, 4])):
        with pytest.raises(loop.Interrupted) as stop:
            loop.train(tiny_config, tmp_path)
        assert (stop.value.step, len(batches)) == (step, count)
        lines = logbook.read(tmp_path / "metrics.jsonl")
        assert [line["step"] for line in lines if line["split"] == "validation"] == validated
        with Checkpoints(tmp_path / "checkpoints") as checkpoints:
            assert (checkpoints.last(), checkpoints.validated(step)) == (step, False)
    assert loop.train(tiny_config, tmp_path) == {}
    lines = [(line["step"], line["split"]) for line in logbook.read(tmp_path / "metrics.jsonl")]
    assert lines == [(step, split) for step in (2, 4, 6) for split in ("train", "validation")]
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert all(checkpoints.validated(step) for step in (4, 6))
    names = [line["call"] for line in history.read(tmp_path)]
    assert names == ["train", "stopped"] * 2 + ["train", "trained"]


def test_a_signal_while_the_last_step_is_saved_is_heard(
    tiny_config, tmp_path, monkeypatch, untested
):
    save = Checkpoints.save

    def signalled(self, *arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        save(self, *arguments)

    monkeypatch.setattr(Checkpoints, "save", signalled)
    with pytest.raises(loop.Interrupted) as stop:
        loop.train(tiny_config, tmp_path)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert stop.value.step == checkpoints.last() == 6
    assert loop.train(tiny_config, tmp_path) == {}
