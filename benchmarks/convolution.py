"""Layers of VGG-16 and ResNets, and whole training steps on a CPU: ours, plain XLA and PyTorch.

    python benchmarks/convolution.py [--torch-python PATH] [--tasks conv3_2 vgg16] [--batch 4]

Every variant runs in a process of its own, and they take turns within each round. Given are CPU
seconds (the least of the rounds), which other programs of a busy machine hardly change, and the
median of the ratios within a round. As the threads of PyTorch wait for each other in a busy loop,
trust CPU seconds on one core (`taskset -c 0`); `--wall` is for a machine that does nothing else.

A task is a layer, VGG's conv1_1 … or ResNet's stem …, whose output and two gradients are timed
apart, or a network: its training step, forward, backward with batch statistics, and an SGD update,
in float32 at 224.
PyTorch runs in both its layouts, contiguous (NCHW) and channels last.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAYERS = {  # side of the map, channels of the input and of the output, side of the filters, stride
    "conv1_1": (224, 3, 64, 3, 1), "conv1_2": (224, 64, 64, 3, 1),
    "conv2_1": (112, 64, 128, 3, 1), "conv2_2": (112, 128, 128, 3, 1),
    "conv3_1": (56, 128, 256, 3, 1), "conv3_2": (56, 256, 256, 3, 1),
    "conv4_1": (28, 256, 512, 3, 1), "conv4_2": (28, 512, 512, 3, 1),
    "conv5_1": (14, 512, 512, 3, 1),
    "stem": (224, 3, 64, 7, 2),
    "layer1_reduce": (56, 256, 64, 1, 1), "layer1_3x3": (56, 64, 64, 3, 1),
    "layer1_expand": (56, 64, 256, 1, 1),
    "layer2_stride": (56, 128, 128, 3, 2), "layer2_shortcut": (56, 256, 512, 1, 2),
    "layer2_reduce": (28, 512, 128, 1, 1), "layer2_3x3": (28, 128, 128, 3, 1),
    "layer2_expand": (28, 128, 512, 1, 1),
    "layer3_stride": (28, 256, 256, 3, 2), "layer3_shortcut": (28, 512, 1024, 1, 2),
    "layer3_reduce": (14, 1024, 256, 1, 1), "layer3_3x3": (14, 256, 256, 3, 1),
    "layer3_expand": (14, 256, 1024, 1, 1),
    "layer4_stride": (14, 512, 512, 3, 2), "layer4_shortcut": (14, 1024, 2048, 1, 2),
    "layer4_reduce": (7, 2048, 512, 1, 1), "layer4_3x3": (7, 512, 512, 3, 1),
    "layer4_expand": (7, 512, 2048, 1, 1),
}  # fmt: skip
NETWORKS = ("vgg16", "resnet50", "resnet101")
LEAST = 0.1
"""Seconds in which a short task is repeated."""
PARTS = ("output", "by input", "by weights")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="a Python with torch, for the comparison with it")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=[*LAYERS, *NETWORKS])
    parser.add_argument("--no-plain", action="store_true", help="without plain XLA, which is slow")
    parser.add_argument("--wall", action="store_true", help="seconds by the clock, not of the CPU")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        serve(args.worker, args.batch, time.perf_counter if args.wall else time.process_time)
        return
    pythons = {"ours": sys.executable}
    if not args.no_plain:
        pythons["plain XLA"] = sys.executable
    if args.torch_python:
        pythons |= dict.fromkeys(("PyTorch", "PyTorch, channels last"), args.torch_python)
    workers = {name: start(python, name, args.batch, args.wall) for name, python in pythons.items()}
    for task in args.tasks:
        parts = PARTS if task in LAYERS else ("training step",)
        seconds = "seconds" if args.wall else "CPU seconds"
        print(f"\n{task}, batch {args.batch}, {seconds}: {', '.join(parts)}")
        rounds = {name: [] for name in workers}
        for round_ in range(-1, args.rounds):  # round -1 compiles and warms up
            for name, worker in workers.items():
                times = ask(worker, task)
                if round_ >= 0:
                    rounds[name].append(times)
        for name, turns in rounds.items():
            best = [min(times) for times in zip(*turns, strict=True)]
            ratios = [
                statistics.median(t[i] / o[i] for t, o in zip(turns, rounds["ours"], strict=True))
                for i in range(len(parts))
            ]
            ratios = " ".join(f"{ratio:6.2f}" for ratio in ratios)
            print(
                f"{name:24} {' '.join(f'{t:8.4f}' for t in best)}   of ours: {ratios}", flush=True
            )
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()


def start(python: str, name: str, batch: int, wall: bool) -> subprocess.Popen:
    command = [python, __file__, "--worker", name, "--batch", str(batch), *["--wall"] * wall]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: subprocess.Popen, task: str) -> list[float]:
    """Runs `task` once: seconds of its parts."""
    print(task, file=worker.stdin, flush=True)
    return [float(seconds) for seconds in worker.stdout.readline().split()]


def serve(name: str, batch: int, clock) -> None:
    """Answers each task on stdin with the seconds of its parts by `clock`."""
    if name.startswith("PyTorch"):
        layer, network = torch_tasks(batch, name.endswith("channels last"))
    else:
        layer, network = jax_tasks(batch, name == "plain XLA")
    made = {}
    for line in sys.stdin:
        task = line.strip()
        if task not in made:
            made.clear()  # one network at a time in memory
            made[task] = layer(*LAYERS[task]) if task in LAYERS else [network(task)]
        times = []
        for part in made[task]:
            part()  # memory that lay idle during the others' turns is slow the first time
            began, count = clock(), 0
            while count == 0 or clock() - began < LEAST:
                part()
                count += 1
            times.append((clock() - began) / count)
        print(*times, flush=True)


def jax_tasks(batch: int, plain: bool) -> tuple:
    sys.path.insert(0, str(HERE.parent))
    import jax
    import jax.numpy as jnp
    import optax

    from jaxsent import models
    from jaxsent.models import convolution
    from jaxsent.models.settled import compiled

    if plain:
        convolution.convolution = convolution._plain
    conv = convolution.convolution

    def layer(side, n, m, k, stride):
        x = jax.random.normal(jax.random.key(0), (batch, side, side, n))
        dy = jax.random.normal(jax.random.key(1), (batch, side // stride, side // stride, m))
        kernel = jax.random.normal(jax.random.key(2), (k, k, n, m))
        of = partial(conv, stride=stride, padding=k // 2)
        parts = (
            lambda x, kernel, dy: of(x, kernel),
            lambda x, kernel, dy: jax.vjp(lambda x: of(x, kernel), x)[1](dy),
            lambda x, kernel, dy: jax.vjp(lambda kernel: of(x, kernel), kernel)[1](dy),
        )
        programs = [compiled(part) for part in parts]
        return [lambda f=f: jax.block_until_ready(f(x, kernel, dy)) for f in programs]

    def network(name):
        model = models.build(name, 1000)
        images = jax.random.normal(jax.random.key(0), (batch, 224, 224, 3))
        labels = jnp.arange(batch)
        variables = jax.jit(model.init)(jax.random.key(0), images[:1])

        def loss(params, statistics):
            out, updated = model.apply(
                {"params": params, "batch_stats": statistics}, images, train=True,
                mutable="batch_stats", rngs={"dropout": jax.random.key(1)},
            )  # fmt: skip
            losses = optax.softmax_cross_entropy_with_integer_labels(out["class_logits"], labels)
            return losses.mean(), updated.get("batch_stats", {})

        def step(params, statistics):
            gradient, statistics = jax.grad(loss, has_aux=True)(params, statistics)
            return jax.tree.map(lambda p, g: p - 1e-3 * g, params, gradient), statistics

        step = compiled(step, donate_argnums=(0, 1))
        state = [(variables["params"], variables.get("batch_stats", {}))]

        def train():
            state[0] = jax.block_until_ready(step(*state[0]))

        return train

    return layer, network


def torch_tasks(batch: int, channels_last: bool) -> tuple:
    import torch
    from torch.nn import functional
    from torch_networks import VGG16, ResNet

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    backward = torch.ops.aten.convolution_backward

    def layer(side, n, m, k, stride):
        out = side // stride
        x, dy, kernel = (
            torch.randn(*shape).contiguous(memory_format=layout)
            for shape in ((batch, n, side, side), (batch, m, out, out), (m, n, k, k))
        )
        rest = ([0], [stride] * 2, [k // 2] * 2, [1, 1], False, [0, 0], 1)
        return [
            lambda: functional.conv2d(x, kernel, stride=stride, padding=k // 2),
            lambda: backward(dy, x, kernel, *rest, [True, False, False]),
            lambda: backward(dy, x, kernel, *rest, [False, True, False]),
        ]

    def network(name):
        depths = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
        trunk = VGG16() if name == "vgg16" else ResNet(depths[name], bottleneck=True)
        last = torch.nn.Linear(4096 if name == "vgg16" else 2048, 1000)
        model = torch.nn.ModuleList([trunk, last]).to(memory_format=layout)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        images = torch.randn(batch, 3, 224, 224).contiguous(memory_format=layout)
        labels = torch.arange(batch)

        def train():
            optimizer.zero_grad()
            logits = last(trunk.embed(trunk.taps(images)[-1]))
            functional.cross_entropy(logits, labels).backward()
            optimizer.step()

        return train

    return layer, network


if __name__ == "__main__":
    main()
