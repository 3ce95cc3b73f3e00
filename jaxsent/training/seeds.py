"""One config trained with several seeds, and what its numbers are worth: mean ± sd over them."""

import copy
import csv
from pathlib import Path

import jax
from rich.table import Table

from jaxsent import files
from jaxsent.console import console
from jaxsent.errors import UserError
from jaxsent.evaluation.compare import MEASURES
from jaxsent.paper import seeds
from jaxsent.run import folder
from jaxsent.run.changes import flat
from jaxsent.training import loop

SUMMARY = "seeds.csv"


def train(config, workdir: Path, count: int, accept_changes: bool = False) -> None:
    """Trains `count` runs, of config.seed on, in seed0, seed1, … of a folder; resumes each.

    What a config starts from, init.checkpoint or data.subset, is of the same seed where its folder
    has several. The folder gets `seeds.csv`, see `summarise`.

    Raises:
      UserError: the folder is of a single run; and what loop.train raises.
    """
    if folder.begun(workdir):
        raise UserError(
            f"{workdir} is a run of one seed; for several take another --workdir, or go on with it "
            "without --seeds."
        )
    for seed in range(config.seed, config.seed + count):
        console.print(f"seed {seed}: {seeds.folder(workdir, seed)}")
        loop.train(of_seed(config, seed), seeds.folder(workdir, seed), accept_changes)
    summarise(workdir)


def of_seed(config, seed: int):
    """The config of one of the runs."""
    own = copy.deepcopy(config)
    own.seed = seed
    for section, key in (("init", "checkpoint"), ("data", "subset")):
        if own[section][key]:
            own[section][key] = str(seeds.of_seed(Path(own[section][key]), seed))
    return own


def summarise(workdir: Path) -> None:
    """Prints mean ± sd of the commonest measures, and writes `seeds.csv`: every number of the
    results with its mean, sd and the value of each seed.
    """
    if jax.process_index():
        return
    runs = {run.name: flat(folder.read_results(run)) for run in seeds.folders(workdir)}
    runs = {name: results for name, results in runs.items() if results}
    shared = [
        key
        for key in next(iter(runs.values()), {})
        if all(isinstance(results.get(key), float) for results in runs.values())
    ]
    values = {key: [results[key] for results in runs.values()] for key in shared}
    rows = {key: seeds.mean_and_deviation(numbers) for key, numbers in values.items()}
    path = workdir / SUMMARY
    with files.replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["measure", "mean", "sd", *runs])
        for key, (mean, deviation) in rows.items():
            sd = "" if deviation is None else deviation
            writer.writerow([key, mean, sd, *values[key]])
    table = Table("", "mean ± sd", *runs)
    for key in MEASURES:
        if key in rows:
            numbers = [f"{value:.3f}" for value in values[key]]
            table.add_row(MEASURES[key], shown(*rows[key]), *numbers)
    console.print(table)
    console.print(f"written: {path}")


def shown(mean: float, deviation: float | None) -> str:
    """0.612 ± 0.004."""
    return f"{mean:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")
