"""Tables over runs of several seeds: mean ± sd, what is missing, and the commands for it."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from jaxsent.paper import Cell, Run, Table
from jaxsent.paper.fill import fill, fill_cell
from jaxsent.paper.formats import FORMATS
from jaxsent.paper.reproduce import Sources, Step, command, plan
from tests.paper.test_paper import call, finish

FOLDS = tuple(Run(f"a{fold}", "wsidnet_twitter2.py:fold1") for fold in range(2))
CELL = Cell("Ours", "T2", 0.5, FOLDS)
VALUES = np.array([[0.6, 0.7, 0.65], [0.5, 0.4, 0.55]])  # of two folds and three seeds


@pytest.fixture
def runs(tmp_path):
    for run, values in zip(FOLDS, VALUES, strict=True):
        for seed, value in enumerate(values):
            interval = [value - 0.1, value + 0.2]
            finish(
                tmp_path / run.name, f"seed{seed}", accuracy=value, accuracy_interval=interval
            )  # fmt: skip
    return tmp_path


def test_a_cell_is_the_mean_over_seeds_with_its_deviation(runs):
    filled = fill_cell(CELL, runs)
    assert filled.value == pytest.approx(VALUES.mean())
    assert filled.deviation == pytest.approx(VALUES.mean(0).std(ddof=1))  # of the folds' means
    assert filled.seeds == 3
    # The test images are the same whatever the seed, so an interval is that of one.
    assert filled.interval == pytest.approx(
        (VALUES.mean() - 0.1 / np.sqrt(2), VALUES.mean() + 0.2 / np.sqrt(2))
    )
    (runs / "a1" / "seed2" / "report" / "results.json").unlink()
    fewer = fill_cell(CELL, runs)
    assert fewer.deviation == pytest.approx(VALUES.mean(0)[:2].std(ddof=1))
    assert fewer.value == pytest.approx((VALUES[0].mean() + VALUES[1, :2].mean()) / 2)
    assert fill_cell(CELL, runs, 3).missing == (FOLDS[1],)
    finish(runs / "a1", "seed2", loss=1.0)  # without the cell's measure
    assert fill_cell(CELL, runs).missing == (FOLDS[1],)


def test_a_single_run_has_no_deviation(tmp_path):
    for run in FOLDS:
        finish(tmp_path, run.name, accuracy=0.5)
    filled = fill_cell(CELL, tmp_path)
    assert (filled.value, filled.deviation, filled.seeds) == (0.5, None, 1)


def test_formats_show_it(runs):
    table = Table("t", "A table", (CELL,))
    filled = fill(table, runs)
    shown = f"{100 * VALUES.mean():.2f} ± {100 * VALUES.mean(0).std(ddof=1):.2f}"
    assert shown in FORMATS["text"](table, filled)
    assert shown in FORMATS["markdown"](table, filled)
    assert shown.replace("±", r"$\pm$") in FORMATS["latex"](table, filled)
    (row,) = csv.DictReader(io.StringIO(FORMATS["csv"](table, filled)))
    assert float(row["sd"]) == pytest.approx(VALUES.mean(0).std(ddof=1), rel=1e-4)
    assert row["seeds"] == "3"


def test_what_several_seeds_lack_is_trained(runs):
    table = Table("t", "A table", (CELL,))
    assert plan(table, Sources(runs, seeds=3)) == []
    steps = plan(table, Sources(runs, seeds=4))
    assert [(step.run.name, step.mode) for step in steps] == [("a0", "train"), ("a1", "train")]
    arguments = command(steps[0], Sources(runs, seeds=4))
    assert arguments[arguments.index("--seeds") + 1] == "4"
    assert "--seeds" not in command(steps[0], Sources(runs))


def test_runs_that_start_from_several(tmp_path):
    network = Run("first", "wscnet_fi.py")
    features = Run("svm", "fi", needs=network, baseline="run")
    sources = Sources(Path("R"), seeds=2)
    assert command(Step(features, "train"), sources)[2] == "R/first/seed0"
    assert command(Step(features, "train"), Sources(Path("R")))[2] == "R/first"
    table = Table("t", "A table", (Cell("SVM", "FI", None, (features,)),))
    finish(tmp_path, "first/seed0", accuracy=0.5)
    finish(tmp_path, "svm", accuracy=0.5)  # no seed changes what an SVM learns
    assert plan(table, Sources(tmp_path, seeds=2)) == []
    started = Run("started", "wsidnet_twitter2.py:fold1", needs=network)
    table = Table("t", "A table", (Cell("Ours", "T2", None, (started,)),))
    names = [step.run.name for step in plan(table, Sources(tmp_path, seeds=2))]
    assert names == ["first", "started"]  # one seed of the first is not enough
    assert [step.run.name for step in plan(table, Sources(tmp_path))] == ["started"]
    kept = Run("kept", "pcnn_fi.py", needs=network, sure=True)
    table = Table("t", "A table", (Cell("PCNN", "FI", None, (kept,)),))
    finish(tmp_path, "first/seed1", accuracy=0.5)
    for seed, modes in ((0, ["predict", "train"]), (1, ["train"])):
        predictions = tmp_path / "first" / f"seed{seed}" / "report" / "train" / "predictions.csv"
        predictions.parent.mkdir()
        predictions.touch()
        assert [step.mode for step in plan(table, Sources(tmp_path, seeds=2))] == modes


def test_the_command(tmp_path, monkeypatch, capsys):
    arguments = ("reproduce", "--table", "oasis", "--runs", tmp_path, "--dry-run")
    status, out, _ = call(monkeypatch, capsys, *arguments, "--seeds", "5")
    assert status == 0
    trained = [line for line in out.splitlines() if line.startswith("jaxsent train")]
    assert trained and all("--seeds 5" in line for line in trained)
    status, _, err = call(monkeypatch, capsys, *arguments, "--seeds", "0")
    assert status == 2 and "--seeds 0: expected a number from 1 on." in err
