"""What `make bench` makes of what it measures."""

import argparse
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
    rows = [bench.row("a", "b", [1.0] * 3, "peer", [1.0] * 3), bench.row("a", "b", [1.0])]
    measured = {"machine": machine, "seconds": 9, "rows": rows, "left_out": []}
    table = bench.table(measured)
    assert "jax 1.0. Medians of 3 turns, 9 s in all." in table
    assert ("Other programs were running" in table) == said
    rows.append(bench.row("a", "b", [1.0], "peer", [1.0]))
    assert "Medians of 1 to 3 turns" in bench.table(measured)
    assert "Left out" not in table
    measured["left_out"] = ["one", "another"]
    assert "Left out, as the time was over: one; another." in bench.table(measured)


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, 3), (-1.0, 1)])
def test_a_slow_machine_takes_fewer_turns(bench, seconds, expected, monkeypatch):
    monkeypatch.setitem(bench.SECONDS, "networks", seconds)
    assert list(bench.turns(3, "networks")) == list(range(expected))


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


def test_a_network_that_would_begin_late_is_left_out(bench):
    """None is started, or this would take minutes."""
    options = argparse.Namespace(networks=["WSIDNet, VGG-16"], late=0.0, left_out=[])
    assert list(bench.networks(options, {"platform": "cpu"})) == []
    assert options.left_out == ["WSIDNet, VGG-16"]


def test_every_line_of_the_metrics_is_a_row(bench):
    text = (
        "metric                     seconds       CPU   for 100 maps of 448 x 448\n"
        "cc                            0.50      0.40\n"
        "all but EMD                   5.00      4.00   limit 60 s\n\n"
        "EMD                      ms a pair       CPU   limit 20 ms\n"
        "448 x 448                      9.0       8.0\n"
        "768 x 1024                    12.0      10.0\n"
    )
    rates = {row["name"]: row["ours"] for row in bench.metrics_rows(text)}
    assert rates == {
        "six metrics of maps of 448 x 448": 25, "EMD of maps of 448 x 448": 125,
        "EMD of maps of 768 x 1024": 100,
    }  # fmt: skip
