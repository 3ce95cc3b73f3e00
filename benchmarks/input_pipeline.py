"""Speed of reading a prepared set, decoded and randomly cropped to 224 pixels, per core.

    python benchmarks/input_pipeline.py [--source FOLDER] [--enlarge 2] [--rounds 5]

FOLDER holds JPEGs at any depth, such as OASIS's; without it they are generated at 500x400.
`--enlarge 2` doubles their sides first, as photographs of a megapixel. Compared are

- ours: `jaxsent.data.train_batches`, reading from the prepared set, in this process: with nothing
  kept, and in later epochs, which find the decoded images in memory (`data.keep`);
- plain decoding of the same files, whole and from memory, to RGB: cv2.imdecode, which is
  libjpeg-turbo, as it is and with the memory kept between images as ours keeps it; simplejpeg,
  libjpeg-turbo too, where it is installed;
- Pillow: decode, random crop and resize, mirror, normalise to float32.

Each is a process of its own and they take turns; the rates are per second of CPU time, so that
other programs on the machine matter little, and every ratio is the median over rounds. Then come
one and two worker processes by the clock, nothing kept, whose batches must be equal.
"""

import argparse
import importlib.util
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
BATCHES, BATCH, SIZE = 40, 32, 224
OURS = {"ours, nothing kept": 0.0, "ours, later epochs": 4.0}  # GiB of decoded images kept
OTHERS = ("cv2.imdecode", "cv2.imdecode, memory kept", "simplejpeg", "Pillow")


def tree(root: Path, source: str | None, enlarge: int, count: int = 400) -> None:
    """The JPEGs of `source`, or `count` generated ones, as a set of two pairs."""
    paths = sorted(p for p in Path(source).rglob("*") if p.suffix == ".jpg") if source else []
    rng = np.random.default_rng(0)
    for i in range(len(paths) or count):
        to = root / ("happy_dog" if i % 2 else "dark_night") / f"{i}.jpg"
        to.parent.mkdir(parents=True, exist_ok=True)
        if paths and enlarge == 1:
            shutil.copy(paths[i], to)
            continue
        coarse = rng.integers(0, 256, (50, 63, 3), np.uint8)
        image = cv2.imread(str(paths[i])) if paths else cv2.resize(coarse, (500, 400))
        image = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
        grain = rng.normal(0, 3, image.shape)  # what a camera adds
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(to), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    (root / "anps.txt").write_text("happy_dog 1\ndark_night -1\n")


def prepared(folder: Path, source: Path | None = None):
    """The builder of the set."""
    from tfds_builders.prepare import prepare

    return prepare("flickr", None, folder, source)


def ours(builder, workers: int = 0, keep: float = 0.0):
    """Endless batches."""
    from jaxsent.data.batches import train_batches

    return train_batches(
        builder, "train", batch_size=BATCH, image_size=SIZE, seed=0, workers=workers, keep=keep
    )


def pillow(data: bytes, rng) -> np.ndarray:
    """One image as torchvision's transforms of Pillow images make it."""
    from PIL import Image

    from jaxsent.data.augment import random_crop_box

    image = Image.open(io.BytesIO(data)).convert("RGB")
    y, x, h, w = random_crop_box(image.height, image.width, rng)
    image = image.crop((x, y, x + w, y + h)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(image, np.float32) / 255
    return (pixels - np.float32(0.45)) / np.float32(0.225)


def measure(name: str, folder: Path) -> float:
    """Images per second of this process's CPU time."""
    from jaxsent.data import feed, records
    from jaxsent.data.batches import num_examples

    builder = prepared(folder)
    if name in OURS:
        batches = ours(builder, keep=OURS[name])
        once = num_examples(builder, "train") // BATCH + 8 if OURS[name] else 8
        for _ in range(once):
            next(batches)
        began = time.process_time()
        for _ in range(BATCHES):
            next(batches)
        return BATCHES * BATCH / (time.process_time() - began)
    source = records.source(builder, "train")
    files = [source[i]["image"] for i in range(min(len(source), BATCHES * BATCH))]
    cv2.setNumThreads(1)
    if name == "Pillow":
        rng = np.random.default_rng(0)
        work = lambda data: pillow(data, rng)  # noqa: E731
    elif name == "simplejpeg":
        from simplejpeg import decode_jpeg as work
    else:
        work = lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)  # noqa: E731
        if "kept" in name:
            feed.prepare_process()
    work(files[0])
    began = time.process_time()
    for i in range(BATCHES * BATCH):
        work(files[i % len(files)])
    return BATCHES * BATCH / (time.process_time() - began)


def rate(name: str, folder: Path) -> float:
    command = [sys.executable, __file__, "--measure", name, str(folder)]
    return float(subprocess.check_output(command, text=True).split()[-1])


def compare(folder: Path, rounds: int) -> None:
    others = [n for n in OTHERS if n != "simplejpeg" or importlib.util.find_spec(n)]
    found = [{name: rate(name, folder) for name in (*OURS, *others)} for _ in range(rounds)]
    print(f"{'per core':28s}{'images/s':>10s}" + "".join(f"{name + ' / it':>27s}" for name in OURS))
    for name in found[0]:
        images = statistics.median(r[name] for r in found)
        ratios = (statistics.median(r[mine] / r[name] for r in found) for mine in OURS)
        print(f"{name:28s}{images:10.0f}" + "".join(f"{ratio:27.2f}" for ratio in ratios))


def scale(folder: Path, rounds: int) -> None:
    """One and two workers, once they have started."""
    builder = prepared(folder)
    seconds = {1: [], 2: []}
    for _ in range(rounds):
        made = {}
        for workers, took in seconds.items():
            batches = ours(builder, workers)
            made[workers] = [next(batches) for _ in range(8)]
            began = time.perf_counter()
            made[workers] += [next(batches) for _ in range(BATCHES)]
            took.append(time.perf_counter() - began)
            batches.close()
        for one, two in zip(made[1], made[2], strict=True):
            for key in one:
                np.testing.assert_array_equal(one[key], two[key])
    images = [BATCH * BATCHES / statistics.median(took) for took in seconds.values()]
    ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
    print(f"{'workers, by the clock':28s}{'images/s':>10s}{'over one':>27s}")
    print(f"{'1':28s}{images[0]:10.0f}{1:27.2f}")
    print(f"{'2, equal batches':28s}{images[1]:10.0f}{ratio:27.2f}")


def main(options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        tree(source, options.source, options.enlarge)
        paths = list(source.rglob("*.jpg"))
        builder = prepared(out, source)
        height, width = next(iter(builder.as_data_source("train")))["image"].shape[:2]
        size = statistics.mean(p.stat().st_size for p in paths) / 1024
        print(f"{len(paths)} JPEGs, the first of {width}x{height}, {size:.0f} KiB on average")
        compare(out, options.rounds)
        scale(out, options.rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", help="folder with JPEGs")
    parser.add_argument("--enlarge", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, folder = options.measure
        print(measure(name, Path(folder)))
    else:
        main(options)
