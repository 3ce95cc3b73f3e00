"""The runs that fill a table, made one after another; what is done is never repeated."""

import ast
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from jaxsent.errors import UserError
from jaxsent.paper import seeds
from jaxsent.paper.fill import fill, finished
from jaxsent.paper.table import DETECTORS, OUTSIDE_MAPS, REGIONAL, Run, Table


class Sources(NamedTuple):
    """What the user has.

    Attributes:
      runs: folder of the runs.
      data: {set: folder as its authors ship it}; none for a set that is prepared.
      weights: {backbone: file of its ImageNet weights}.
      features: {detector: file of its outputs, or folder with one for each set}.
      options: further config keys, for every run.
      maps: {one of OUTSIDE_MAPS: folder of its maps, or file of its boxes}.
      seeds: how many every network is trained with; 1: the config's own.
    """

    runs: Path = Path("runs")
    data: dict[str, str] = {}
    weights: dict[str, str] = {}
    options: tuple[str, ...] = ()
    features: dict[str, str] = {}
    maps: dict[str, str] = {}
    seeds: int = 1


NOTHING = Sources()
COMPARE = "eval.compare"


class Step(NamedTuple):
    """A run to make (mode "train"), to evaluate again because it lacks a number ("eval"), or to ask
    for its predictions of what it was trained on ("predict"), by which another is trained."""

    run: Run
    mode: str


def check_names(table: Table, sources: Sources) -> None:
    """Raises UserError for a set or weights that no run of the table asks for, as a typo is."""
    runs = {run for cell in table.cells for run in cell.runs}
    while more := {run.needs for run in runs if run.needs} - runs:
        runs |= more
    asked = {
        "--source": (sources.data, {name for run in runs for name in (run.data, run.tested_on)}),
        "--weights": (sources.weights, {run.weights for run in runs}),
    }
    for flag, (named, known) in asked.items():
        if wrong := sorted(named.keys() - known):
            expected = ", ".join(sorted(known - {""})) or "none"
            raise UserError(f"{flag} {wrong[0]}=…: {table.name} asks for {expected}.")


def missing(table: Table, runs: Path, count: int = 1) -> list[Step]:
    """What the table lacks, each run after the one that it starts from, of `count` seeds."""
    steps: dict[Step, None] = {}
    for one in fill(table, runs, count):
        for run in one.missing:
            trained = finished(runs, run._replace(tested_on=""), count)
            if not trained:
                _train(run._replace(outside=""), runs, steps, count)
            if trained or run.tested_on or run.outside:
                steps[Step(run, "eval")] = None
    return list(steps)


def plan(table: Table, sources: Sources) -> list[Step]:
    """`missing`, without evaluations that a training or another evaluation before them does."""
    steps = missing(table, sources.runs, sources.seeds)
    trained = {step.run.name for step in steps if step.mode == "train"}
    commands: dict[tuple[str, ...], Step] = {}
    for step in steps:
        if not (step.run.outside in sources.maps and step.run.name in trained):
            commands.setdefault(tuple(command(step, sources)), step)
    return list(commands.values())


def _train(run: Run, runs: Path, steps: dict[Step, None], count: int) -> None:
    """Adds a run behind those that it starts from."""
    if run.needs and not finished(runs, run.needs, count):
        _train(run.needs, runs, steps, count)
    if run.sure and not _predicted(run, runs, count):
        steps[Step(run.needs, "predict")] = None
    steps[Step(run, "train")] = None


def _predictions(run: Run, runs: Path) -> Path:
    return runs / run.needs.name / "report" / "train" / "predictions.csv"


def _predicted(run: Run, runs: Path, count: int) -> bool:
    """Whether every seed has said what it was trained on."""
    path = _predictions(run, runs)
    several = [seeds.of_seed(path, seed) for seed in range(count)] if count > 1 else [path]
    return all(one.is_file() for one in several)


def command(step: Step, sources: Sources = NOTHING) -> list[str]:
    """`jaxsent …` of a step; placeholders stand for weights that are not named."""
    run = step.run
    workdir = ["--workdir", str(sources.runs / run.name)]
    if run.baseline:
        return _baseline(run, sources, workdir)
    if step.mode == "predict":
        arguments = _evaluation(run._replace(tested_on=""), sources)
        return [*arguments[:3], "--split", "train", *arguments[3:]]
    if step.mode == "eval":
        return _evaluation(run, sources)
    arguments = ["jaxsent", "train", run.config.replace(".py", ""), *workdir]
    arguments += ["--seeds", str(sources.seeds)] if sources.seeds > 1 else []
    arguments += [f"--config.{option}" for option in _compared(run, sources)]
    if run.weights:
        weights = sources.weights.get(run.weights, f"{run.weights.upper()}_WEIGHTS")
        arguments.append(f"--config.init.weights={weights}")
    if run.needs:
        arguments.append(f"--config.init.checkpoint={sources.runs / run.needs.name}")
    if run.sure:
        arguments.append(f"--config.data.subset={_predictions(run, sources.runs)}")
    if run.data in sources.data:
        arguments.append(f"--config.data.source={sources.data[run.data]}")
    return arguments + [f"--config.{option}" for option in sources.options]


def _evaluation(run: Run, sources: Sources) -> list[str]:
    arguments = ["jaxsent", "eval", str(sources.runs / run.name)]
    arguments += ["--data", run.tested_on] if run.tested_on else []
    options = (*_compared(run, sources), *sources.options)
    free = [o for o in options if o.startswith(("eval.", "data.dir="))]
    data = run.tested_on or run.data
    free += [f"data.source={sources.data[data]}"] if data in sources.data else []
    return arguments + [f"--config.{option}" for option in free]


def _compared(run: Run, sources: Sources) -> tuple[str, ...]:
    """A run's options; to the maps that it compares with, those are added that the user has.

    All of them wherever one belongs, since an evaluation's results replace those before.
    """
    paths = dict(sources.maps)
    if run.outside:
        paths.setdefault(run.outside, f"{run.outside.upper()}_MAPS")

    def added(option: str) -> str:
        key, _, names = option.partition("=")
        if key != COMPARE or not paths:
            return option
        both = (*ast.literal_eval(names), *(f"{name}={path}" for name, path in paths.items()))
        return f"{COMPARE}=({','.join(map(repr, both))})"

    return tuple(map(added, run.options))


def _baseline(run: Run, sources: Sources, workdir: list[str]) -> list[str]:
    features = run.baseline
    if run.baseline in DETECTORS:
        features += f"={sources.features.get(run.baseline, f'{run.baseline.upper()}_FEATURES')}"
    elif run.weights:
        features += f"={sources.weights.get(run.weights, f'{run.weights.upper()}_WEIGHTS')}"
    elif run.needs:
        folder = sources.runs / run.needs.name
        several = sources.seeds > 1 or seeds.folders(folder)
        trained = str(seeds.folder(folder, 0) if several else folder)
        features = f"{run.baseline}={trained}" if run.baseline in REGIONAL else trained
    arguments = ["jaxsent", "baseline", features, run.config, *workdir]
    for option in run.options:
        key, _, value = option.partition("=")
        arguments += [f"--{key}", value]
    if run.data in sources.data:
        arguments += ["--from", sources.data[run.data]]
    for option in sources.options:
        key, _, value = option.partition("=")
        arguments += ["--data-dir", value] if key == "data.dir" else []
    return arguments


def _at_hand(run: Run, sources: Sources) -> bool:
    """Whether what a baseline's features, or an outside map, are made from is named."""
    if run.outside:
        return run.outside in sources.maps
    if run.baseline in DETECTORS:
        return run.baseline in sources.features
    return not run.baseline or not run.weights or run.weights in sources.weights


def _wanted(run: Run) -> str:
    if run.outside:
        return f"needs --maps {run.outside}=PATH, {OUTSIDE_MAPS[run.outside]}"
    if run.baseline in DETECTORS:
        name = run.baseline
        return f"needs --features {name}=FILE, {DETECTORS[name]:,} numbers an image"
    return f"needs --weights {run.weights}=FILE"


def reproduce(table: Table, sources: Sources, report=print, call=subprocess.run) -> None:
    """Makes what the table lacks, in this process's folder; called again it goes on.

    Features and maps that need a file which is not named are left out, and said to be.

    Raises:
      UserError: weights that a run starts from are not named, or a run failed.
    """
    steps = plan(table, sources)
    trained = {s.run.weights for s in steps if s.run.weights and not s.run.baseline}
    unnamed = sorted(trained - sources.weights.keys())
    if unnamed:
        raise UserError(
            "The papers start from ImageNet; say where the weights are: "
            + " ".join(f"--weights {name}=FILE" for name in unnamed)
            + " (FILE as init.weights takes it, such as hf:timm/vgg16.tv_in1k)."
        )
    for step in [step for step in steps if not _at_hand(step.run, sources)]:
        report(f"left out: {shlex.join(command(step, sources))} ({_wanted(step.run)})")
        steps.remove(step)
    for number, step in enumerate(steps, 1):
        arguments = command(step, sources)
        report(f"[{number}/{len(steps)}] {shlex.join(arguments)}")
        process = call([sys.executable, "-m", *arguments], check=False)
        if process.returncode:
            raise UserError(
                f"{step.run.name} ended with status {process.returncode}; what is done stays done, "
                "the same command goes on from there."
            )
