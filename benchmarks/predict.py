"""How long an answer takes: `python benchmarks/predict.py --photos FOLDER --torch-python PYTHON`.

Three tables: `import jaxsent`; `jaxsent predict` on one photograph in fresh processes, with the
programs of an earlier call in the cache; photographs a second over a folder, decoding included.

The network is EfficientNet-Lite0 at 224 with 8 classes, as a run, and exported. PyTorch runs
benchmarks/make_efficientnet_oracle.py's in PYTHON, which needs torch and opencv: inference_mode,
batches of 32, decoded and resized with OpenCV by the workers of a DataLoader. Every round runs all
of them in turns, each in a process of its own that starts its clock after two batches; what is
compared are ratios within a round.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BATCH, SIZE, RESIZE = 32, 224, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--photos", type=Path, required=True, help="folder of .jpg files")
    parser.add_argument("--count", type=int, default=512, help="photographs a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", help="PYTHON with torch; without it none is compared")
    parser.add_argument("--run", type=Path, help="of EfficientNet-Lite0; made if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or make_run(Path(folder))
        for form in ("stablehlo", "onnx"):
            call("-m", "jaxsent", "export", run, "--format", form)
        onnx = (run / "model.onnx").rename(run / "alone.onnx")  # `run` itself is JAX's
        models = {"run (JAX)": run, "StableHLO": run / "model.jaxexport", "ONNX": onnx}
        start_up(options.rounds)
        one_photograph(models, next(options.photos.rglob("*.jpg")), options.rounds)
        folder_of_photographs(models, options)


def make_run(folder: Path) -> Path:
    """EfficientNet-Lite0 with its ImageNet weights and a new last layer, after one step."""
    config = "model.name=classifier model.holistic=pool data.name=emoji_scenes/tiny train.steps=1"
    dirs = f"data.dir={folder}/prepared eval.resize={RESIZE} eval.examples=0"
    flags = [f"--config.{pair}" for pair in f"{config} {dirs}".split()]
    run = folder / "run"
    call(ROOT / "run.py", "--config", ROOT / "configs/wsidnet_demo.py", "--workdir", run, *flags)
    return run


def call(*arguments, python=sys.executable) -> str:
    """The standard output of a fresh Python; what it complains of where it fails."""
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def start_up(rounds: int) -> None:
    rows = {"python -c pass": "pass", "python -c 'import jaxsent'": "import jaxsent"}
    print("| | seconds |\n|---|---|")
    for name, code in rows.items():
        print(f"| {name} | {median_of(rounds, '-c', code):.3f} |")


def one_photograph(models: dict, photo: Path, rounds: int) -> None:
    print("\n| jaxsent predict MODEL PHOTO | seconds to the answer |\n|---|---|")
    for name, model in models.items():
        command = ("-m", "jaxsent", "predict", model, photo)
        call(*command)
        print(f"| {name} | {median_of(rounds, *command):.2f} |")


def median_of(rounds: int, *arguments) -> float:
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        call(*arguments)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def folder_of_photographs(models: dict, options) -> None:
    children = {name: (sys.executable, "ours", model) for name, model in models.items()}
    if options.torch_python:
        children["PyTorch"] = (options.torch_python, "torch", "-")
    rates = {name: [] for name in children}
    for _ in range(options.rounds):
        for name, (python, kind, model) in children.items():
            out = call(__file__, "--child", kind, model, options.photos, options.count,
                       python=python)  # fmt: skip
            rates[name].append(float(out.split()[-1]))
            print(f"{name}: {rates[name][-1]:.1f} photographs/s", file=sys.stderr)
    print("\n| folder | photographs/s | over PyTorch's |\n|---|---|---|")
    for name, found in rates.items():
        ratio = ""
        if "PyTorch" in rates:
            pairs = zip(found, rates["PyTorch"], strict=True)
            ratio = f"{statistics.median(a / b for a, b in pairs):.2f}"
        print(f"| {name} | {statistics.median(found):.1f} | {ratio} |")


def paths(folder: str, count: int) -> list[Path]:
    """`count` files, each again where the folder has fewer."""
    return list(itertools.islice(itertools.cycle(sorted(Path(folder).rglob("*.jpg"))), count))


def ours(model: str, folder: str, count: int) -> None:
    sys.path.insert(0, str(ROOT))
    import jaxsent

    predictor = jaxsent.load(model)
    stream = iter(predictor.stream(paths(folder, count + 2 * BATCH)))
    for _ in range(2 * BATCH):
        next(stream)
    began = time.perf_counter()
    assert len(list(stream)) == count
    print(count / (time.perf_counter() - began))


def torchs(_: str, folder: str, count: int) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import cv2
    import torch
    from make_efficientnet_oracle import EfficientNetLite0

    class Photographs(torch.utils.data.Dataset):
        def __init__(self):
            self.paths = paths(folder, count + 2 * BATCH)

        def __len__(self):
            return len(self.paths)

        def __getitem__(self, i):
            image = cv2.imread(str(self.paths[i]), cv2.IMREAD_COLOR_RGB)
            h, w = image.shape[:2]
            size = (RESIZE * w // min(h, w), RESIZE * h // min(h, w))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            y, x = (image.shape[0] - SIZE) // 2, (image.shape[1] - SIZE) // 2
            return torch.from_numpy(image[y : y + SIZE, x : x + SIZE].transpose(2, 0, 1).copy())

    network = EfficientNetLite0().eval()
    loader = torch.utils.data.DataLoader(Photographs(), BATCH, num_workers=os.cpu_count())
    seen, began = 0, 0.0
    with torch.inference_mode():
        for i, images in enumerate(loader):
            if i == 2:
                began = time.perf_counter()
            network((images.float() - 127.0) / 128.0).softmax(1).numpy()
            seen += len(images) * (i >= 2)
    print(seen / (time.perf_counter() - began))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        {"ours": ours, "torch": torchs}[sys.argv[2]](*sys.argv[3:5], int(sys.argv[5]))
    else:
        main()
