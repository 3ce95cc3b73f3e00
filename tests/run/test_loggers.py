"""The same numbers to every service, by stand-ins of its package; MLflow's own where installed."""

import importlib.machinery
import json
import sys
import types

import pytest

from jaxsent.errors import UserError
from jaxsent.run import changes, loggers
from jaxsent.run.logbook import Logbook
from jaxsent.training import loop

CONFIG = {"seed": 0, "train": {"steps": 6}, "eval": {"compare": ["a", "b"]}}


def module(name, **members):
    stand_in = types.ModuleType(name)
    stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(stand_in).update(members)
    return stand_in


class Run:
    """wandb.init's, which notes what it gets."""

    def __init__(self, **options):
        self.options, self.logged, self.ended = options, [], False
        self.config = types.SimpleNamespace(update=self._update)
        self.metrics = []

    def _update(self, values, allow_val_change=False):
        self.values, self.may_change = values, allow_val_change

    def define_metric(self, name, step_metric=None):
        self.metrics.append((name, step_metric))

    def log(self, values):
        if "fails" in self.options["name"] and self.logged:
            raise ConnectionError("no network")
        self.logged.append(values)

    def finish(self):
        self.ended = True


@pytest.fixture
def wandb(monkeypatch):
    runs = []

    def init(**options):
        runs.append(Run(**options))
        return runs[-1]

    monkeypatch.setitem(sys.modules, "wandb", module("wandb", init=init))
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return runs


class Client:
    """MLflow's, in memory; as there, a parameter is written once."""

    experiments, runs = {}, {}

    def get_experiment_by_name(self, name):
        known = self.experiments.get(name)
        return known and types.SimpleNamespace(experiment_id=known)

    def create_experiment(self, name):
        self.experiments[name] = f"e{len(self.experiments)}"
        return self.experiments[name]

    def create_run(self, experiment, run_name):
        number = f"r{len(self.runs)}"
        self.runs[number] = dict(
            name=run_name, experiment=experiment, params={}, metrics=[], status=""
        )
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=number))

    def update_run(self, number, status):
        self.runs[number]["status"] = status

    def log_batch(self, number, params=(), metrics=()):
        assert len(params) <= 100
        for key, value in params:
            assert key not in self.runs[number]["params"], "MLflow lets no parameter change"
            self.runs[number]["params"][key] = value
        self.runs[number]["metrics"] += [(name, value, step) for name, value, _, step in metrics]

    def set_terminated(self, number):
        self.runs[number]["status"] = "FINISHED"


@pytest.fixture
def mlflow(monkeypatch):
    Client.experiments, Client.runs = {}, {}
    entities = module(
        "mlflow.entities",
        Metric=lambda name, value, time, step: (name, value, time, step),
        Param=lambda key, value: (key, value),
    )
    stand_in = module("mlflow", MlflowClient=Client, entities=entities)
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return Client


def written(workdir, start=0, to=("tensorboard", "wandb", "mlflow")):
    workdir.mkdir(exist_ok=True)
    (workdir / "config.json").write_text(json.dumps(CONFIG))
    log = Logbook(workdir, start, 6, 8, False, to)
    log.write(start + 2, "train", loss=0.5, accuracy=0.25)
    log.write(start + 2, "validation", loss=0.75)
    log.close()


def test_all_get_the_config_and_every_number(wandb, mlflow, tmp_path):
    written(tmp_path / "mine")
    (run,) = wandb
    assert (run.options["project"], run.options["name"]) == ("jaxsent", "mine")
    assert run.values == {"seed": 0, "train.steps": 6, "eval.compare": ("a", "b")}
    assert run.logged == [
        {"train/loss": 0.5, "train/accuracy": 0.25, "step": 2},
        {"validation/loss": 0.75, "step": 2},
    ]
    assert run.metrics == [("step", None), ("*", "step")]
    assert run.ended
    (run,) = mlflow.runs.values()
    assert (run["name"], run["status"]) == ("mine", "FINISHED")
    assert run["params"] == {"seed": "0", "train.steps": "6", "eval.compare": "('a', 'b')"}
    assert run["metrics"] == [
        ("train/loss", 0.5, 2), ("train/accuracy", 0.25, 2), ("validation/loss", 0.75, 2),
    ]  # fmt: skip
    assert list((tmp_path / "mine").glob("events.*"))


def test_a_resumed_run_is_the_same_run_there(wandb, mlflow, tmp_path):
    written(tmp_path / "mine")
    written(tmp_path / "mine", start=2)
    written(tmp_path / "other")
    numbers = [run.options["id"] for run in wandb]
    assert numbers[0] == numbers[1] != numbers[2]
    assert {run.options["resume"] for run in wandb} == {"allow"}
    mine, other = mlflow.runs.values()
    assert [step for *_, step in mine["metrics"]] == [2, 2, 2, 4, 4, 4]
    assert mine["experiment"] == other["experiment"]


def test_a_service_that_fails_ends_no_training(wandb, tmp_path, capsys):
    written(tmp_path / "fails", to=("wandb", "tensorboard"))
    lines = (tmp_path / "fails" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert len(wandb[0].logged) == 1
    assert "WandB gets no more numbers (ConnectionError: no network)" in capsys.readouterr().err
    assert list((tmp_path / "fails").glob("events.*"))


def test_a_service_that_cannot_begin(mlflow, monkeypatch, tmp_path):
    def init(**_):
        raise PermissionError("log in first")

    monkeypatch.setitem(sys.modules, "wandb", module("wandb", init=init))
    with pytest.raises(UserError, match=r"log.to=wandb: it could not begin \(log in first\)"):
        written(tmp_path, to=("mlflow", "wandb"))
    assert [run["status"] for run in mlflow.runs.values()] == ["FINISHED"]


def test_what_is_not_there(monkeypatch, tiny_config, tmp_path):
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda module: None)
        tiny_config.log.to = (name,)
        with pytest.raises(UserError, match=rf"log.to={name} needs {name}: pip install 'jaxsent\["):
            loop.train(tiny_config, tmp_path / "run")
    tiny_config.log.to = ("neptune",)
    with pytest.raises(UserError, match="'neptune' is none of tensorboard, wandb, mlflow"):
        loop.train(tiny_config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_results_follow(wandb, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    results = {
        "split": "test", "accuracy": 0.5, "count": 3, "sentiment_map": {"f": 0.25}, "loss": None,
    }  # fmt: skip
    loggers.tell(("wandb",), tmp_path, 6, results)
    assert wandb[0].logged == [{"test/accuracy": 0.5, "test/sentiment_map/f": 0.25, "step": 6}]
    assert wandb[0].ended


def test_where_numbers_go_changes_no_weights():
    one, other = {"log": {"to": ["tensorboard"]}}, {"log": {"to": ["mlflow"]}}
    assert changes.differences(one, other) == {}


@pytest.mark.slow
def test_a_run_tells_its_training_and_its_test(wandb, tiny_config, tmp_path):
    tiny_config.train.steps, tiny_config.log.to = 2, ("wandb",)
    results = loop.train(tiny_config, tmp_path)
    assert [values["step"] for run in wandb for values in run.logged] == [2, 2]
    assert wandb[-1].logged[0]["test/loss"] == results["loss"]
    assert not list(tmp_path.glob("events.*"))
    loop.train(tiny_config, tmp_path)  # nothing is trained, so nothing is told again
    assert len(wandb) == 2


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow_itself(monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs jaxsent[mlflow]")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    written(tmp_path / "mine", to=("mlflow",))
    written(tmp_path / "mine", start=2, to=("mlflow",))
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("jaxsent").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED" and run.info.run_name == "mine"
    assert run.data.params["eval.compare"] == "('a', 'b')"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(2, 0.5), (4, 0.5)]
