"""What `make bench` makes of what it measures."""

import contextlib
import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bench():
    """benchmarks/bench.py, which is in no package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks" / "bench.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "benchmarks"))


def test_ratios_are_those_within_a_turn(bench):
    """A machine that slows down between turns changes no ratio."""
    row = bench.row("training", "images/s", [100.0, 10.0, 40.0], "PyTorch", [50.0, 5.0, 50.0])
    assert (row["ratio"], row["least"], row["most"]) == (2, 0.8, 2)
    assert (row["ours"], row["theirs"]) == (40, 50)
    assert bench.line(row) == "| training | 40 images/s | PyTorch 50 | 2.00 (0.80–2.00) |"


def test_what_is_slower_stands_out(bench):
    row = bench.row("reading", "images/s", [1.0], "Pillow", [2.0])
    assert bench.line(row).endswith("| **0.50** (0.50–0.50) |")
    assert bench.line(bench.row("metrics", "maps/s", [3.0])) == "| metrics | 3 maps/s |  |  |"


@pytest.mark.parametrize(("load", "said"), [(0.1, False), (7.0, True)])
def test_the_page_says_when_the_machine_was_busy(bench, load, said):
    machine = {
        "platform": "cpu", "device": "cpu", "cpu": "a CPU", "cores": 2, "python": "3.12",
        "versions": {"jax": "1.0"}, "date": "2026-01-01", "load": load,
    }  # fmt: skip
    measured = {"machine": machine, "rounds": 3, "seconds": 9, "rows": [bench.row("a", "b", [1.0])]}
    table = bench.table(measured)
    assert "jax 1.0. Medians of 3 turns, 9 s in all." in table
    assert ("Other programs were running" in table) == said


def test_a_peer_that_fails_is_left_out_and_stops_nothing(bench):
    child = subprocess.Popen(
        [sys.executable, "-c", "input(); print(0.5, flush=True)"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert bench.ask(child, "train") == 0.5
    child.wait()
    assert math.isnan(bench.ask(child, "train"))
    child.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
