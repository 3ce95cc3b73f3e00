"""ResNet-18/34/50/101, torchvision's architecture (He et al. 2016; stride in the 3×3, "v1.5")."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models.backbone import Array, Backbone
from jaxsent.models.convolution import Conv
from jaxsent.models.max_pool import max_pool
from jaxsent.models.norm import BatchNorm
from jaxsent.models.settled import settled

HE = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class Block(nn.Module):
    """A residual block: two 3×3 convolutions, or 1×1, 3×3, 1×1 where `expansion` is 4.

    With `zero_init` the last norm's scale starts at zero, and the block as its shortcut.
    """

    width: int
    stride: int
    expansion: int
    project: bool
    dtype: Any
    zero_init: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """(B, h, w, n) -> (B, h/stride, w/stride, width·expansion)."""
        conv = partial(Conv, use_bias=False, dtype=self.dtype, kernel_init=HE)
        norm = partial(BatchNorm, momentum=0.9, epsilon=1e-5)
        if self.expansion == 1:
            layers = ((self.width, 3, self.stride), (self.width, 3, 1))
        else:
            layers = ((self.width, 1, 1), (self.width, 3, self.stride), (4 * self.width, 1, 1))
        shortcut = x
        if self.project:
            out = self.width * self.expansion
            shortcut = conv(out, 1, self.stride, name="downsample_conv")(x)
            shortcut = norm(name="downsample_bn")(shortcut, train)
        y = x
        for i, (width, kernel, stride) in enumerate(layers, 1):
            y = conv(width, kernel, stride, kernel // 2, name=f"conv{i}")(y)
            last = i == len(layers)
            scale = nn.initializers.zeros if last and self.zero_init else nn.initializers.ones
            y = norm("relu", scale_init=scale, name=f"bn{i}")(y, train, shortcut if last else None)
        return settled(y)


def blocks(depths: tuple[int, ...], expansion: int):
    """Yields (layer, block, stride, whether the shortcut needs a projection)."""
    for layer, depth in enumerate(depths, 1):
        for block in range(depth):
            first = block == 0
            stride = 2 if first and layer > 1 else 1
            yield layer, block, stride, first and (stride == 2 or expansion > 1)


class ResNet(Backbone):
    """ResNet. Taps stem (after pooling), layer1 … layer4; 44,549,160 parameters at depth 101.

    Attributes:
      depths: blocks of each of the four layers.
      expansion: 4 for bottleneck blocks (50, 101), 1 for basic ones (18, 34).
      zero_init_residual: the last norm of each block starts with a scale of zero, so that blocks
        start as their shortcuts and maps do not grow with depth (Goyal et al. 2017, section 5.1).
        Initialisation alone: loaded weights give the same outputs with or without.
    """

    depths: tuple[int, ...] = (3, 4, 23, 3)
    expansion: int = 4
    zero_init_residual: bool = False

    TAP = "layer4"

    def setup(self):
        self.conv1 = Conv(64, 7, 2, 3, use_bias=False, dtype=self.dtype, kernel_init=HE)
        self.bn1 = BatchNorm("relu", momentum=0.9, epsilon=1e-5)
        for layer, block, stride, project in blocks(self.depths, self.expansion):
            width = 64 * 2 ** (layer - 1)
            setattr(
                self,
                f"layer{layer}_{block}",
                Block(width, stride, self.expansion, project, self.dtype, self.zero_init_residual),
            )
        self.fc = nn.Dense(self.num_classes, dtype=jnp.float32)

    def features(self, images: Array, train: bool = False, last: str | None = None):
        x = self.bn1(self.conv1(images.astype(self.dtype)), train)
        x = max_pool(x, 3, 2, 1)
        x = self.perturbed("stem", x)
        taps = {"stem": x}
        for layer, depth in enumerate(self.depths, 1):
            if last in taps:
                break
            for block in range(depth):
                x = getattr(self, f"layer{layer}_{block}")(x, train)
            x = taps[f"layer{layer}"] = self.perturbed(f"layer{layer}", x)
        return taps

    def embed(self, features: dict[str, Array], train: bool = False) -> Array:
        """layer4 -> (B, n) float32, its global average."""
        return features["layer4"].astype(jnp.float32).mean((1, 2))

    def classify(self, embedding: Array) -> Array:
        return self.fc(embedding)

    def torch_names(self) -> dict[str, str]:
        names = {"conv1": "conv1", "bn1": "bn1", "fc": "fc"}
        convolutions = 2 if self.expansion == 1 else 3
        for layer, block, _, project in blocks(self.depths, self.expansion):
            flax_block, torch_block = f"layer{layer}_{block}", f"layer{layer}.{block}"
            for i in range(1, convolutions + 1):
                names[f"{flax_block}/conv{i}"] = f"{torch_block}.conv{i}"
                names[f"{flax_block}/bn{i}"] = f"{torch_block}.bn{i}"
            if project:
                names[f"{flax_block}/downsample_conv"] = f"{torch_block}.downsample.0"
                names[f"{flax_block}/downsample_bn"] = f"{torch_block}.downsample.1"
        return names


resnet18 = partial(ResNet, depths=(2, 2, 2, 2), expansion=1)
resnet34 = partial(ResNet, depths=(3, 4, 6, 3), expansion=1)
resnet50 = partial(ResNet, depths=(3, 4, 6, 3), expansion=4)
resnet101 = partial(ResNet, depths=(3, 4, 23, 3), expansion=4)
