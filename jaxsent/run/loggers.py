"""Where else a run's numbers go, as `log.to` names it: TensorBoard, Weights & Biases, MLflow.

A logger is a small Protocol, so that another service is one more class here. Each remembers which
run of its service belongs to a folder in `loggers.json`, and goes on with that.
"""

import importlib.util
import json
import os
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from jaxsent.errors import UserError
from jaxsent.run.changes import flat
from jaxsent.run.events import TensorBoard

IDS = "loggers.json"
PROJECT = "jaxsent"
"""Of W&B, or the experiment of MLflow, where their own environment variables name none."""
LONGEST = 500  # characters of a value that every version of MLflow takes


class Logger(Protocol):
    """What takes the numbers of one run."""

    def config(self, values: dict) -> None:
        """{"section.key": value}, before any number."""

    def numbers(self, step: int, values: dict[str, float]) -> None:
        """{"train/loss": value, …} of a step; after a resume steps may come again."""

    def close(self) -> None:
        """Nothing more comes from this call."""


class WandB:
    """A run of Weights & Biases, named as the folder; wandb's own WANDB_… variables count."""

    def __init__(self, workdir: Path, start: int):
        import wandb

        number = _identity(workdir, "wandb", lambda: uuid.uuid4().hex)
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=workdir.absolute().name,
            id=number, resume="allow", dir=str(workdir),
        )  # fmt: skip
        # Their own step never goes back, as that of a run that lost some steps does.
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def config(self, values: dict) -> None:
        self.run.config.update(values, allow_val_change=True)

    def numbers(self, step: int, values: dict[str, float]) -> None:
        self.run.log({**values, "step": step})

    def close(self) -> None:
        self.run.finish()


class MLflow:
    """A run of MLflow, where MLFLOW_TRACKING_URI says, in MLFLOW_EXPERIMENT_NAME or jaxsent."""

    def __init__(self, workdir: Path, start: int):
        import mlflow

        self.client = mlflow.MlflowClient()
        self.metric, self.parameter = mlflow.entities.Metric, mlflow.entities.Param
        self.began = False

        def create() -> str:
            self.began = True
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            experiment = self.client.get_experiment_by_name(name)
            number = experiment.experiment_id if experiment else self.client.create_experiment(name)
            return self.client.create_run(number, run_name=workdir.absolute().name).info.run_id

        self.run_id = _identity(workdir, "mlflow", create)
        self.client.update_run(self.run_id, status="RUNNING")

    def config(self, values: dict) -> None:
        """Parameters are written once: MLflow lets none change."""
        if self.began:
            parameters = [self.parameter(key, str(v)[:LONGEST]) for key, v in values.items()]
            for first in range(0, len(parameters), 100):  # at most so many a call
                self.client.log_batch(self.run_id, params=parameters[first : first + 100])

    def numbers(self, step: int, values: dict[str, float]) -> None:
        now = time.time_ns() // 1_000_000  # milliseconds
        metrics = [self.metric(name, value, now, step) for name, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)

    def close(self) -> None:
        self.client.set_terminated(self.run_id)


LOGGERS = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}
EXTRAS = {"wandb": "wandb", "mlflow": "mlflow"}
"""Loggers that need a package -> the module; the extra has the logger's own name."""


def check(names: Iterable[str]) -> None:
    """Raises UserError for a logger that there is not, or whose package is not installed."""
    for name in names:
        if name not in LOGGERS:
            raise UserError(f"log.to: {name!r} is none of {', '.join(LOGGERS)}.")
        if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
            raise UserError(f"log.to={name} needs {name}: pip install 'jaxsent[{name}]'.")


def opened(names: Iterable[str], workdir: Path, start: int) -> list[Logger]:
    """Loggers of the run in a folder that goes on at `start`, told what config.json has.

    Raises:
      UserError: see `check`; or a service refused, as without a login.
    """
    check(names)
    path = workdir / "config.json"
    config = flat(json.loads(path.read_text())) if path.is_file() else {}
    loggers = []
    for name in names:
        try:
            logger = LOGGERS[name](workdir, start)
            logger.config(config)
        except Exception as error:  # each service has exceptions of its own
            for other in loggers:
                other.close()
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise UserError(f"log.to={name}: it could not begin ({reason}).") from error
        loggers.append(logger)
    return loggers


def tell(names: Iterable[str], workdir: Path, step: int, results: dict) -> None:
    """Sends a finished run's results, each float as "test/…", to all loggers."""
    values = {
        f"{results.get('split', 'test')}/{key.replace('.', '/')}": value
        for key, value in flat(results).items()
        if isinstance(value, float)
    }
    for logger in opened(names, workdir, step):
        logger.numbers(step, values)
        logger.close()


def _identity(workdir: Path, service: str, create) -> str:
    """By which a service knows a folder's run, made once."""
    path = workdir / IDS
    known = json.loads(path.read_text()) if path.is_file() else {}
    if service not in known:
        known[service] = create()
        path.write_text(json.dumps(known) + "\n")
    return known[service]
