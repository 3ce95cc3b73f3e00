"""Reading ahead: how many processes, and that nothing of them is left."""

import subprocess
import sys
from pathlib import Path

import grain
import numpy as np
import pytest

from jaxsent.data import feed

ROOT = Path(__file__).parents[2]
PLENTY = 1e12  # bytes of shared memory


@pytest.mark.parametrize(
    ("devices", "image_size", "cores", "shared", "workers"),
    [
        (1, 224, 16, PLENTY, 14),  # 8,000 images/s by 500 of each, and two cores for the loop
        (1, 224, 64, PLENTY, 16),
        (8, 224, 256, PLENTY, 128),
        (1, 448, 16, PLENTY, 4),  # a quarter of the images
        (1, 2000, 16, PLENTY, 2),
        (1, 224, 4, PLENTY, 2),
        (1, 224, 3, PLENTY, 0),  # one process is no faster than threads
        (1, 224, 16, 6 * 5 * 32 * 3 * 224**2, 5),  # what five hold
        (1, 224, 16, 2**24, 0),
    ],
)
def test_processes_by_default(devices, image_size, cores, shared, workers):
    assert feed.default_workers(devices, image_size, 32, cores, shared) == workers


def test_shared_memory_is_measured():
    assert feed.shared_memory() > 0


def counted(length):
    return grain.MapDataset.range(length).map(lambda i: {"i": np.array([i])})


def test_batches_come_in_order_and_end_once():
    batches = feed.Ahead(counted(5), 0)
    assert [int(batch["i"][0]) for batch in batches] == [0, 1, 2, 3, 4]
    assert list(batches) == []
    batches.close()


def test_a_closed_iterator_has_no_batches():
    batches = feed.Ahead(counted(5), 0)
    next(batches)
    batches.close()
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["closed", "forgotten"])
def test_processes_leave_nothing_behind(end, prepared):
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.leaks", prepared, end], cwd=ROOT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr
    assert "Exception ignored" not in done.stderr
