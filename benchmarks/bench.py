"""What this machine does, beside what others do on it: `make bench`.

    python benchmarks/bench.py [--torch-python PYTHON] [--rounds 3] [--only reading metrics]
        [--json build/bench.json] [--page docs/benchmarks.md]

A table of reading, preparing, metrics, and training and predicting with the main networks, in about
ten minutes at most: where the machine is slow or busy there are fewer turns, and networks that
would begin late are left out. Peers are PyTorch,
in a Python that has it, OpenCV and Pillow. Both run in processes of their own and take turns, and
what is compared are ratios within a turn: their median, the least and the most. With an accelerator
the networks run in bfloat16 at larger batches, also with XLA's own gradients of batch norm and max
pooling; a training from files through run.py is measured, and the numbers of `jaxsent doctor
--check` are told.
"""

import argparse
import concurrent.futures
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import input_pipeline

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- bench -->", "<!-- /bench -->"
NETWORKS = {  # network, backbone, size, batch on a CPU, batch on an accelerator
    "backbone, EfficientNet-Lite0": ("classifier", "efficientnet_lite0", 224, 8, 128),
    "WSIDNet, VGG-16": ("wsidnet", "vgg16", 224, 4, 128),
    "WSCNet, ResNet-101": ("wscnet", "resnet101", 448, 2, 32),
}
SECONDS = {"networks": 40, "reading": 60, "preparing": 30}
"""After so many, of each network's training and of the section, no further turn begins."""
LATE = 390
"""Seconds after which no network begins."""
PHOTOGRAPHS = 1000
"""Generated JPEGs of 500×400 that are prepared; training from files takes eight times as many."""
VERSIONS = ("jax", "jaxlib", "flax", "grain", "numpy", "opencv-python-headless", "pillow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    here = sys.executable if importlib.util.find_spec("torch") else None
    parser.add_argument("--torch-python", default=here, help="a Python with torch; none: no peer")
    parser.add_argument("--rounds", type=int, default=3, help="turns at most")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--json", type=Path, help="all numbers, for programs")
    parser.add_argument("--page", type=Path, help=f"put the table between its {START} marks")
    options = parser.parse_args()
    measured = {"machine": machine(options.torch_python), "rounds": options.rounds, "rows": []}
    began, options.left_out = time.perf_counter(), []
    options.late = began + LATE
    for name in options.only:
        for row in SECTIONS[name](options, measured["machine"]):
            measured["rows"].append({"section": name, **row})
            print(line(measured["rows"][-1]), flush=True)
    measured["seconds"] = round(time.perf_counter() - began)
    measured["left_out"] = options.left_out
    page = table(measured)
    print("\n" + page)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(measured, indent=1) + "\n")
    if options.page:
        text = options.page.read_text("utf-8")
        whole = re.compile(f"{START}.*{END}", re.DOTALL)
        if not whole.search(text):
            sys.exit(f"{options.page}: expected {START} and {END} in it; add them.")
        options.page.write_text(whole.sub(lambda _: f"{START}\n{page}\n{END}", text), "utf-8")


def machine(torch_python: str | None) -> dict:
    """What the numbers are of."""
    versions = {name: metadata.version(name) for name in VERSIONS}
    devices = "import jax; print(jax.devices()[0].platform, jax.devices()[0].device_kind)"
    kind, _, name = subprocess.check_output([sys.executable, "-c", devices], text=True).partition(
        " "
    )
    if torch_python:
        code = "import torch; print(torch.__version__)"
        versions["torch"] = subprocess.check_output([torch_python, "-c", code], text=True).strip()
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "platform": kind, "device": name.strip(), "cpu": cpu[1] if cpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(),
        "versions": versions, "date": time.strftime("%Y-%m-%d"),
        "load": os.getloadavg()[0],
    }  # fmt: skip


def turns(rounds: int, section: str) -> Iterator[int]:
    """0, 1, … up to `rounds`, and none after the first once the section's time is over."""
    began = time.perf_counter()
    for i in range(rounds):
        if i and time.perf_counter() - began > SECONDS[section]:
            return
        yield i


def row(name: str, unit: str, ours: list[float], peer: str = "", peers=()) -> dict:
    """Rates of each turn -> medians and, with a peer, the ratio of each turn."""
    ratios = [a / b for a, b in zip(ours, peers)]
    return {
        "name": name, "unit": unit, "ours": statistics.median(ours), "turns": ours,
        "peer": peer, "theirs": statistics.median(peers) if peers else None,
        "ratio": statistics.median(ratios) if ratios else None,
        "least": min(ratios, default=None), "most": max(ratios, default=None),
    }  # fmt: skip


PEERS = {"torch": "PyTorch", "plain": "XLA's own norm and pooling"}


def networks(options, machine):
    """Images a second of training steps and of predictions."""
    accelerated = machine["platform"] != "cpu"
    dtype = "bfloat16" if accelerated else "float32"
    for name in options.networks:
        if time.perf_counter() > options.late:
            options.left_out.append(name)
            continue
        network, backbone, size, small, large = NETWORKS[name]
        batch = large if accelerated else small
        pythons = {"ours": sys.executable}
        if accelerated:
            pythons["plain"] = sys.executable
        if options.torch_python:
            pythons["torch"] = options.torch_python
        children = {
            kind: start(python, kind, network, backbone, size, batch, dtype)
            for kind, python in pythons.items()
        }
        for task in ("train", "predict"):
            for child in children.values():
                ask(child, task)  # compiles
            rates = {kind: [] for kind in children}
            for _ in turns(options.rounds, "networks"):
                for kind, child in children.items():
                    ask(child, task)  # memory that lay idle meanwhile is slow the first time
                    rates[kind].append(batch / ask(child, task))
            what = f"{name}, {size}, {batch} images, {dtype}: {task}"
            peers = {PEERS[kind]: rates[kind] for kind in rates if kind != "ours"}
            peers = {peer: found for peer, found in peers.items() if not math.isnan(sum(found))}
            for peer, found in peers.items() or [("", [])]:
                yield row(what, "images/s", rates["ours"], peer, found)
        for child in children.values():
            child.stdin.close()
            child.wait()


def start(python: str, *arguments) -> subprocess.Popen:
    """A process of bench_networks.py, with the huge pages that run.py asks for."""
    command = [python, ROOT / "benchmarks" / "bench_networks.py", *arguments]
    # Else the first of the processes takes three quarters of a GPU's memory.
    tunables = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if arguments[0] != "torch":
        tunables["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    return subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | tunables,
    )  # fmt: skip


def ask(child: subprocess.Popen, task: str) -> float:
    """Seconds of a task; not a number where the process has failed, which stderr tells."""
    try:
        print(task, file=child.stdin, flush=True)
        return float(child.stdout.readline())
    except (BrokenPipeError, ValueError):
        return float("nan")


def reading(options, machine):
    """Random crops to 224 pixels, an image a core, as input_pipeline.py measures them."""
    del machine
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        input_pipeline.tree(source, None, 1)
        input_pipeline.prepared(out, source)
        peers = ("cv2.imdecode", "Pillow")
        measured = [
            {name: input_pipeline.rate(name, out) for name in (*input_pipeline.OURS, *peers)}
            for _ in turns(options.rounds, "reading")
        ]
        for ours in input_pipeline.OURS:
            for peer in peers:
                mine, theirs = ([turn[name] for turn in measured] for name in (ours, peer))
                yield row(f"reading, {ours}", "images/s a core", mine, peer, theirs)


def preparing(options, machine):
    """A folder of photographs made into a set, against decoding each once on every core."""
    del machine
    from tfds_builders.prepare import prepare

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        input_pipeline.tree(source, None, 1, PHOTOGRAPHS)
        rates, peers = [], []
        for i in turns(options.rounds, "preparing"):
            began = time.perf_counter()
            prepare("folder", None, Path(folder, str(i)), source)
            rates.append(PHOTOGRAPHS / (time.perf_counter() - began))
            peers.append(PHOTOGRAPHS / decoding(source))
        what = f"preparing {PHOTOGRAPHS:,} photographs"
        yield row(what, "images/s", rates, "cv2.imdecode, all cores", peers)


def decoding(source: Path) -> float:
    """Seconds in which threads decode every file of a folder."""
    import cv2
    import numpy as np

    def decode(path: Path) -> None:
        cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)

    cv2.setNumThreads(1)
    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(decode, source.rglob("*.jpg")))
    return time.perf_counter() - began


def metrics(options, machine):
    """The map metrics, by metrics.py."""
    del options, machine
    command = [sys.executable, str(ROOT / "benchmarks" / "metrics.py"), "--maps", "100"]
    text = subprocess.check_output(command, text=True)
    yield from metrics_rows(text)


def metrics_rows(text: str) -> Iterator[dict]:
    """What metrics.py prints for 100 maps -> rows, of CPU seconds."""
    for name, cpu in re.findall(r"^(\w[\w ]*?) {2,}[\d.]+ +([\d.]+)", text, re.MULTILINE):
        if " x " in name:
            yield row(f"EMD of maps of {name}", "maps/s", [1000 / max(float(cpu), 0.1)])
        elif name == "all but EMD":
            yield row("six metrics of maps of 448 x 448", "maps/s", [100 / float(cpu)])


def files(options, machine):
    """Training through run.py from files, on accelerators: what data.workers=-1 makes of it."""
    del options
    if machine["platform"] == "cpu":
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from_files(Path(folder), 8 * PHOTOGRAPHS, 128, 224, 300)


def from_files(folder: Path, images: int, batch: int, size: int, steps: int) -> dict:
    """A row of WSIDNet's training from `images` generated JPEGs."""
    input_pipeline.tree(folder / "source", None, 1, images)
    flags = {
        "init.checkpoint": "", "data.source": folder / "source", "data.dir": folder / "out",
        "data.image_size": size, "eval.resize": max(size, 256), "train.steps": steps,
        "train.batch_size": batch,
        "train.log_every": max(steps // 10, 1), "model.dtype": "bfloat16", "optim.lr": 1e-4,
        "optim.backbone_lr": 1e-4, "eval.ten_crop": False, "eval.batch_size": batch,
    }  # fmt: skip
    run = folder / "run"
    command = [ROOT / "run.py", "--config", ROOT / "configs/wsidnet_flickr.py", "--workdir", run]
    command += [f"--config.{key}={value}" for key, value in flags.items()]
    subprocess.run([sys.executable, *map(str, command)], check=True, cwd=ROOT)
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    train = [entry for entry in lines if entry["split"] == "train"][2:]  # after its start
    waited = statistics.median(entry["waited"] for entry in train)
    name = f"WSIDNet, VGG-16, {size}, from {images:,} files, waited {waited:.0%}"
    return row(name, "images/s", [entry["images_per_second"] for entry in train])


def check(options, machine):
    """What the device computes, on accelerators: `jaxsent doctor --check`, an error an output."""
    del options
    if machine["platform"] == "cpu":
        return
    code = "import json; from jaxsent.commands.agreement import check; print(json.dumps(check()))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    text = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    for entry in json.loads(text.splitlines()[-1])["rows"]:
        allowed = f", {entry['allowed']:.0e} allowed" if entry["allowed"] else ""
        name = f"{entry['network']}, {entry['output']}, {entry['precision']}{allowed}"
        yield row(name, "relative error", [entry["error"]])


def line(entry: dict) -> str:
    """A row of the table; a ratio below 1 is bold."""
    theirs = f"{entry['peer']} {entry['theirs']:,.4g}" if entry["peer"] else ""
    ratio = ""
    if entry["peer"]:
        ratio = f"{entry['ratio']:.2f}"
        ratio = f"**{ratio}**" if round(entry["ratio"], 2) < 1 else ratio
        ratio += f" ({entry['least']:.2f}–{entry['most']:.2f})"
    return f"| {entry['name']} | {entry['ours']:,.4g} {entry['unit']} | {theirs} | {ratio} |"


def table(measured: dict) -> str:
    """The page's section, without its heading."""
    about = measured["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    busy = ""
    if about["load"] > 0.5:
        busy = (
            f" **Other programs were running (load {about['load']:.1f} at the start): do not trust "
            "the rates, nor ratios to PyTorch, whose threads wait for each other.**"
        )
    late = ""
    if measured["left_out"]:
        late = f" Left out, as the time was over: {'; '.join(measured['left_out'])}."
    counts = [len(entry["turns"]) for entry in measured["rows"] if entry["peer"]]
    least, most = min(counts, default=1), max(counts, default=1)
    many = f"{most} turn{'s' * (most > 1)}" if least == most else f"{least} to {most} turns"
    heading = (
        f"{about['date']}, {about['device']} ({about['platform']}), {about['cpu']}, "
        f"{about['cores']} cores, Python {about['python']}; {versions}. Medians of "
        f"{many}, {measured['seconds']} s in all.{busy}{late}"
    )
    columns = "| | jaxsent | peer | ours / theirs (least–most) |\n|---|---|---|---|"
    return "\n".join([heading, "", columns, *map(line, measured["rows"])])


SECTIONS = {
    "reading": reading, "preparing": preparing, "metrics": metrics, "networks": networks,
    "files": files, "check": check,
}  # fmt: skip

if __name__ == "__main__":
    main()
