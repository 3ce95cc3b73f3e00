"""EfficientNet-Lite0 at 224 on a CPU: images a second of plain XLA, ours and PyTorch.

    python benchmarks/depthwise.py [--torch-python PATH] [--batch 16] [--rounds 7]

Every variant runs in a process of its own, and they take turns within each round, so that a busy
machine slows all of them alike: trust the ratios. CPU seconds a image say what the work costs when
others use the cores.

Training is forward, backward with batch statistics, and an SGD update, in float32. "huge pages"
asks glibc for them, as run.py does (`startup.restart_with_huge_pages`). PyTorch's threads wait
for each other in a busy loop, so on a busy machine compare on one core (`taskset -c 0`).
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAYER = (56, 56, 144)  # of stage 2, 3×3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="a Python with torch, for the comparison with it")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plain-rounds", type=int, default=1, help="of plain XLA, which is slow")
    parser.add_argument("--variants", nargs="+", help="only these, by the names of the table")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        serve(args.worker, args.batch)
        return
    pythons = dict.fromkeys(("plain XLA", "ours", "ours, huge pages"), sys.executable)
    if args.plain_rounds == 0:
        del pythons["plain XLA"]
    if args.torch_python:
        pythons |= dict.fromkeys(("PyTorch", "PyTorch, huge pages"), args.torch_python)
    if args.variants:
        pythons = {name: python for name, python in pythons.items() if name in args.variants}
    workers = {name: start(python, name, args.batch) for name, python in pythons.items()}
    reference = next((n for n in ("PyTorch", "ours") if n in workers), next(iter(workers)))
    for task in ("forward", "train", "kernel gradient"):
        times = {name: [] for name in workers}
        for round_ in range(-1, args.rounds):  # round -1 compiles and warms up
            for name, worker in workers.items():
                if name == "plain XLA" and round_ >= args.plain_rounds:
                    continue
                seconds = ask(worker, task)
                if round_ >= 0:
                    times[name].append(seconds)
        show(task, times, reference, args.batch)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()


def start(python: str, name: str, batch: int) -> subprocess.Popen:
    command = [python, __file__, "--worker", name, "--batch", str(batch)]
    environment = dict(os.environ, GLIBC_TUNABLES="")
    if name.endswith("huge pages"):
        environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def ask(worker: subprocess.Popen, task: str) -> tuple[float, float]:
    """Runs `task` once: (wall, CPU) seconds."""
    print(task, file=worker.stdin, flush=True)
    wall, cpu = worker.stdout.readline().split()
    return float(wall), float(cpu)


def show(task: str, times: dict, reference: str, batch: int) -> None:
    medians = {name: statistics.median(wall for wall, _ in t) for name, t in times.items()}
    print(f"\n{task}, batch {batch}" + (f", {LAYER}" if task == "kernel gradient" else ""))
    print(f"{'':18} {'median ms':>10} {'images/s':>9} {'of ' + reference:>11} {'CPU ms/image':>13}")
    for name, wall in medians.items():
        ratio = medians[reference] / wall
        cpu = statistics.median(cpu for _, cpu in times[name]) / batch
        print(
            f"{name:18} {wall * 1e3:10.1f} {batch / wall:9.1f} {ratio:11.2f} {cpu * 1e3:13.1f}",
            flush=True,
        )


def serve(name: str, batch: int) -> None:
    """Answers each task on stdin with the seconds that it took."""
    tasks = (
        torch_tasks(batch) if name.startswith("PyTorch") else jax_tasks(batch, name == "plain XLA")
    )
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        tasks[line.strip()]()
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


def jax_tasks(batch: int, plain: bool) -> dict:
    sys.path.insert(0, str(HERE.parent))
    import jax
    import jax.numpy as jnp
    import optax

    from jaxsent.models import depthwise, efficientnet
    from jaxsent.models.settled import compiled

    def convolution(x, kernel, stride=1):
        groups = x.shape[-1] if kernel.shape[2] == 1 else 1
        return depthwise._convolution(x, kernel, stride=stride, groups=groups)

    if plain:
        efficientnet.depthwise_conv = efficientnet.pointwise_conv = convolution
    model = efficientnet.efficientnet_lite0()
    images = jax.random.normal(jax.random.key(0), (batch, 224, 224, 3))
    labels = jnp.arange(batch)
    variables = jax.jit(model.init)(jax.random.key(0), images[:1])

    def loss(params, statistics):
        out, updated = model.apply(
            {"params": params, "batch_stats": statistics},
            images,
            train=True,
            mutable="batch_stats",
            rngs={"dropout": jax.random.key(1)},
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(out["class_logits"], labels)
        return losses.mean(), updated["batch_stats"]

    def step(variables):
        gradient, statistics = jax.grad(loss, has_aux=True)(*variables)
        params = jax.tree.map(lambda p, g: p - 0.01 * g, variables[0], gradient)
        return params, statistics

    step = compiled(step, donate_argnums=0)
    apply = compiled(model.apply)
    state = [(variables["params"], variables["batch_stats"])]
    variables = jax.tree.map(jnp.copy, variables)  # the originals are donated

    def train():
        state[0] = jax.block_until_ready(step(state[0]))

    x = jax.random.normal(jax.random.key(2), (batch, *LAYER))
    kernel = jax.random.normal(jax.random.key(3), (3, 3, 1, LAYER[-1]))
    conv = convolution if plain else depthwise.depthwise_conv
    by_kernel = compiled(lambda x, dy: jax.vjp(lambda k: conv(x, k, 1), kernel)[1](dy))
    return {
        "forward": lambda: jax.block_until_ready(apply(variables, images)),
        "train": train,
        "kernel gradient": lambda: jax.block_until_ready(by_kernel(x, x)),
    }


def torch_tasks(batch: int) -> dict:
    import torch
    from make_efficientnet_oracle import EfficientNetLite0

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    # Channels last, the faster layout: 1.9 against 0.3 images/s in training on a busy machine.
    model = EfficientNetLite0().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images = torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch)

    def forward():
        model.eval()
        with torch.no_grad():
            model(images)

    def train():
        model.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    h, w, c = LAYER
    x = torch.randn(batch, c, h, w).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(c, 1, 3, 3)

    def kernel_gradient():
        arguments = ([0], [1, 1], [1, 1], [1, 1], False, [0, 0], c, [False, True, False])
        torch.ops.aten.convolution_backward(x, x, kernel, *arguments)

    return {"forward": forward, "train": train, "kernel gradient": kernel_gradient}


if __name__ == "__main__":
    main()
