"""AlexNet, torchvision's single-column architecture (Krizhevsky 2014)."""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models.backbone import Array, Backbone, adaptive_average
from jaxsent.models.convolution import Conv
from jaxsent.models.max_pool import max_pool
from jaxsent.models.settled import settled

# name, width, kernel, stride, padding, pooled before, index in torchvision's `features`
LAYERS = (
    ("conv1", 64, 11, 4, 2, False, 0),
    ("conv2", 192, 5, 1, 2, True, 3),
    ("conv3", 384, 3, 1, 1, True, 6),
    ("conv4", 256, 3, 1, 1, False, 8),
    ("conv5", 256, 3, 1, 1, False, 10),
)


class AlexNet(Backbone):
    """AlexNet: 61,100,840 parameters at 1,000 classes. Taps conv1 … conv5, each after its ReLU."""

    TAP = "conv5"
    FULLY_CONNECTED = True
    CLASSIFIER = "fc8"
    TOP = ("fc6", "fc7")

    def setup(self):
        for name, width, kernel, stride, padding, _, _ in LAYERS:
            conv = Conv(width, kernel, stride, padding, dtype=self.dtype)
            setattr(self, name, conv)
        self.fc6 = nn.Dense(4096, dtype=self.dtype)
        self.fc7 = nn.Dense(4096, dtype=self.dtype)
        self.fc8 = nn.Dense(self.num_classes, dtype=jnp.float32)
        self.dropout = nn.Dropout(0.5)

    def features(self, images: Array, train: bool = False, last: str | None = None):
        x, taps = images.astype(self.dtype), {}
        for name, *_, pooled, _ in LAYERS:
            x = max_pool(x, 3, 2, 0) if pooled else x
            x = taps[name] = self.perturbed(name, settled(nn.relu(getattr(self, name)(x))))
            if name == last:
                break
        return taps

    def embed(self, features: dict[str, Array], train: bool = False) -> Array:
        """conv5 -> (B, 4096), fc7 after ReLU; torchvision's dropout stands before each layer."""
        x = adaptive_average(max_pool(features["conv5"], 3, 2, 0), 6)
        x = x.reshape(x.shape[0], -1)
        for layer in (self.fc6, self.fc7):
            x = settled(nn.relu(layer(self.dropout(x, deterministic=not train))))
        return x

    def classify(self, embedding: Array) -> Array:
        return self.fc8(embedding.astype(jnp.float32))

    def torch_names(self) -> dict[str, str]:
        convolutions = {name: f"features.{index}" for name, *_, index in LAYERS}
        return convolutions | {"fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6"}
