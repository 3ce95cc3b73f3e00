"""Evaluation of one split: every image once, numbers, examples and the report."""

import math
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import rich.progress

from jaxsent import report
from jaxsent.console import console
from jaxsent.data.batches import eval_batches, num_examples
from jaxsent.errors import UserError
from jaxsent.evaluation import maps, rows, scoring
from jaxsent.evaluation.examples import Examples
from jaxsent.models import explain
from jaxsent.models.inference import predict_step
from jaxsent.report import map_files
from jaxsent.run import experiment, sharding
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.run.logbook import read


def run(config, workdir: Path) -> dict:
    """Evaluates the checkpoint of a run folder: the best one where it was validated.

    Raises:
      UserError: there is no checkpoint, or it does not fit the config.
    """
    folder = workdir / "checkpoints"
    if not folder.is_dir():
        raise UserError(
            f"workdir={workdir} has no checkpoints/ to evaluate; train first with the same "
            "--config and --workdir."
        )
    task = experiment.make(config, workdir)
    with Checkpoints(folder) as checkpoints:
        step = checkpoints.best() if config.data.validation_split else checkpoints.last()
        if step is None:
            raise UserError(f"workdir={workdir} has no finished checkpoint yet; train first.")
        variables = checkpoints.variables(step, experiment.random_variables(task))
    return evaluate(task, variables, workdir, step)


def evaluate(task, variables, workdir: Path, step: int, train_seconds: float = 0.0) -> dict:
    """Scores `config.data.test_split` and writes report/ into `workdir`.

    Args:
      task: the experiment.
      variables: {"params", "batch_stats"} on all devices.
      step: the step they are of.
      train_seconds: how long training took in this call.

    Returns:
      What results.json holds.
    """
    began = time.perf_counter()
    config = task.config
    collected = collect(task, variables)
    results = {
        "model": config.model.name,
        "backbone": config.model.backbone,
        "data": config.data.name,
        "split": config.data.test_split,
        "step": step,
        "classes": task.classes,
        "detect_classes": task.detect_classes,
        **scoring.score(task, collected.outputs, collected.maps),
    }
    results["seconds"] = time.perf_counter() - began
    if jax.process_index() == 0:
        page = report.write_report(
            workdir / "report",
            title=f"{report.network(results)} on {config.data.name}",
            results=results,
            curves=read(workdir / "metrics.jsonl"),
            examples=collected.examples,
            config=config.to_dict(),
            environment=_environment(train_seconds),
        )
        rows.write_predictions(workdir / "report" / "predictions.csv", task, collected.outputs)
        rows.write_maps(workdir / "report" / "maps.csv", collected.maps, collected.outputs)
        console.print(_summary(results) + f"\nreport: {page}", soft_wrap=True)
    return results


def accuracy_and_loss(task, variables, split: str) -> tuple[float, float]:
    """Accuracy and class loss of a single view of every image of `split`."""
    outputs = collect(task, variables, split, brief=True).outputs
    scores = scoring.class_scores(outputs["class_probabilities"], outputs["truth"])
    return scores["accuracy"], scores["loss"]


class Collected(NamedTuple):
    """What a network said of a split of N images.

    Attributes:
      outputs: {name: (N, …) array} of predict_step without the maps; truth and detect_truth
        (N,), file (N, 256) uint8, and the scores of maps.rows.
      maps: names of the M maps that were scored.
      examples: for the report.
    """

    outputs: dict[str, np.ndarray]
    maps: tuple[str, ...]
    examples: list[report.Example]


def collect(task, variables, split=None, brief=False) -> Collected:
    """Runs the network over a split.

    `brief` reads single views, and neither regions nor examples. On several hosts each reads its
    share and all get the whole; examples come from the first host's share.
    """
    config = task.config
    split = split or config.data.test_split
    maps.check(config.eval.compare)
    truths = () if brief else tuple(t for t in maps.TRUTHS if t in task.builder.info.features)
    batches = eval_batches(
        task.builder,
        split,
        batch_size=config.eval.batch_size,
        image_size=config.data.image_size,
        resize=config.eval.resize,
        ten_crop=config.eval.ten_crop and not brief,
        maps=truths,
        workers=config.data.workers,
        enlarging=task.preprocessing.interpolation,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    explained = tuple(n for n in config.eval.compare if n in explain.MAPS and truths)
    predict = jax.jit(
        predict_step(task.model, task.preprocessing, explained),
        out_shardings=sharding.by_batch(task.mesh),
    )
    kept = Examples(task.classes, 0 if brief else config.eval.examples, config.seed)
    write = config.eval.maps and not brief
    collected, names = [], ()
    count = math.ceil(num_examples(task.builder, split) / config.eval.batch_size)
    bar = rich.progress.track(
        batches, f"evaluating {split}", total=count, console=console,
        disable=brief or not console.is_terminal or jax.process_index() > 0,
    )  # fmt: skip
    for batch in bar:
        image = sharding.put({"image": batch["image"]}, task.mesh)["image"]
        out = sharding.local(predict(variables, image))
        out["truth"] = batch[config.data.class_target]
        out["detect_truth"] = batch[config.data.detect_target]
        out["mask"] = batch["mask"]
        out["file"] = rows.as_bytes(batch["file"])
        kept.offer(batch, out)
        if truths:
            names = maps.scored(out, config.eval.compare)
            out |= maps.rows(names, batch, out, config.seed)
        if write:
            map_files.write(Path(config.eval.maps), batch, out, task.map_classes)
        images = {"class_maps", "sentiment_map", *explained}
        collected.append({k: v for k, v in out.items() if k not in images})
    outputs = {k: np.concatenate([c[k] for c in collected]) for k in collected[0]}
    outputs = sharding.gather(outputs)
    real = outputs.pop("mask")
    return Collected({k: v[real] for k, v in outputs.items()}, names, kept.chosen())


def _environment(train_seconds: float) -> dict:
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    device = jax.devices()[0]
    environment = {
        "command": " ".join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
        "devices": f"{jax.device_count()} × {device.device_kind} ({device.platform})",
        "jax": jax.__version__,
        "python": platform.python_version(),
        "commit": commit,
        "training in this call": f"{train_seconds:.0f} s" if train_seconds else "",
    }
    return {k: v for k, v in environment.items() if v}


def _summary(results) -> str:
    def interval(name):
        low, high = results[f"{name}_interval"]
        return f"{results[name]:.3f} (95 %: {low:.3f}–{high:.3f})"

    lines = [f"{results['data']} {results['split']}, {results['count']} images"]
    for name in ("accuracy", "ten_crop_accuracy", "polarity_accuracy", "detection_accuracy"):
        if results.get(name) is not None:
            lines.append(f"  {name.replace('_', ' '):20s} {interval(name)}")
    found = results.get("sentiment_map") or {}
    if found.get("f") is not None:
        rest = ", ".join(
            f"{k.replace('_', ' ')} {v['f']:.3f}" for k, v in found["baselines"].items()
        )
        lines.append(f"  {'sentiment map F':20s} {found['f']:.3f} ({rest})")
    attention = results.get("attention") or {}
    if attention.get("cc") is not None:
        rest = ", ".join(
            f"{k.replace('_', ' ')} {v['cc']:.3f}" for k, v in attention["baselines"].items()
        )
        lines.append(f"  {'attention CC':20s} {attention['cc']:.3f} ({rest})")
    return "\n".join(lines)
