"""Many processes as one; where one is lost the others end, and another number of them goes on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsent.run import hosts, logbook, sharding
from jaxsent.training import loop

ROOT = Path(__file__).parents[2]
STEPS = 60
PROGRAM = """
import sys, jax
port, count, process, devices = map(int, sys.argv[1:5])
jax.config.update("jax_num_cpu_devices", devices)
from jaxsent import models
from jaxsent.commands.run_py import run
from jaxsent.models import resnet
from jaxsent.run import hosts
from tests import tiny
class Plain(tiny.Tiny):  # hosts share a batch out in another order, and dropout goes by place
    dropout: float = 0.0
models.BACKBONES["tiny"], resnet.tiny = "resnet:tiny", Plain
if count > 1:
    hosts.join(f"127.0.0.1:{port}", count, process)
sys.exit(run(["run.py", *sys.argv[5:]]))
"""
OVERRIDES = [
    "--config=configs/wsidnet_demo.py", "--config.data.name=emoji_scenes/tiny",
    "--config.model.backbone=tiny", "--config.model.gcn_widths=(16,16)", "--config.model.tap=",
    "--config.model.freeze=none", "--config.init.weights=", "--config.data.image_size=32",
    "--config.eval.resize=32", "--config.train.batch_size=16", "--config.eval.batch_size=12",
    "--config.optim.lr=0.001", "--config.train.log_every=1", "--config.train.checkpoint_every=5",
    f"--config.train.steps={STEPS}",
]  # fmt: skip


def start(workdir, prepared, count):
    """So many processes; one of them alone has four devices, as many have one each."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    arguments = [*OVERRIDES, f"--workdir={workdir}", f"--config.data.dir={prepared}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = []
    for process in range(count):
        numbers = map(str, (port, count, process, 4 if count == 1 else 1))
        log = workdir.with_name(f"{workdir.name}.{count}.{process}")
        command = [sys.executable, "-c", PROGRAM, *numbers, *arguments]
        with log.open("w") as file:
            started.append((subprocess.Popen(command, cwd=ROOT, stderr=file, env=environment), log))
    return started


def ended(started, seconds) -> list[tuple[int, str]]:
    """(status, what it told) of each process; none may outlive `seconds`."""
    until = time.monotonic() + seconds
    try:
        for process, _ in started:
            process.wait(timeout=max(until - time.monotonic(), 0.1))
    finally:
        for process, _ in started:
            process.kill()
            process.wait()
    return [(process.returncode, log.read_text()) for process, log in started]


@pytest.mark.slow
def test_one_is_lost_and_two_go_on_where_four_were(prepared, tmp_path):
    [(status, told)] = ended(start(tmp_path / "one", prepared, 1), 600)
    assert status == 0, told
    four = start(tmp_path / "many", prepared, 4)
    metrics = tmp_path / "many" / "metrics.jsonl"
    until = time.monotonic() + 600
    while len(logbook.read(metrics)) < 12 and time.monotonic() < until:
        assert all(process.poll() is None for process, _ in four), ended(four, 0)
        time.sleep(0.05)
    lost, _ = four.pop(2)
    lost.kill()
    lost.wait()
    for status, told in ended(four, 60):
        assert status not in (0, None)
        assert re.search(r"task.*\b2\b|heartbeats\):\s+2\b", told, re.S | re.I), told
    assert 0 < len(logbook.read(metrics)) < STEPS
    for status, told in ended(start(tmp_path / "many", prepared, 2), 600):
        assert status == 0, told
    one, many = (logbook.read(tmp_path / name / "metrics.jsonl") for name in ("one", "many"))
    assert [line["step"] for line in many] == list(range(1, STEPS + 1))
    np.testing.assert_allclose(
        [line["loss"] for line in many], [line["loss"] for line in one], rtol=1e-3
    )
    scores = [
        json.loads((tmp_path / name / "report" / "results.json").read_text())
        for name in ("one", "many")
    ]
    assert scores[0]["count"] == scores[1]["count"] == 32
    np.testing.assert_allclose(scores[1]["loss"], scores[0]["loss"], rtol=1e-3)


def test_hosts_ask_each_other_by_the_clock(monkeypatch):
    """Whether to stop: every two seconds, whatever `train.log_every`, by the slowest one's pace."""
    clock, asked, number = [100.0], [], 0

    def gather(rows):
        asked.append(int(clock[0] - 100))
        return np.concatenate([rows, [[number, 0.001]]])

    monkeypatch.setattr(sharding, "gather", gather)
    monkeypatch.setattr(loop.jax, "process_count", lambda: 2)
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    stop = loop.StopSignal()
    for step in range(1, 101):  # 0.5 s each
        clock[0] += 0.5
        number = signal.SIGTERM if step >= 80 else 0
        if stop.requested(step, 1000):
            break
    assert np.diff(asked[2:]).max() <= 2
    assert len(asked) <= 24
    assert (stop.number, step - 80 <= 4) == (signal.SIGTERM, True)


def test_one_that_fails_alone_does_not_wait_for_the_others(monkeypatch):
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    hosts.leave(2)  # alone
    assert not left
    monkeypatch.setattr(loop.jax.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(loop.jax, "process_count", lambda: 2)
    monkeypatch.setattr(hosts, "LAST", 0.0)
    hosts.leave(2)
    assert left == [2]


def test_the_others_hear_of_a_loss_within_a_minute(monkeypatch):
    heard = {}
    monkeypatch.setattr(
        loop.jax.distributed, "initialize", lambda *_, **options: heard.update(options)
    )
    before = jax.config.jax_enable_preemption_service
    hosts.join()
    kept = jax.config.jax_enable_preemption_service
    jax.config.update(hosts.PREEMPTION, before)
    assert not kept  # or a SIGTERM before and after training would be lost
    assert heard["heartbeat_timeout_seconds"] <= 45
