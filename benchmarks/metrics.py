"""Time of the map metrics on 1,000 maps: `python benchmarks/metrics.py [--maps N]`.

Maps are 14 x 14, as the networks give them, truths 448 x 448 with 100 fixations. All runs on one
core, and CPU seconds leave out the time that a busy machine gave to others. EMD is timed apart, at
the networks' size and at 1024 x 768, that of EMOd's photographs.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from jaxsent import metrics

LIMITS = {"all but EMD": "60 s", "EMD": "20 ms"}


def example(rng, shape):
    """A network's map, the fixations and the fixation map of one photograph."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    rows, columns = (rng.integers(n, size=100) for n in shape)
    fixations = np.zeros(shape, bool)
    fixations[rows, columns] = True
    width = 2 * (shape[1] / 30) ** 2
    fixation_map = sum(
        np.exp(-((y - r) ** 2) / width) * np.exp(-((x - c) ** 2) / width)
        for r, c in zip(rows, columns, strict=True)
    )
    return rng.random((14, 14)), fixations, fixation_map


def clocks() -> np.ndarray:
    """(2,) seconds: on the wall, and of this process's work."""
    return np.array([time.perf_counter(), time.process_time()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=int, default=1000, help="how many; default %(default)s")
    count = parser.parse_args().maps
    rng = np.random.default_rng(0)
    examples = [example(rng, (448, 448)) for _ in range(20)]
    maps = [metrics.resize_map(m, (448, 448)) for m, _, _ in examples]
    small = [(m, metrics.min_max(g)) for m, _, g in examples]
    timed = {
        "resize": lambda i: metrics.resize_map(examples[i][0], (448, 448)),
        "auc_judd": lambda i: metrics.auc_judd(maps[i], examples[i][1], rng),
        "auc_borji": lambda i: metrics.auc_borji(maps[i], examples[i][1], rng),
        "cc": lambda i: metrics.cc(maps[i], examples[i][2]),
        "sim": lambda i: metrics.sim(maps[i], examples[i][2]),
        "kl": lambda i: metrics.kl(maps[i], examples[i][2]),
        "detection": lambda i: metrics.detection_row(*small[i]),
    }
    total = np.zeros(2)
    print(f"{'metric':24s}{'seconds':>10s}{'CPU':>10s}   for {count} maps of 448 x 448")
    for name, score in timed.items():
        began = clocks()
        for i in range(count):
            score(i % len(examples))
        seconds = clocks() - began
        total += seconds
        print("{:24s}{:10.2f}{:10.2f}".format(name, *seconds))
    print("{:24s}{:10.2f}{:10.2f}   limit {}".format("all but EMD", *total, LIMITS["all but EMD"]))
    metrics.emd(maps[0], examples[0][2])  # imports POT
    print(f"\n{'EMD':24s}{'ms a pair':>10s}{'CPU':>10s}   limit {LIMITS['EMD']}")
    for shape in ((448, 448), (768, 1024)):
        pairs = [example(rng, shape) for _ in range(20)]
        pairs = [(metrics.resize_map(m, shape), g) for m, _, g in pairs]
        began = clocks()
        for pair in pairs:
            metrics.emd(*pair)
        ms = (clocks() - began) / len(pairs) * 1000
        print("{:24s}{:10.1f}{:10.1f}".format(f"{shape[0]} x {shape[1]}", *ms))


if __name__ == "__main__":
    main()
