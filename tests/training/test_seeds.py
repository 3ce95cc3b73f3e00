"""Several seeds of one config: where they go, that they go on, and mean ± sd of their numbers."""

import csv
import json

import numpy as np
import pytest

from jaxsent import commands
from jaxsent.commands import run_py
from jaxsent.errors import UserError
from jaxsent.run import config_files, folder
from jaxsent.training import loop, seeds

ACCURACIES = {0: 0.5, 1: 0.75, 2: 0.625, 3: 0.25}
COMMAND = ["jaxsent train", "--config", "wsidnet_demo"]


@pytest.fixture
def trained(monkeypatch):
    """What loop.train was called with, which leaves a run with results and trains nothing."""
    calls = []

    def train(config, workdir, accept_changes):
        calls.append((config.seed, workdir.name, config.init.checkpoint, config.data.subset))
        (workdir / "checkpoints" / "1").mkdir(parents=True, exist_ok=True)
        (workdir / "config.json").write_text("{}")
        results = {
            "accuracy": ACCURACIES[config.seed], "count": 32, "split": "test",
            "sentiment_map": {"f": 0.1 * config.seed}, "accuracy_interval": [0.1, 0.9],
        }  # fmt: skip
        (workdir / "report").mkdir(exist_ok=True)
        (workdir / "report" / "results.json").write_text(json.dumps(results))
        return results

    monkeypatch.setattr(loop, "train", train)
    monkeypatch.setattr(run_py, "_start", lambda distributed: None)
    return calls


def rows(workdir):
    with (workdir / seeds.SUMMARY).open(encoding="utf-8", newline="") as file:
        return {row["measure"]: row for row in csv.DictReader(file)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ml_collections' own
def test_each_in_its_folder_and_a_table_of_all(trained, tmp_path, capsys):
    status = run_py.run([*COMMAND, "--seeds", "3", "--workdir", str(tmp_path)])
    assert status == 0
    assert [call[:2] for call in trained] == [(0, "seed0"), (1, "seed1"), (2, "seed2")]
    table = rows(tmp_path)
    assert set(table) == {"accuracy", "sentiment_map.f"}  # numbers of images are no measure
    values = [ACCURACIES[seed] for seed in range(3)]
    assert float(table["accuracy"]["mean"]) == pytest.approx(np.mean(values))
    assert float(table["accuracy"]["sd"]) == pytest.approx(np.std(values, ddof=1))
    assert [float(table["accuracy"][f"seed{seed}"]) for seed in range(3)] == values
    shown = capsys.readouterr().err
    assert "0.625 ± 0.125" in shown
    assert "sentiment map F" in shown
    # One more, of the next seed, joins them.
    assert run_py.run(
        [*COMMAND, "--seeds=1", "--config.seed=3", "--workdir", str(tmp_path)]
    ) == 0  # fmt: skip
    assert trained[-1][:2] == (3, "seed3")
    assert float(rows(tmp_path)["accuracy"]["mean"]) == pytest.approx(
        np.mean([*ACCURACIES.values()])
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ml_collections' own
def test_a_seed_starts_from_its_own(trained, tmp_path):
    first, other = tmp_path / "first", tmp_path / "other"
    predictions = "report/train/predictions.csv"
    for seed in (0, 1):
        path = first / f"seed{seed}" / predictions
        path.parent.mkdir(parents=True)
        path.touch()
    other.mkdir()
    run = run_py.parse([*COMMAND, f"--config.init.checkpoint={first}"]).config
    run.data.subset = str(first / predictions)
    seeds.train(run, tmp_path / "second", 2)
    assert [call[2:] for call in trained] == [
        (str(first / f"seed{seed}"), str(first / f"seed{seed}" / predictions)) for seed in (0, 1)
    ]
    run.init.checkpoint, run.data.subset = str(other), ""
    seeds.train(run, tmp_path / "third", 1)
    assert trained[-1][2:] == (str(other), "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ml_collections' own
def test_one_run_and_several_do_not_mix(trained, tmp_path, capsys):
    config = run_py.parse(COMMAND).config
    loop.train(config, tmp_path / "one", False)
    with pytest.raises(UserError, match="is a run of one seed; for several take another"):
        seeds.train(config, tmp_path / "one", 2)
    seeds.train(config, tmp_path / "two", 2)
    with pytest.raises(UserError, match="has runs of several seeds; go on with --seeds 2"):
        run_py.train(config, tmp_path / "two")
    assert run_py.run([*COMMAND, "--seeds", "0"]) == 2
    assert "seeds" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ml_collections' own
def test_eval_tests_all_of_them(trained, tmp_path, monkeypatch, capsys):
    seeds.train(run_py.parse(COMMAND).config, tmp_path, 2)
    (tmp_path / seeds.SUMMARY).unlink()
    tested = []
    monkeypatch.setattr(config_files, "of_run", lambda run: run_py.parse(COMMAND).config)
    monkeypatch.setattr(run_py, "evaluate", lambda config, run, _: tested.append(run.name))
    monkeypatch.setattr("sys.argv", ["jaxsent", "eval", str(tmp_path)])
    assert commands.main() == 0
    assert tested == ["seed0", "seed1"]
    assert rows(tmp_path)["accuracy"]["seed1"] == "0.75"
    assert "±" in capsys.readouterr().err


@pytest.mark.slow
def test_several_seeds_are_trained_and_go_on(tiny_config, tmp_path, monkeypatch):
    tiny_config.train.steps = 2
    seeds.train(tiny_config, tmp_path, 2)
    losses = [folder.read_results(tmp_path / f"seed{seed}")["loss"] for seed in (0, 1)]
    assert losses[0] != losses[1]
    monkeypatch.setattr(loop, "_run", lambda *a: pytest.fail("all is trained already"))
    seeds.train(tiny_config, tmp_path, 2)
    assert [folder.read_results(tmp_path / f"seed{s}")["loss"] for s in (0, 1)] == losses
