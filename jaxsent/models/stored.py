"""A frozen backbone's outputs in place of images: what is above it trains without running it."""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.errors import UserError
from jaxsent.models.backbone import Array, Backbone
from jaxsent.models.network import Network

OUTPUTS = ("features", "embedding")
"""What of a backbone's outputs a network reads: F, and the input of its ImageNet classifier."""


class Stored(Backbone):
    """A backbone without parameters, whose "images" are the outputs of another.

    They are {"features": (B, h, w, n)} and, for networks that read it, "embedding" (B, m), as
    `outputs` gives them. Dropout, which the embedding had in training, is drawn anew.

    Attributes:
      tap: name of the stored feature map.
      dropout: rate of the dropout that ends the other backbone's `embed`.
    """

    tap: str = "stored"
    dropout: float = 0.0

    def setup(self):
        self.drop = nn.Dropout(self.dropout)

    def features(self, images: dict[str, Array], train: bool = False, last: str | None = None):
        """{"features", "embedding"} -> {"embedding": (B, m), tap: (B, h, w, n)}, F the last."""
        taps = {"embedding": images["embedding"]} if "embedding" in images else {}
        return taps | {self.tap: self.perturbed(self.tap, images["features"].astype(self.dtype))}

    def embed(self, features: dict[str, Array], train: bool = False) -> Array:
        """(B, m) as stored, with dropout in training; float32."""
        embedding = features["embedding"].astype(jnp.float32)
        return self.drop(embedding, deterministic=not train)

    def torch_names(self) -> dict[str, str]:
        return {}


def above(model: Network) -> Network:
    """The same network on stored outputs of its backbone; it ignores variables of the backbone.

    Raises:
      UserError: the backbone's embedding is more than an average (see `check`).
    """
    check(model)
    rate = getattr(model.backbone, "dropout", 0.0)
    tap = model.tap or model.backbone.TAP
    backbone = Stored(tap=tap, dropout=rate, dtype=model.backbone.dtype)
    return model.clone(backbone=backbone, tap=tap)


def outputs(model: Network, variables: dict, images: Array) -> dict[str, Array]:
    """(B, H, W, 3) normalised -> what the network `above` reads of its backbone, in evaluation."""
    whole = model.READS_EMBEDDING or model.reads_last
    features, taps = model.apply(variables, images, False, whole, method="tapped")
    if model.reads_last:
        features = list(taps.values())[-1]
    if not model.READS_EMBEDDING:
        return {"features": features}
    embedding = model.apply(variables, taps, False, method="embedded")
    return {"features": features, "embedding": embedding}


def check(model: Network) -> None:
    """Raises UserError for a backbone that is not frozen, or has layers with dropout to train."""
    if model.freeze != "backbone":
        raise UserError(
            f"model.freeze={model.freeze}: only a frozen backbone's outputs can be stored; set "
            "model.freeze=backbone or data.crops=0."
        )
    if model.backbone.FULLY_CONNECTED:
        raise UserError(
            "The outputs of VGG and AlexNet cannot be stored, since dropout changes what lies "
            "between their fully-connected layers; choose a ResNet or EfficientNet, or "
            "data.crops=0."
        )
