"""What training should do on many devices, calculated: `python benchmarks/scale_model.py`.

Nothing here was measured but the steps of one H100. A step of n devices takes

    step + 2 (n − 1)/n · bytes of the gradients / bandwidth + 2 · norms · (latency + hops · HOP)

The first term is of the images that one device has, the second a ring all-reduce in float32 that
starts when the backward pass has ended (tests/test_tpu.py finds one for all gradients), the third
batch norm's sums, forwards and backwards, of each layer. Efficiency is the first over all.
"""

import math
from typing import NamedTuple


class Network(NamedTuple):
    """Images a device, milliseconds of a step on one H100 in bfloat16, gradients, norm layers."""

    images: int
    ms: float
    parameters: int
    norms: int


class Devices(NamedTuple):
    """`slower`: a step's time over an H100's. `bandwidth`: bytes a second that a device sends in
    a ring. `latency`: seconds of an all-reduce of a few numbers, and what each hop adds."""

    count: int
    slower: float
    bandwidth: float
    latency: float
    hops: int = 0


HOP = 1e-6
NETWORKS = {
    "WSIDNet, VGG-16, 224": Network(128, 34.9, 144_013_672, 0),
    "WSCNet, ResNet-101, 448": Network(32, 38.7, 42_598_504, 104),
    "EfficientNet-Lite0, 224": Network(128, 17.4, 6_010_888, 49),
}
# NVLink 4 carries 450 GB/s each way, of which 360 are taken to be reached. A v5e chip has an eighth
# to a quarter of an H100 (197 of 990 TFLOP/s, 819 of 3,350 GB/s): a fifth. Its four links carry
# 50 GB/s each; two of them make a ring.
V5E = dict(slower=5.0, bandwidth=100e9, latency=5e-6)
DEVICES = {
    "8 × H100": Devices(8, 1.0, 360e9, 15e-6),
    "v5e-8": Devices(8, **V5E, hops=4),
    "v5e-64": Devices(64, **V5E, hops=14),
    "v5e-256": Devices(256, **V5E, hops=16),
}


def milliseconds(network: Network, devices: Devices, images: float) -> tuple[float, float, float]:
    """A step of `images` a device: its own time, that of the gradients, that of batch norm."""
    step = network.ms * devices.slower * images / network.images
    share = 2 * (devices.count - 1) / devices.count
    gradients = share * 4 * network.parameters / devices.bandwidth
    norms = 2 * network.norms * (devices.latency + devices.hops * HOP)
    return step, 1e3 * gradients, 1e3 * norms


def row(name: str, network: Network, kind: str, devices: Devices, images: float) -> str:
    step, gradients, norms = milliseconds(network, devices, images)
    whole = step + gradients + norms
    rate = 1e3 * images * devices.count / whole
    return (
        f"| {name} | {kind} | {images:g} | {step:.1f} + {gradients:.1f} + {norms:.1f} | "
        f"{step / whole:.0%} | {_rounded(rate):,} |"
    )


def _rounded(value: float) -> int:
    """To two figures, which is more than is known."""
    return int(round(value, 1 - math.floor(math.log10(value))))


def table(batch: int | None = None) -> str:
    """Full devices, or a batch of `batch` images over all of them."""
    lines = [
        "| network | devices | images a device | step + gradients + batch norm, ms | efficiency | "
        "images/s |",
        "|---|---|---|---|---|---|",
    ]
    for name, network in NETWORKS.items():
        for kind, devices in DEVICES.items():
            images = batch / devices.count if batch else network.images
            lines.append(row(name, network, kind, devices, images))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(), table(512), sep="\n\n")
