"""Evaluation of one split: every image once, numbers, examples and the report."""

import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import rich.progress

from jaxsent import files, report
from jaxsent.console import console
from jaxsent.data import records
from jaxsent.data.batches import eval_batches, num_examples
from jaxsent.errors import Diverged, UserError
from jaxsent.evaluation import compared_maps, maps, rows, scoring
from jaxsent.evaluation.examples import Examples
from jaxsent.evaluation.units import Units
from jaxsent.models import explain
from jaxsent.models.inference import predict_step
from jaxsent.models.precision import computed
from jaxsent.models.settled import compiled
from jaxsent.paper.table import GEOMETRY
from jaxsent.report import map_files
from jaxsent.report.units import Unit
from jaxsent.run import changes, experiment, folder, history, initial, sharding
from jaxsent.run.checkpoint import Checkpoints
from jaxsent.run.logbook import read


def run(config, workdir: Path) -> dict:
    """Evaluates the checkpoint of a run folder: the best one where it was validated.

    Args:
      config: as the run has it, but for what changes no weights (changes.FREE).
      workdir: folder of the run.

    Raises:
      UserError: there is no checkpoint, or `config` is another run's.
    """
    if not folder.begun(workdir):
        raise UserError(f"{workdir} has no finished checkpoint to evaluate; train first.")
    task = experiment.make(config, workdir, training=False)
    other = changes.differences(folder.read_config(workdir), experiment.described(task))
    other.pop("data.test_split", None)  # any split may be evaluated, and any set of these classes
    if other.pop("data.name", None):
        other = {key: pair for key, pair in other.items() if not key.startswith("prepared.")}
    if other:
        raise UserError(
            f"{workdir} is a run with other values:\n{changes.table(other)}\n"
            f"To evaluate it as it is: jaxsent eval {workdir}"
        )
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        step = checkpoints.best() if config.data.validation_split else checkpoints.last()
        variables = checkpoints.variables(step, initial.random_variables(task))
    return evaluate(task, variables, workdir, step)


def results_folder(workdir: Path, data: str, split: str) -> Path:
    """Where a run keeps what was measured: report/ is its own test split's, report/SPLIT another's,
    and report/SET that of another set's test split (report/SET_SPLIT of its others).
    """
    own = folder.read_config(workdir)["data"]
    other_split = "" if split == own["test_split"] else split
    other_set = "" if data == own["name"] else data.replace("/", "_")
    return workdir / "report" / "_".join(filter(None, (other_set, other_split)))


def evaluate(task, variables, workdir: Path, step: int) -> dict:
    """Scores `config.data.test_split` and writes its folder of results.

    Args:
      task: the experiment.
      variables: {"params", "batch_stats"} on all devices.
      step: the step they are of.
      workdir: folder of the run, with its config.json.

    Returns:
      What results.json holds.

    Raises:
      Diverged: predictions that are no numbers.
      UserError: the folder cannot be written; what was not replaced there stays as it was.
    """
    with folder.evaluating(workdir):
        return _evaluate(task, variables, workdir, step)


def _evaluate(task, variables, workdir: Path, step: int) -> dict:
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
        "geometry": GEOMETRY,
        **scoring.score(task, collected.outputs, collected.maps),
    }
    results["seconds"] = time.perf_counter() - began
    if jax.process_index() == 0:
        place = results_folder(workdir, config.data.name, config.data.test_split)
        files.make_folder(place)
        rows.write_predictions(place / "predictions.csv", task.classes, collected.outputs)
        rows.write_maps(place / "maps.csv", collected.maps, collected.outputs)
        page = report.write_report(
            place,
            title=f"{report.network(results)} on {config.data.name}",
            results=results,
            curves=read(workdir / "metrics.jsonl"),
            examples=collected.examples,
            chosen_units=collected.units,
            config=config.to_dict(),
            environment=history.summary(workdir),
        )
        scores = {k: v for k, v in results.items() if k.endswith("accuracy") and v is not None}
        split = config.data.test_split
        name = config.data.name
        history.record(workdir, "evaluate", data=name, split=split, step=step, **scores)
        console.print(_summary(results) + f"\nreport: {page}", soft_wrap=True)
    return results


def accuracy_and_loss(
    task, variables, split: str, after_batch: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Accuracy and class loss of a single view of every image of `split`; see `collect`."""
    outputs = collect(task, variables, split, brief=True, after_batch=after_batch).outputs
    scores = scoring.class_scores(outputs["class_probabilities"], outputs["truth"])
    return scores["accuracy"], scores["loss"]


class Collected(NamedTuple):
    """What a network said of a split of N images.

    Attributes:
      outputs: {name: (N, …) array} of predict_step without the maps; truth and detect_truth
        (N,), file (N, 256) uint8, and the scores of maps.rows.
      maps: names of the M maps that were scored.
      examples, units: for the report.
    """

    outputs: dict[str, np.ndarray]
    maps: tuple[str, ...]
    examples: list[report.Example]
    units: list[Unit]


def collect(
    task, variables, split=None, brief=False, after_batch: Callable[[], None] = lambda: None
) -> Collected:
    """Runs the network over a split.

    Probabilities are of the crops, maps of the whole image. `brief` reads single views, and neither
    whole images and regions nor examples. On several hosts each reads its share and all get the
    whole; examples and units come from the first host's share. What `after_batch` raises ends it.
    """
    config = task.config
    split = split or config.data.test_split
    compared = compared_maps.check(config.eval.compare)
    truths = () if brief else tuple(t for t in maps.TRUTHS if t in task.builder.info.features)
    outside = {}
    if truths:
        names_of = functools.partial(records.names, task.builder, split)
        outside = compared_maps.open_outside(config.eval.compare, names_of, config.eval.boxes)
    batches = eval_batches(
        task.builder,
        split,
        batch_size=config.eval.batch_size,
        image_size=config.data.image_size,
        resize=config.eval.resize,
        ten_crop=config.eval.ten_crop and not brief,
        whole=not brief,
        maps=truths,
        workers=sharding.workers(
            config.data, config.eval.batch_size, num_examples(task.builder, split)
        ),
        enlarging=task.preprocessing.interpolation,
        ratings=tuple(config.model.regress),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    explained = tuple(n for n in compared if n in explain.MAPS and truths)
    predict = compiled(
        computed(predict_step(task.model, task.preprocessing, explained), config.model.precision),
        out_shardings=sharding.by_batch(task.mesh),
    )
    examples = Examples(task.classes, config.eval.examples, config.seed)
    units = Units()
    collected, names = [], ()
    count = math.ceil(num_examples(task.builder, split) / config.eval.batch_size)
    bar = rich.progress.track(
        batches, f"evaluating {split}", total=count, console=console,
        disable=brief or not console.is_terminal or jax.process_index() > 0,
    )  # fmt: skip
    for batch in bar:
        views = {name: batch[name] for name in ("image", "whole") if name in batch}
        out = sharding.local(predict(variables, **sharding.put(views, task.mesh)))
        out["truth"] = batch[config.data.class_target]
        out["detect_truth"] = batch[config.data.detect_target]
        if "affect" in out:
            out["ratings"] = np.stack([batch[name] for name in config.model.regress], -1)
        out["mask"] = batch["mask"]
        out["file"] = rows.as_bytes(batch["file"])
        if not brief:
            out["map_truth"] = map_truth(task, out)
            if truths:
                names = maps.scored(out, compared)
                out |= maps.rows(names, batch, out, config.seed, config.eval.cases, outside)
            examples.offer(batch, out)
            units.offer(batch, out)
            if config.eval.maps:
                map_files.write(Path(config.eval.maps), batch, out, task.map_classes)
        images = {"class_maps", "sentiment_map", "unit_maps", *explained}
        collected.append({k: v for k, v in out.items() if k not in images})
        after_batch()
    outputs = {k: np.concatenate([c[k] for c in collected]) for k in collected[0]}
    outputs = sharding.gather(outputs)
    real = outputs.pop("mask")
    outputs = {k: v[real] for k, v in outputs.items()}
    if not np.isfinite(outputs.get("class_probabilities", 0)).all():
        raise Diverged(
            f"The network's answers on the split {split} are no numbers; its training diverged. "
            "Try a lower optim.lr or optim.clip=1."
        )
    return Collected(outputs, names, examples.chosen(), units.chosen())


def map_truth(task, out: dict) -> np.ndarray:
    """(b,) which class map is the true class's; -1 where class maps are of no known truth."""
    if not task.detect_classes:
        return out["truth"]
    if task.config.loss.detect == "cross_entropy" and task.config.loss.detect_weight:
        return out["detect_truth"]
    return np.full_like(out["truth"], -1)


def _summary(results) -> str:
    def interval(name):
        low, high = results[f"{name}_interval"]
        return f"{results[name]:.3f} (95 %: {low:.3f}–{high:.3f})"

    lines = [f"{results['data']} {results['split']}, {results['count']} images"]
    for name in ("accuracy", "ten_crop_accuracy", "polarity_accuracy", "detection_accuracy"):
        if results.get(name) is not None:
            lines.append(f"  {name.replace('_', ' '):20s} {interval(name)}")
    for name, scores in results.get("affect", {}).items():
        if scores["ccc"] is not None and scores["pearson"] is not None:
            lines.append(f"  {name + ' CCC':20s} {scores['ccc']:.3f} (r {scores['pearson']:.3f})")
    detection = results.get("sentiment_map") or {}
    if detection.get("f") is not None:
        rest = ", ".join(
            f"{k.replace('_', ' ')} {v['f']:.3f}" for k, v in detection["baselines"].items()
        )
        lines.append(f"  {'sentiment map F':20s} {detection['f']:.3f} ({rest})")
    attention = results.get("attention") or {}
    if attention.get("cc") is not None:
        rest = ", ".join(
            f"{k.replace('_', ' ')} {v['cc']:.3f}" for k, v in attention["baselines"].items()
        )
        lines.append(f"  {'attention CC':20s} {attention['cc']:.3f} ({rest})")
    return "\n".join(lines)
