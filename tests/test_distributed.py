"""Two hosts on this machine: the same code, the same parameters as one host."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxsent.run import logbook

ROOT = Path(__file__).parents[1]
OVERRIDES = [
    "--config.data.name=emoji_scenes/tiny", "--config.model.backbone=resnet18",
    "--config.model.freeze=none", "--config.model.tap=layer4", "--config.init.weights=",
    "--config.data.image_size=32", "--config.eval.resize=40", "--config.train.batch_size=16",
    "--config.eval.ten_crop=True",
    "--config.train.steps=3", "--config.eval.batch_size=12", "--config.train.log_every=1",
    "--config.optim.schedule=constant", "--config.optim.warmup=0", "--config.optim.lr=0.001",
]  # fmt: skip


def launch(workdir, prepared, process, count, port):
    program = (
        "import sys, jax\n"
        f"jax.config.update('jax_num_cpu_devices', {4 // count})\n"
        + (
            f"jax.distributed.initialize('127.0.0.1:{port}', {count}, {process})\n"
            if count > 1
            else ""
        )
        + "from jaxsent.commands.run_py import run\nsys.exit(run(sys.argv))\n"
    )
    arguments = ["--config", "configs/wsidnet_demo.py", f"--workdir={workdir}"]
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments, f"--config.data.dir={prepared}", *OVERRIDES],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_two_hosts_do_what_one_does(prepared, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    for count in (1, 2):
        workdir = tmp_path / str(count)
        hosts = [launch(workdir, prepared, i, count, port) for i in range(count)]
        for host in hosts:
            _, said = host.communicate(timeout=600)
            assert host.returncode == 0, said
    one, two = (
        json.loads((tmp_path / n / "report" / "results.json").read_text()) for n in ("1", "2")
    )
    assert one["count"] == two["count"] == 32
    for key in ("accuracy", "loss", "ten_crop_accuracy", "detection_accuracy"):
        np.testing.assert_allclose(one[key], two[key], rtol=1e-3)
    np.testing.assert_allclose(one["sentiment_map"]["f"], two["sentiment_map"]["f"], rtol=1e-3)
    losses = [
        [line["loss"] for line in logbook.read(tmp_path / n / "metrics.jsonl")] for n in ("1", "2")
    ]
    np.testing.assert_allclose(*losses, rtol=1e-3)
