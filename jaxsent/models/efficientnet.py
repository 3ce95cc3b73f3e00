"""EfficientNet-Lite: small ImageNet networks of inverted residual blocks.

EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation and with ReLU6. Source of the
widths, depths and paddings: tpu/models/official/efficientnet/lite in TensorFlow's TPU repository.
The published weights expect RGB as (x − 127) / 128.
"""

import math
from functools import partial
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models.backbone import Backbone
from jaxsent.models.depthwise import depthwise_conv, pointwise_conv
from jaxsent.models.norm import BatchNorm
from jaxsent.models.settled import settled

Array = jax.Array


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expand: int
    width: int


_LITE0 = (
    _Stage(blocks=1, kernel=3, stride=1, expand=1, width=16),
    _Stage(blocks=2, kernel=3, stride=2, expand=6, width=24),
    _Stage(blocks=2, kernel=5, stride=2, expand=6, width=40),
    _Stage(blocks=3, kernel=3, stride=2, expand=6, width=80),
    _Stage(blocks=3, kernel=5, stride=1, expand=6, width=112),
    _Stage(blocks=4, kernel=5, stride=2, expand=6, width=192),
    _Stage(blocks=1, kernel=3, stride=1, expand=6, width=320),
)
_STEM_WIDTH = 32
_HEAD_WIDTH = 1280
# He's initialisation by the fan-out, as in the TensorFlow original. A depthwise filter's fan-out is
# its k² weights, which in Flax's layout (k, k, 1, C) is what counts as fan-in.
_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_depthwise_init = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


def scaled_stages(width: float, depth: float) -> tuple[_Stage, ...]:
    """Lite0's stages with `width` times the channels and `depth` times the blocks.

    Channels are rounded to multiples of 8 without losing more than a tenth, blocks are rounded up;
    the first and the last stage keep their number of blocks.
    """

    def channels(n: int) -> int:
        rounded = max(8, int(n * width + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * n * width else rounded

    last = len(_LITE0) - 1
    return tuple(
        s._replace(
            blocks=s.blocks if i in (0, last) else math.ceil(s.blocks * depth),
            width=channels(s.width),
        )
        for i, s in enumerate(_LITE0)
    )


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, ReLU6: (B, H, W, n) -> (B, ⌈H/stride⌉, …, width)."""

    width: int
    kernel: int
    stride: int
    dtype: Any

    def setup(self):
        if self.kernel == 1:
            self.conv = Pointwise(self.width, self.dtype)
        else:
            self.conv = nn.Conv(
                self.width,
                (self.kernel, self.kernel),
                (self.stride, self.stride),
                padding="SAME",
                use_bias=False,
                dtype=self.dtype,
                kernel_init=_conv_init,
            )
        self.norm = BatchNorm("relu6")

    def __call__(self, x: Array, train: bool) -> Array:
        return self.norm(self.conv(x), train)


class Depthwise(nn.Module):
    """Depthwise convolution without bias: (B, H, W, C) -> (B, ⌈H/stride⌉, ⌈W/stride⌉, C)."""

    kernel: int
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.kernel, self.kernel, 1, x.shape[-1])
        kernel = self.param("kernel", _depthwise_init, shape, jnp.float32)
        return depthwise_conv(x.astype(self.dtype), kernel.astype(self.dtype), self.stride)


class Pointwise(nn.Module):
    """1×1 convolution without bias: (B, H, W, n) -> (B, H, W, width)."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (1, 1, x.shape[-1], self.width)
        kernel = self.param("kernel", _conv_init, shape, jnp.float32)
        return pointwise_conv(x.astype(self.dtype), kernel.astype(self.dtype))


class Block(nn.Module):
    """Inverted residual block: widen (1×1), filter each channel (k×k), narrow (1×1), add."""

    stage: _Stage
    stride: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        y = x
        if self.stage.expand > 1:
            y = Pointwise(x.shape[-1] * self.stage.expand, self.dtype, name="expand")(y)
            y = BatchNorm("relu6", name="expand_norm")(y, train)
        y = Depthwise(self.stage.kernel, self.stride, self.dtype, name="depthwise")(y)
        y = BatchNorm("relu6", name="depthwise_norm")(y, train)
        y = Pointwise(self.stage.width, self.dtype, name="project")(y)
        y = BatchNorm(name="project_norm")(y, train)
        return settled(x + y if x.shape == y.shape else y)


class Blocks(nn.Module):
    """The blocks of one stage; the first one strides."""

    stage: _Stage
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        for i in range(self.stage.blocks):
            stride = self.stage.stride if i == 0 else 1
            x = Block(self.stage, stride, self.dtype, name=f"block{i + 1}")(x, train)
        return x


class EfficientNet(Backbone):
    """EfficientNet-Lite with taps "stem", "stage1" to "stage7" and "head".

    Attributes:
      width: factor on the channels of the stages; stem and head are never widened.
      depth: factor on the blocks of the stages, see `scaled_stages`.
      dropout: rate before the classifier.
    """

    width: float = 1.0
    depth: float = 1.0
    dropout: float = 0.2

    TAP: ClassVar[str] = "stage5"
    CLASSIFIER: ClassVar[str] = "classifier"

    def setup(self):
        self.stem = ConvNorm(_STEM_WIDTH, kernel=3, stride=2, dtype=self.dtype)
        for name, stage in self._stages().items():
            setattr(self, name, Blocks(stage, self.dtype))
        self.head = ConvNorm(_HEAD_WIDTH, kernel=1, stride=1, dtype=self.dtype)
        self.drop = nn.Dropout(self.dropout)
        self.classifier = nn.Dense(self.num_classes, dtype=self.dtype)

    def features(
        self, images: Array, train: bool = False, last: str | None = None
    ) -> dict[str, Array]:
        """(B, H, W, 3) -> {tap: (B, h, w, n)} in order, up to and including `last` (None: all).

        At 224: stem 112×112×32, stage1 112×112×16, stage2 56×56×24, stage3 28×28×40,
        stage4 14×14×80, stage5 14×14×112, stage6 7×7×192, stage7 7×7×320, head 7×7×1280.
        """
        names = ["stem", *self._stages(), "head"]
        if last is not None and last not in names:
            raise ValueError(f"last={last!r} is no tap of EfficientNet; expected one of {names}.")
        taps = {}
        x = images.astype(self.dtype)
        for name in names:
            x = taps[name] = self.perturbed(name, getattr(self, name)(x, train))
            if name == last:
                break
        return taps

    def embed(self, features: dict[str, Array], train: bool = False) -> Array:
        """All taps -> (B, 1280) float32: the average over space, with dropout in training."""
        mean = jnp.mean(features["head"], axis=(1, 2), dtype=jnp.float32)
        return self.drop(mean, deterministic=not train)

    def classify(self, embedding: Array) -> Array:
        return self.classifier(embedding).astype(jnp.float32)

    def torch_names(self) -> dict[str, str]:
        """Module path -> its name in efficientnet-pytorch and its Lite descendants."""
        names = {"stem/conv": "_conv_stem", "stem/norm": "_bn0"}
        block = 0
        for stage_name, stage in self._stages().items():
            for i in range(stage.blocks):
                flax_block, torch_block = f"{stage_name}/block{i + 1}/", f"_blocks.{block}."
                if stage.expand > 1:
                    names[flax_block + "expand"] = torch_block + "_expand_conv"
                    names[flax_block + "expand_norm"] = torch_block + "_bn0"
                names[flax_block + "depthwise"] = torch_block + "_depthwise_conv"
                names[flax_block + "depthwise_norm"] = torch_block + "_bn1"
                names[flax_block + "project"] = torch_block + "_project_conv"
                names[flax_block + "project_norm"] = torch_block + "_bn2"
                block += 1
        return names | {"head/conv": "_conv_head", "head/norm": "_bn1", "classifier": "_fc"}

    def _stages(self) -> dict[str, _Stage]:
        stages = scaled_stages(self.width, self.depth)
        return {f"stage{i}": stage for i, stage in enumerate(stages, start=1)}


efficientnet_lite0 = partial(EfficientNet)  # 4,652,008 parameters; trained at 224
efficientnet_lite1 = partial(EfficientNet, depth=1.1)  # 5,416,680; trained at 240
efficientnet_lite2 = partial(EfficientNet, width=1.1, depth=1.2, dropout=0.3)  # 6,092,072; at 260
