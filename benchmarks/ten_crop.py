"""Ten-crop evaluation against ten single views: `python benchmarks/ten_crop.py [--rounds N]`.

Both go through predict_step, as evaluate.py runs it: one call with five crops an image, which
mirrors them on the device, or ten calls with one. In turns; the ratio is the median of the rounds'.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from jaxsent import models, pretrained
from jaxsent.models.inference import predict_step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="wsidnet")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    model = models.build(options.network, 8, backbone=options.backbone)
    shape = (options.batch, 5, options.size, options.size, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, *shape[2:]), np.float32))
    step = jax.jit(predict_step(model, pretrained.Preprocessing()))

    def ten_crop():
        return jax.block_until_ready(step(variables, crops))

    def ten_views():
        return jax.block_until_ready([step(variables, crops[:, i % 5]) for i in range(10)])

    seconds = {name: [] for name in (ten_crop, ten_views)}
    for call in seconds:
        call()
    for _ in range(options.rounds):
        for call, times in seconds.items():
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
    for call, times in seconds.items():
        rate = options.batch / statistics.median(times)
        print(f"{call.__name__:10s} {rate:7.2f} images/s")
    ratio = statistics.median(a / b for a, b in zip(*(seconds[c] for c in (ten_views, ten_crop))))
    print(f"ten_crop is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
