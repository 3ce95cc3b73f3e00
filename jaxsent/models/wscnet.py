"""WSCNet: Weakly Supervised Coupled Networks (She, Yang et al., TMM)."""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Detector, Network
from jaxsent.models.resnet import ResNet

CHILDREN = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
"""Places of ResNet's parts in the first author's `features`."""


class WSCNet(Network):
    """The sentiment map of the detection branch, coupled with F for classification.

    42,598,504 parameters on ResNet-101 at K = C = 8, k = 4.

    Attributes:
      detect_classes: C, None for K.
      maps_per_class: k of the cross-spatial pooling (Eq. 1).
      pooling: "max" (Eq. 1) or "avg" (the first author's notebook).
      map_weights: weights of the class maps in Eq. 3, "raw" v or "softmax".
      map_mean: divide the sentiment map by C (the first author's notebook).
      coupling: "both" (Eq. 4), "local" or "none" (Table IV).
    """

    detect_classes: int | None = None
    maps_per_class: int = 4
    pooling: str = "max"
    map_weights: str = "raw"
    map_mean: bool = False
    coupling: str = "both"

    def setup(self):
        classes = self.detect_classes or self.num_classes
        self.detector = Detector(classes, self.maps_per_class, self.pooling, self.dtype)
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, detect_logits, class_maps, sentiment_map."""
        features, _ = self.tapped(images, train, beyond=False)
        v, maps = self.detector(features)
        m = pooling.sentiment_map(v, maps, self.map_weights, self.map_mean)
        coupled = pooling.couple(m, features, self.coupling)
        return {
            "class_logits": self.classifier(coupled),
            "detect_logits": v,
            "class_maps": maps,
            "sentiment_map": m,
        } | self.rated(coupled)

    def torch_names(self) -> dict[str, str]:
        """Names of the first author's checkpoint: ResNet's children are `features.0` … `.7`.

        Other backbones, which that code does not know, keep their names behind `backbone.`.
        """
        names = {"detector/conv": "downconv.0", "classifier": "classifier.0"}
        for flax_name, torch_name in self.backbone.torch_names().items():
            child, _, rest = torch_name.partition(".")
            if not isinstance(self.backbone, ResNet):
                names[f"backbone/{flax_name}"] = f"backbone.{torch_name}"
            elif child in CHILDREN:
                below = "." * bool(rest) + rest
                names[f"backbone/{flax_name}"] = f"features.{CHILDREN[child]}{below}"
        return names
