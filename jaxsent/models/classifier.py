"""The plain backbone, fine-tuned: WSIDNet's ablation pair, and the papers' fine-tuned networks."""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Holistic, Network

LAST = ("fc8", "fc", "classifier")
"""What the backbones call their last layer."""


class Classifier(Network):
    """F_h → Dense(K).

    Attributes:
      holistic: "project" or "pool", as in WSIDNet (Table 2, "Backbone"); "embedding" is the
        ImageNet network with another last layer, 4096 → K on VGG and AlexNet, 2048 → K on
        ResNet-101 (WSCNet IV-B2, "fine-tuned").
    """

    READS_EMBEDDING: ClassVar[bool] = True

    holistic: str = "project"

    def setup(self):
        self.projection = Holistic(self.holistic, self.backbone.FULLY_CONNECTED, dtype=self.dtype)
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> {"class_logits": (B, K), "holistic": F_h}."""
        _, taps = self.tapped(images, train, beyond=True)
        holistic = self.projection(self.embedded(taps, train))
        logits = self.classifier(holistic)
        return {"class_logits": logits, "holistic": holistic} | self.rated(holistic)

    def torch_names(self) -> dict[str, str]:
        """The backbone's own names; the last layer takes the place of its 1,000 classes.

        Where F_h has a layer of its own, that one does, and the classifier is `head`.
        """
        inner = self.backbone.torch_names()
        last = next(name for name in LAST if name in inner)
        names = {
            f"backbone/{flax_name}": torch_name
            for flax_name, torch_name in inner.items()
            if flax_name != last
        }
        plain = "embedding" if self.backbone.FULLY_CONNECTED else "pool"
        if self.holistic in (plain, "embedding"):
            return names | {"classifier": inner[last]}
        return names | {"projection/fc": inner[last], "classifier": "head"}
