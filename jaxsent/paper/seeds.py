"""Runs that differ by their seed alone, in seed0, seed1, … of one folder: where, and mean ± sd."""

import statistics
from collections.abc import Sequence
from pathlib import Path


def folder(run: Path, seed: int) -> Path:
    """Where the run of a seed lies."""
    return run / f"seed{seed}"


def folders(run: Path) -> list[Path]:
    """Runs of several seeds in a folder, by number; none in the folder of a single run."""
    found = [path for path in run.glob("seed*") if path.name.removeprefix("seed").isdigit()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("seed")))


def of_seed(path: Path, seed: int) -> Path:
    """A run's folder, or a file in it, where a config names it -> the same of a seed's own run.

    `path` itself where it is there, or where no folder above it has such a seed.
    """
    for run in (path, *path.parents) if not path.is_file() else ():
        own = folder(run, seed) / path.relative_to(run)
        if own.exists():
            return own
    return path


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and the sample standard deviation (of n − 1), None of a single value."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), deviation
