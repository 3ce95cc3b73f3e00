"""Kills a process at any moment and looks at what it left (`python -m tests.faults.kill`).

A process that prepares a set, trains a network of two convolutions on it and tests it, with a
checkpoint after every step, is killed (SIGKILL) at random moments and started again, until one gets
to its end; then the next begins anew. Each call ends with the same parameters as one that nobody
killed. The process is forked where everything is imported, so that half of its moments are not
those of imports, and says which part it is in, so that it is known where each kill fell.
"""

import argparse
import contextlib
import functools
import json
import mmap
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

STEPS = 12
PARTS = ("starting", "preparing", "training", "saving", "validating", "evaluating", "ending")


def config(folder: Path):
    """WSCNet on two convolutions, with dropout, batch norm, averages and validation."""
    from configs import base
    from jaxsent import models
    from jaxsent.models import resnet
    from tests import tiny

    models.BACKBONES["tiny"], resnet.tiny = "resnet:tiny", tiny.Tiny
    c = base.get_config()
    c.data.name, c.data.dir, c.data.source = "folder/mine", str(folder / "sets"), str(folder / "in")
    c.data.class_target, c.data.detect_target = "label", "label"
    c.data.validation_split, c.train.validate_every = "validation", 2.0
    c.data.image_size = c.eval.resize = 32
    c.model.name, c.model.backbone, c.loss.detect = "wscnet", "tiny", "cross_entropy"
    c.model.num_classes = c.model.detect_classes = None
    c.train.batch_size, c.train.steps, c.train.log_every = 8, STEPS, 1
    c.train.checkpoint_every, c.train.ema = 1, 0.9
    c.eval.batch_size, c.eval.ten_crop = 8, False
    c.optim.lr = c.optim.backbone_lr = 1e-3
    return c


def run(folder: Path) -> None:
    """Prepares, trains and evaluates; goes on where another call was ended."""
    from jaxsent.training import loop

    loop.train(config(folder), folder / "run")


def say_parts(shared: mmap.mmap) -> None:
    """Lets this process write into `shared` which of PARTS it is in."""
    from jaxsent.evaluation import evaluate
    from jaxsent.run import experiment
    from jaxsent.run.checkpoint import Checkpoints
    from jaxsent.training import loop

    def saying(call, part, afterwards=None):
        @functools.wraps(call)
        def said(*arguments, **options):
            before, shared[0] = shared[0], PARTS.index(part)
            try:
                return call(*arguments, **options)
            finally:
                shared[0] = before if afterwards is None else PARTS.index(afterwards)

        return said

    shared[0] = PARTS.index("starting")
    experiment.prepare = saying(experiment.prepare, "preparing")
    loop._run = saying(loop._run, "training")
    Checkpoints.save = saying(Checkpoints.save, "saving")
    evaluate.accuracy_and_loss = saying(evaluate.accuracy_and_loss, "validating")
    evaluate.evaluate = saying(evaluate.evaluate, "evaluating", "ending")


def forked(folder: Path, shared: mmap.mmap) -> int:
    """The process id of a child that runs, and says in `shared` where it is; its output is in
    `folder`/log."""
    child = os.fork()
    if child:
        return child
    status = 1
    with contextlib.suppress(BaseException):
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1), os.dup2(log, 2)
        import traceback

        try:
            say_parts(shared)
            run(folder)
            status = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
    os._exit(status)


def check(folder: Path) -> list[str]:
    """What is wrong with what a killed process left, of all that a reader would be shown."""
    wrong = []
    run = folder / "run"
    for path in (*run.rglob("*.json"), *(folder / "sets").glob("*/*/*/*.json")):
        if "orbax-checkpoint-tmp" in str(path) or "deleted." in str(path):
            continue
        try:
            json.loads(path.read_text())
        except ValueError:
            wrong.append(f"{path} is no JSON")
    for name in ("metrics.jsonl", "history.jsonl"):
        path = run / name
        lines = path.read_text().splitlines() if path.is_file() else []
        for line in lines:
            try:
                json.loads(line)
            except ValueError:
                wrong.append(f"{path}: {line!r}")
    for page in run.rglob("*.html"):
        if not page.read_text().rstrip().endswith("</html>"):
            wrong.append(f"{page} is cut off")
    wrong += _unreadable_checkpoints(run / "checkpoints")
    return wrong


def _unreadable_checkpoints(folder: Path) -> list[str]:
    """Of those that bear a step's name, every file has to be there as it was written."""
    from jaxsent.run import digests

    wrong = []
    for step in folder.iterdir() if folder.is_dir() else ():
        if not step.name.isdigit():
            continue
        if damaged := digests.damaged(step):
            wrong.append(f"{step}: {damaged} is damaged")
        missing = {"_CHECKPOINT_METADATA", "params", "opt_state", "step"} - set(os.listdir(step))
        if missing:
            wrong.append(f"{step}: {', '.join(sorted(missing))} missing")
    return wrong


def outcome(folder: Path) -> tuple[list[np.ndarray], list[tuple[int, str]], float]:
    """Of a finished run: the last checkpoint's arrays, the (step, split) of metrics.jsonl in their
    order, and the test's loss."""
    import jax

    from jaxsent.run import logbook
    from jaxsent.run.checkpoint import Checkpoints

    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with Checkpoints(folder / "run" / "checkpoints") as checkpoints:
        variables = checkpoints.stored(STEPS, device)
    lines = logbook.read(folder / "run" / "metrics.jsonl")
    results = json.loads((folder / "run" / "report" / "results.json").read_text())
    arrays = [np.asarray(x) for x in jax.tree.leaves(variables)]
    return arrays, [(line["step"], line["split"]) for line in lines], results["loss"]


def differences(outcome, expected) -> list[str]:
    """How two outcomes differ, in words."""
    wrong = []
    for name, one, other in zip(("steps of metrics.jsonl", "loss"), outcome[1:], expected[1:]):
        if one != other:
            wrong.append(f"{name}: {one}, expected {other}")
    same = [np.array_equal(a, b) for a, b in zip(outcome[0], expected[0], strict=True)]
    return wrong + [f"{same.count(False)} arrays differ"] * (not all(same))


def photographs(folder: Path) -> None:
    """40 pictures of noise in two folders."""
    import cv2

    rng = np.random.default_rng(0)
    for i in range(40):
        path = folder / ("amusement", "sadness")[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 40, 3), np.uint8))


def campaign(times: int, seed: int, place: Path) -> tuple[Counter, list[str], int]:
    """-> (kills by part, what went wrong, runs that came to their end).

    Moments are drawn evenly from the duration of a run that nobody kills.
    """
    rng = np.random.default_rng(seed)
    wrong, kills, ended = [], Counter(), 0
    shared = mmap.mmap(-1, 1)

    def fresh(name) -> Path:
        folder = place / name
        shutil.rmtree(folder, ignore_errors=True)
        photographs(folder / "in")
        return folder

    def whole(folder) -> float:
        began = time.monotonic()
        status = os.waitpid(forked(folder, shared), 0)[1]
        if status:
            raise RuntimeError((folder / "log").read_text())
        return time.monotonic() - began

    unbroken = fresh("unbroken")
    whole(unbroken)  # compiles
    shutil.rmtree(unbroken / "run")
    shutil.rmtree(unbroken / "sets")
    duration = whole(unbroken)
    folder = fresh("broken")
    left = []  # finished folders, read at the end: JAX must not start before the last fork
    while sum(kills.values()) < times:
        child = forked(folder, shared)
        time.sleep(rng.uniform(0, duration))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            kills[PARTS[shared[0]]] += 1
            wrong += check(folder)
        elif os.WEXITSTATUS(status):
            wrong.append((folder / "log").read_text()[-2000:])
            folder = fresh(f"after_{ended}_{len(wrong)}")
        else:
            ended += 1
            left.append(folder)
            folder = fresh(f"broken_{ended}")
    whole(folder)
    left.append(folder)
    expected = outcome(unbroken)
    for folder in left:
        wrong += [f"{folder.name}: {text}" for text in differences(outcome(folder), expected)]
        wrong += check(folder)
    return kills, wrong, len(left)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="for compiled programs")
    options = parser.parse_args()
    import jax

    import jaxsent.training.loop  # noqa: F401  imported before the first fork

    jax.config.update("jax_num_cpu_devices", 2)
    with tempfile.TemporaryDirectory() as place:
        cache = options.cache or Path(place, "cache")
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        began = time.monotonic()
        kills, wrong, ended = campaign(options.times, options.seed, Path(place))
        seconds = time.monotonic() - began
    print(json.dumps({"kills": {name: kills[name] for name in PARTS if kills[name]},
                      "ended": ended, "wrong": wrong, "seconds": round(seconds)}))  # fmt: skip
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
