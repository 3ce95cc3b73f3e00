"""Evaluation of one split: every image once, numbers, examples and the report."""

import csv
import math
import platform
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import rich.progress

from jaxsent import data, experiment, report, scoring, sharding, steps
from jaxsent.checkpoint import Checkpoints
from jaxsent.errors import UserError
from jaxsent.logbook import console, read
from jaxsent.metrics import detection


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
    outputs, examples = collect(task, variables)
    results = {
        "model": config.model.name,
        "backbone": config.model.backbone,
        "data": config.data.name,
        "split": config.data.test_split,
        "step": step,
        "classes": task.classes,
        "detect_classes": task.detect_classes,
        **scoring.score(task, outputs),
    }
    results["seconds"] = time.perf_counter() - began
    if jax.process_index() == 0:
        page = report.write_report(
            workdir / "report",
            title=f"{report.network(results)} on {config.data.name}",
            results=results,
            curves=read(workdir / "metrics.jsonl"),
            examples=examples,
            config=config.to_dict(),
            environment=_environment(train_seconds),
        )
        _write_predictions(workdir / "report" / "predictions.csv", task, outputs)
        console.print(_summary(results) + f"\nreport: {page}", soft_wrap=True)
    return results


def accuracy_and_loss(task, variables, split: str) -> tuple[float, float]:
    """Accuracy and class loss of a single view of every image of `split`."""
    outputs, _ = collect(task, variables, split, brief=True)
    scores = scoring.class_scores(outputs["class_probabilities"], outputs["truth"])
    return scores["accuracy"], scores["loss"]


def collect(task, variables, split=None, brief=False):
    """Runs the network over a split -> ({name: (N, …) array}, examples).

    `brief` reads single views and neither regions nor examples. On several hosts each reads its
    share and all get the whole; examples come from the first host's share.
    """
    config = task.config
    split = split or config.data.test_split
    with_region = not brief and "region" in task.builder.info.features
    batches = data.eval_batches(
        task.builder,
        split,
        batch_size=config.eval.batch_size,
        image_size=config.data.image_size,
        resize=config.eval.resize,
        ten_crop=config.eval.ten_crop and not brief,
        maps=("region",) if with_region else (),
        workers=config.data.workers,
        enlarging=task.preprocessing.interpolation,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    predict = jax.jit(
        steps.predict_step(task.model, task.preprocessing),
        out_shardings=sharding.by_batch(task.mesh),
    )
    kept = Examples(task, config.eval.examples)
    rng = np.random.default_rng(config.seed)
    collected = []
    count = math.ceil(data.num_examples(task.builder, split) / config.eval.batch_size)
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
        out["file"] = np.array([f.encode() for f in batch["file"]], "S256").view(np.uint8)
        out["file"] = out["file"].reshape(-1, 256)
        if with_region:
            region = batch["region"]
            shapes = [r.shape for r in region]
            if "sentiment_map" in out:
                out["rows"] = scoring.map_rows(out["sentiment_map"], region)
                out["centre_box_rows"] = scoring.map_rows(map(detection.centre_box, shapes), region)
                chance = [detection.random_map(s, rng) for s in shapes]
                out["random_rows"] = scoring.map_rows(chance, region)
        if not brief:
            kept.offer(batch, out)
        collected.append({k: v for k, v in out.items() if k not in ("class_maps", "sentiment_map")})
    outputs = {k: np.concatenate([c[k] for c in collected]) for k in collected[0]}
    outputs = sharding.gather(outputs)
    real = outputs.pop("mask")
    return {k: v[real] for k, v in outputs.items()}, kept.examples


class Examples:
    """Keeps the first right and wrong images, `most` of each, evenly over the classes."""

    def __init__(self, task, most: int):
        self.task, self.most = task, most
        self.share = math.ceil(most / max(len(task.classes), 1))
        self.examples, self.taken = [], {}

    def offer(self, batch, out) -> None:
        """Takes what it needs of one batch (this host's part)."""
        images = batch["image"][:, -1] if batch["image"].ndim == 5 else batch["image"]
        for i in np.flatnonzero(batch["mask"] & (out["truth"] >= 0)):
            probabilities, truth = out["class_probabilities"][i], int(out["truth"][i])
            guess = int(probabilities.argmax())
            right = guess == truth
            total = sum(n for (r, _), n in self.taken.items() if r == right)
            if total >= self.most or self.taken.get((right, truth), 0) >= self.share:
                continue
            self.taken[right, truth] = self.taken.get((right, truth), 0) + 1
            self.examples.append(
                report.Example(
                    image=images[i],
                    sentiment_map=out["sentiment_map"][i] if "sentiment_map" in out else None,
                    class_maps=out["class_maps"][i] if "class_maps" in out else None,
                    region=batch["region"][i] if "region" in batch else None,
                    label=self.task.classes[truth],
                    prediction=self.task.classes[guess],
                    probability=float(probabilities[guess]),
                    probabilities=probabilities,
                    file=str(batch["file"][i]),
                )
            )


def _write_predictions(path: Path, task, outputs) -> None:
    """One line an image: file, label, prediction and the probability of every class."""
    decided = outputs.get("ten_crop", outputs["class_probabilities"])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "prediction", *task.classes])
        for name, truth, row in zip(outputs["file"], outputs["truth"], decided, strict=True):
            label = task.classes[truth] if truth >= 0 else ""
            text = name.tobytes().rstrip(b"\0").decode(errors="replace")
            writer.writerow([text, label, task.classes[row.argmax()], *(f"{p:.5f}" for p in row)])


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
    if results.get("sentiment_map"):
        maps = results["sentiment_map"]
        rest = ", ".join(
            f"{k.replace('_', ' ')} {v['f']:.3f}" for k, v in maps["baselines"].items()
        )
        lines.append(f"  {'sentiment map F':20s} {maps['f']:.3f} ({rest})")
    return "\n".join(lines)
