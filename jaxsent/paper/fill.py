"""Numbers of finished runs in the cells of a table."""

import json
import math
from pathlib import Path
from typing import NamedTuple

from jaxsent.metrics import HIGHER_IS_BETTER, average_rank
from jaxsent.paper.table import GEOMETRY, MAPS, Cell, Run, Table

AVERAGE = "AVG"


class Filled(NamedTuple):
    """A cell and what our runs have for it.

    Attributes:
      cell: of the table.
      value: ours, the mean over its runs, None while one of them is missing.
      interval: 95 %, of the mean; None where a run has none.
      missing: runs that are not finished.
    """

    cell: Cell
    value: float | None
    interval: tuple[float, float] | None
    missing: tuple[Run, ...]

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        known = self.value is not None and self.cell.paper is not None
        return self.value - self.cell.paper if known else None


def results(runs: Path, run: Run) -> dict | None:
    """results.json of a run below the folder `runs`, None where it is not finished."""
    path = runs / run.name / "report" / run.tested_on / "results.json"
    return json.loads(path.read_text()) if path.is_file() else None


def fill(table: Table, runs: Path) -> list[Filled]:
    """Every cell of a table with the numbers of the runs below the folder `runs`."""
    filled = [fill_cell(cell, runs) for cell in table.cells]
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


def fill_cell(cell: Cell, runs: Path) -> Filled:
    """One cell; a run that was evaluated without the cell's measure counts as missing."""
    run_results = {run: results(runs, run) for run in cell.runs}
    values = {run: _value(r, cell.measure) for run, r in run_results.items() if r is not None}
    missing = tuple(run for run in cell.runs if values.get(run) is None)
    if missing or not cell.runs:
        return Filled(cell, None, None, missing)
    mean = math.fsum(values.values()) / len(values)
    intervals = [_value(run_results[run], cell.measure, "_interval") for run in cell.runs]
    return Filled(cell, mean, _pooled(mean, list(values.values()), intervals), ())


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
