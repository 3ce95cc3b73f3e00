"""MIL: an image is a bag of the feature map's places, and has a class where one of them does.

Multiple-instance learning as WSCNet sets it beside itself (II-B, Fig. 2b), without proposals: the
places of a fully convolutional head are the instances, as in Oquab et al., "Is object localization
for free?", CVPR 2015.
"""

import math

import jax
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.dense import Dense32
from jaxsent.models.network import NEW, Network


def bag_scores(maps: Array, bag: str = "max", sharpness: float = 5.0) -> Array:
    """(B, h, w, K) scores of the instances -> (B, K) scores of the bags.

    "max": the highest (Oquab et al. 2015). "lse": r⁻¹ log mean exp(r·f), which goes from the mean
    to the maximum with `sharpness` r (Pinheiro & Collobert, "From image-level to pixel-level
    labeling", CVPR 2015). "noisy_or": a bag has the class unless none of its instances has,
    p = 1 − Π(1 − σ(f)) (Zhang, Platt & Viola, "Multiple instance boosting", NIPS 2005), as the
    logit log p − log(1 − p).
    """
    if bag == "max":
        return maps.max((1, 2))
    if bag == "lse":
        places = maps.shape[1] * maps.shape[2]
        total = jax.nn.logsumexp(sharpness * maps, axis=(1, 2))
        return (total - math.log(places)) / sharpness
    # With s = −log Π(1 − σ(f)), the logit is log(e^s − 1) = s + log(1 − e^−s).
    s = jax.nn.softplus(maps).sum((1, 2))
    return s + jnp.log(-jnp.expm1(-s))


class MIL(Network):
    """1×1 convolution to K maps, `bag_scores` over their places.

    42,516,552 parameters on ResNet-101 at K = 8.

    Attributes:
      bag: "max", "lse" or "noisy_or".
      sharpness: r of "lse".
    """

    bag: str = "max"
    sharpness: float = 5.0

    def setup(self):
        self.conv = Dense32(self.num_classes, self.dtype, NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class."""
        features, _ = self.tapped(images, train, beyond=False)
        maps = self.conv(features)
        logits = bag_scores(maps, self.bag, self.sharpness)
        return {
            "class_logits": logits,
            "class_maps": maps,
            "sentiment_map": pooling.map_of(logits.argmax(-1), maps),
        } | self.rated(features.astype(jnp.float32).mean((1, 2)))

    def torch_names(self) -> dict[str, str]:
        return self.named("conv")
