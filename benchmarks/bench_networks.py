"""A process that trains or predicts when told to, for bench.py: ours or PyTorch's.

    PYTHON benchmarks/bench_networks.py ours|plain|torch NETWORK BACKBONE SIZE BATCH DTYPE

Each line of the standard input, "train" or "predict", is answered with the seconds of a step. A
training step is all of it, from uint8 images on the device to the update. "plain" is ours with
XLA's own gradients of batch norm and max pooling. PyTorch's networks are those of torch_networks.py
in the form that is fastest, by a second call of each: channels last or contiguous on a CPU,
compiled or not on a GPU.
"""

import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import tensors

CLASSES = 8
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def plain(*arguments) -> dict:
    """As `ours`, with autodiff's gradients."""
    import flax.linen as nn

    from jaxsent.models import norm, vgg

    norm.batch_norm = lambda *values: norm._batch_norm_forward(*values)[0]
    vgg.max_pool_2x2 = lambda x: nn.max_pool(x, (2, 2), (2, 2))
    return ours(*arguments)


def ours(network: str, backbone: str, size: int, batch: int, dtype: str) -> dict:
    import jax
    import jax.numpy as jnp

    from configs import base
    from jaxsent import emotions, models, pretrained
    from jaxsent.commands import agreement
    from jaxsent.models.inference import predict_step
    from jaxsent.models.settled import compiled
    from jaxsent.pretrained import Preprocessing
    from jaxsent.run.state import TrainState
    from jaxsent.startup import keep_programs
    from jaxsent.training import optim
    from jaxsent.training.step import train_step

    keep_programs()
    c = base.get_config()
    c.data.class_target = "label"
    model = models.build(network, CLASSES, backbone=backbone, dtype=jnp.dtype(dtype))
    factor = optim.schedule(c.optim, 100, 1000)
    tx = optim.optimizer(c.optim, factor, False)
    images = jnp.zeros((1, size, size, 3), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)  # init itself compiles for long
    weights = agreement.state_dict(model, shapes)
    variables = jax.device_put(pretrained.from_torch(weights, model, shapes))
    state = [TrainState.create(jax.tree.map(jnp.copy, variables), tx, False)]
    polarity = emotions.polarity(emotions.MIKELS)
    inputs = jax.device_put(tensors.batch(0, batch, size, CLASSES))
    train = compiled(
        train_step(model, tx, factor, c, polarity, Preprocessing(MEAN, STD)), donate_argnums=0
    )
    predict = compiled(predict_step(model, Preprocessing(MEAN, STD)))

    def trained():
        state[0], metrics = train(state[0], inputs)
        jax.block_until_ready((state[0], metrics))

    return {
        "train": trained,
        "predict": lambda: jax.block_until_ready(predict(variables, inputs["image"])),
    }


def torchs(network: str, backbone: str, size: int, batch: int, dtype: str) -> dict:
    import torch
    from torch.nn import functional as F
    from torch_networks import NETWORKS

    from tests.training.cases import Case

    cuda = torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    torch.set_default_device(device)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(0)
    case = Case(network, backbone, size=size, batch=batch, classes=CLASSES)
    model = NETWORKS[network](case).to(device).to(memory_format=torch.channels_last)
    layouts = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}
    forms = {"compiled": torch.compile(model), "eager": model} if cuda else layouts
    form = None
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=cuda
    )
    inputs = tensors.batch(0, batch, size, CLASSES)
    image = torch.from_numpy(inputs["image"]).to(device)
    label = torch.from_numpy(inputs["label"]).long().to(device)
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    low = torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16")

    def outputs():
        with low:
            images = ((image.float() - mean) / std).permute(0, 3, 1, 2)
            if cuda:
                return forms[form](images)
            return model(images.contiguous(memory_format=forms[form]))

    def train():
        model.train()
        optimizer.zero_grad()
        out = outputs()
        loss = F.cross_entropy(out["class_logits"].float(), label)
        if "detect_logits" in out:
            loss = loss + 0.1 * F.cross_entropy(out["detect_logits"].float(), label)
        loss.backward()
        optimizer.step()
        if cuda:
            torch.cuda.synchronize()

    def predict():
        model.eval()
        with torch.inference_mode():
            outputs()["class_logits"].float().softmax(1)
        if cuda:
            torch.cuda.synchronize()

    chosen = {}

    def use(name):
        nonlocal form
        if not cuda and name != form:
            model.to(memory_format=forms[name])
        form = name

    def timed(task, name):
        """Seconds of a second call, infinite where PyTorch cannot run this form."""
        use(name)
        try:
            task()
            began = time.perf_counter()
            task()
        except Exception as error:  # whatever torch.compile or a full memory leads to
            print(f"PyTorch, {name}: {error}", file=sys.stderr)
            return math.inf
        return time.perf_counter() - began

    def in_the_fastest_form(task):
        def called():
            if task not in chosen:
                seconds = {}
                for name in forms:
                    seconds[name] = timed(task, name)
                chosen[task] = min(seconds, key=seconds.get)
                print(f"PyTorch, {task.__name__}: {seconds}", file=sys.stderr, flush=True)
            use(chosen[task])
            task()

        return called

    return {task.__name__: in_the_fastest_form(task) for task in (train, predict)}


def main(kind: str, network: str, backbone: str, size: str, batch: str, dtype: str) -> None:
    make = {"ours": ours, "plain": plain, "torch": torchs}[kind]
    tasks = make(network, backbone, int(size), int(batch), dtype)
    for line in sys.stdin:
        began = time.perf_counter()
        tasks[line.strip()]()
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
