"""Numbers of finished runs in the cells of a table."""

import json
import math
import statistics
from pathlib import Path
from typing import NamedTuple

from jaxsent.metrics import HIGHER_IS_BETTER, average_rank
from jaxsent.paper import seeds
from jaxsent.paper.table import GEOMETRY, MAPS, Cell, Run, Table

AVERAGE = "AVG"


class Filled(NamedTuple):
    """A cell and what our runs have for it.

    Attributes:
      cell: of the table.
      value: ours, the mean over its runs, None while one of them is missing.
      interval: 95 %, of the mean; None where a run has none.
      missing: runs that are not finished.
      deviation: sd over the seeds that all of its runs have, None below two.
      seeds: how many these are.
    """

    cell: Cell
    value: float | None
    interval: tuple[float, float] | None
    missing: tuple[Run, ...]
    deviation: float | None = None
    seeds: int = 1

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        known = self.value is not None and self.cell.paper is not None
        return self.value - self.cell.paper if known else None


def results(runs: Path, run: Run) -> dict[str, dict]:
    """results.json of a run below the folder `runs`: {"seed0": …} of each seed, {"": …} of a run
    that is not of several; {} where none is finished.
    """
    folder = runs / run.name
    found = {}
    for one in seeds.folders(folder) or [folder]:
        path = one / "report" / run.tested_on / "results.json"
        if path.is_file():
            found[one.name if one != folder else ""] = json.loads(path.read_text())
    return found


def finished(runs: Path, run: Run, count: int = 1) -> bool:
    """Whether a run has results, of `count` seeds or more; a baseline has no chance in it."""
    return len(results(runs, run)) >= (1 if run.baseline else count)


def fill(table: Table, runs: Path, count: int = 1) -> list[Filled]:
    """Every cell of a table with the numbers of the runs below the folder `runs`.

    A run that has several seeds is their mean; with fewer than `count` it is missing.
    """
    filled = [fill_cell(cell, runs, count) for cell in table.cells]
    return filled + _ranks(filled, table.ranked) if table.ranked else filled


def _ranks(filled: list[Filled], ranked: tuple[str, ...]) -> list[Filled]:
    """The column AVG, of those of the `ranked` rows that have all six attention metrics."""
    scores: dict[str, dict[str, float]] = {}
    for one in filled:
        if one.value is not None and one.cell.row in ranked:
            metric = one.cell.measure[0].rpartition(".")[2]
            scores.setdefault(one.cell.row, {})[metric] = one.value
    whole = {row: v for row, v in scores.items() if v.keys() == set(HIGHER_IS_BETTER)}
    ranks = average_rank(whole)
    rows = dict.fromkeys(one.cell.row for one in filled)
    return [Filled(Cell(row, AVERAGE, None), ranks.get(row), None, ()) for row in rows]


def fill_cell(cell: Cell, runs: Path, count: int = 1) -> Filled:
    """One cell; a run that was evaluated without the cell's measure counts as missing."""
    run_results = {run: results(runs, run) for run in cell.runs}
    values = {
        run: {seed: _value(r, cell.measure) for seed, r in of_seeds.items()}
        for run, of_seeds in run_results.items()
    }
    missing = tuple(
        run for run in cell.runs if not finished(runs, run, count) or None in values[run].values()
    )
    if missing or not cell.runs:
        return Filled(cell, None, None, missing)
    means = [statistics.fmean(values[run].values()) for run in cell.runs]
    mean = statistics.fmean(means)
    intervals = [_interval(run_results[run], cell.measure) for run in cell.runs]
    shared = set.intersection(*(set(of_seeds) for of_seeds in values.values()))
    # A seed's number is the mean over the cell's runs, as the cell's own is.
    of_seeds = [statistics.fmean(values[run][seed] for run in cell.runs) for seed in shared]
    deviation = statistics.stdev(of_seeds) if len(shared) > 1 else None
    interval = _pooled(mean, means, intervals)
    return Filled(cell, mean, interval, (), deviation, max(len(shared), 1))


def _interval(of_seeds: dict[str, dict], measure: tuple[str, ...]) -> tuple | None:
    """A run's interval; that of several seeds, whose images are the same, is their mean one."""
    intervals = [_value(results, measure, "_interval") for results in of_seeds.values()]
    if None in intervals:
        return None
    return tuple(map(statistics.fmean, zip(*intervals)))


def _pooled(mean, values, intervals) -> tuple[float, float] | None:
    """The interval of a mean of independent runs, whose variances add up."""
    if None in intervals:
        return None
    n = len(values)
    below = math.sqrt(sum((v - low) ** 2 for v, (low, _) in zip(values, intervals))) / n
    above = math.sqrt(sum((high - v) ** 2 for v, (_, high) in zip(values, intervals))) / n
    return mean - below, mean + above


def _value(run_results: dict, measure: tuple[str, ...], ending: str = ""):
    """The first of the measures that the results have, such as sentiment_map.baselines.gbvs.f."""
    for path in measure:
        value = run_results
        if path.startswith(MAPS) and run_results.get("geometry") != GEOMETRY:
            continue
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            *_, last = path.split(".")
            if not ending:
                return value
            parent = run_results
            for key in path.split(".")[:-1]:
                parent = parent[key]
            return parent.get(last + ending)
    return None
