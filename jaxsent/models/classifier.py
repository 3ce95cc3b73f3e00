"""The plain backbone, fine-tuned: the ablation pair of WSIDNet (Table 2, "Backbone")."""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Holistic, Network


class Classifier(Network):
    """F_h → Dense(K).

    Attributes:
      holistic: "project" or "pool", as in WSIDNet.
    """

    holistic: str = "project"

    def setup(self):
        self.projection = Holistic(self.holistic, self.backbone.FULLY_CONNECTED, dtype=self.dtype)
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> {"class_logits": (B, K), "holistic": F_h}."""
        _, taps = self.tapped(images, train, beyond=True)
        holistic = self.projection(self.embedded(taps, train))
        return {"class_logits": self.classifier(holistic), "holistic": holistic}
