"""Time and memory of preparing `flickr` on a generated tree of small images.

    python benchmarks/flickr_scale.py [--images 50000] [--size 240x180] [--rounds 3] [--beam]

Each build is a process of its own. Its seconds are those of `prepare`, with the start of its
workers and without Python's imports; its peak is of the resident memory of all its processes
together, so what they share counts once for each. Builds with one and two workers take turns, and
the ratio is the median over rounds. Other programs take their share of a machine's cores: "by CPU"
is the ratio of the CPU seconds of the parent and of its workers, these over their number, which is
what idle cores would show. `--beam` adds Beam's direct runner (pip install apache-beam).
"""

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
PAIRS = 50


def generate(root: Path, images: int, width: int, height: int) -> None:
    """A tree of PAIRS pairs whose pictures all differ."""
    rng = np.random.default_rng(0)
    values = []
    for pair in range(PAIRS):
        folder = root / f"some{pair}_thing"
        folder.mkdir(parents=True)
        values.append(f"{folder.name} {pair - (PAIRS - 1) / 2}")
        for i in range(images // PAIRS):
            coarse = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
            picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"{i}.jpg"), picture)
    (root / "anps.txt").write_text("\n".join(values))


def build(source: Path, out: Path, workers: int, beam: bool) -> None:
    """Prepare once and print the seconds."""
    sys.path.insert(0, str(ROOT))
    import tensorflow_datasets as tfds

    from tfds_builders.flickr.flickr_dataset_builder import Builder

    if beam:
        import apache_beam  # noqa: F401
    builder = Builder(data_dir=out, file_format="array_record")
    builder.workers = workers
    builder.beam = [f"--direct_num_workers={workers}"] if beam else None
    config = tfds.download.DownloadConfig(manual_dir=source)
    imports, began = time.process_time(), time.perf_counter()
    builder.download_and_prepare(download_dir=out / "downloads", download_config=config)
    print(time.perf_counter() - began, imports)


def measure(source: Path, out: Path, workers: int, beam: bool) -> tuple[float, float, float]:
    """Seconds of a build, CPU seconds as if on idle cores, the peak of its memory in MiB."""
    command = [sys.executable, __file__, "--build", str(source), str(out), str(workers)]
    process = subprocess.Popen(
        [*command, *["--beam"] * beam], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peak, spent = 0, {}
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.1):
            memory = look(process.pid, spent)
            peak = max(peak, memory)

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed, errors = process.communicate()
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(errors)
    shutil.rmtree(out)
    seconds, imports = map(float, printed.split()[-2:])
    alone = spent.pop(process.pid) - imports
    return seconds, alone + sum(spent.values()) / workers, peak / 2**20


def look(pid: int, spent: dict[int, float]) -> int:
    """Bytes of a process and all below it together; keeps the CPU seconds of each in `spent`."""
    memory = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                memory += process.memory_info().rss
                spent[process.pid] = sum(process.cpu_times()[:2])
    return memory


def main(options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        generate(source, options.images, *map(int, options.size.split("x")))
        size = sum(p.stat().st_size for p in source.rglob("*.jpg")) / 2**20
        print(f"{options.images} images of {options.size}, {size:.0f} MiB")
        print("executor      1 worker s  2 workers s   ratio   by CPU  peak MiB")
        for name, beam in [("processes", False), ("beam", True)][: 1 + options.beam]:
            rounds = [
                [measure(source, out, workers, beam) for workers in (1, 2)]
                for _ in range(options.rounds)
            ]
            ratio, by_cpu = (
                statistics.median(one[i] / two[i] for one, two in rounds) for i in (0, 1)
            )
            seconds = [statistics.median(r[i][0] for r in rounds) for i in (0, 1)]
            peak = max(build[2] for r in rounds for build in r)
            print(
                f"{name:12s}{seconds[0]:12.1f}{seconds[1]:13.1f}{ratio:8.2f}{by_cpu:9.2f}{peak:10.0f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--size", default="240x180", help="width x height in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beam", action="store_true")
    parser.add_argument("--build", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        source, out, workers = options.build
        build(Path(source), Path(out), int(workers), options.beam)
    else:
        main(options)
