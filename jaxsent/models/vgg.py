"""VGG-16, torchvision's architecture (Simonyan & Zisserman 2015, configuration D)."""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models.backbone import Array, Backbone, adaptive_average
from jaxsent.models.convolution import Conv
from jaxsent.models.max_pool import max_pool_2x2
from jaxsent.models.settled import settled

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
CONVOLUTIONS = [
    f"conv{block}_{layer}"
    for block, widths in enumerate(WIDTHS, 1)
    for layer, _ in enumerate(widths, 1)
]
TORCH_INDEX = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
HE = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class VGG16(Backbone):
    """VGG-16: 138,357,544 parameters at 1,000 classes.

    Taps are conv1_1 … conv5_3, each after its ReLU. WSIDNet's 4096 → 2048 variant is
    ``num_classes=2048``.
    """

    TAP = "conv5_3"
    FULLY_CONNECTED = True
    CLASSIFIER = "fc8"
    TOP = ("fc6", "fc7")

    def setup(self):
        for block, widths in enumerate(WIDTHS, 1):
            for layer, width in enumerate(widths, 1):
                conv = Conv(width, 3, padding=1, dtype=self.dtype, kernel_init=HE)
                setattr(self, f"conv{block}_{layer}", conv)
        normal = nn.initializers.normal(0.01)
        self.fc6 = nn.Dense(4096, dtype=self.dtype, kernel_init=normal)
        self.fc7 = nn.Dense(4096, dtype=self.dtype, kernel_init=normal)
        self.fc8 = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=normal)
        self.dropout = nn.Dropout(0.5)

    def features(self, images: Array, train: bool = False, last: str | None = None):
        x, taps = images.astype(self.dtype), {}
        for name in CONVOLUTIONS:
            if name.endswith("_1") and name != "conv1_1":
                x = max_pool_2x2(x)
            x = taps[name] = self.perturbed(name, settled(nn.relu(getattr(self, name)(x))))
            if name == last:
                break
        return taps

    def embed(self, features: dict[str, Array], train: bool = False) -> Array:
        """conv5_3 -> (B, 4096), fc7 after ReLU and dropout."""
        x = adaptive_average(max_pool_2x2(features["conv5_3"]), 7)
        x = x.reshape(x.shape[0], -1)
        for layer in (self.fc6, self.fc7):
            x = self.dropout(settled(nn.relu(layer(x))), deterministic=not train)
        return x

    def classify(self, embedding: Array) -> Array:
        return self.fc8(embedding.astype(jnp.float32))

    def torch_names(self) -> dict[str, str]:
        names = {name: f"features.{i}" for name, i in zip(CONVOLUTIONS, TORCH_INDEX, strict=True)}
        return names | {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
