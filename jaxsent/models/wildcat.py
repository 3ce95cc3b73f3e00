"""WILDCAT: M maps for each class, pooled over their highest and lowest places.

Durand et al., "WILDCAT: Weakly Supervised Learning of Deep ConvNets for Image Classification,
Pointwise Localization and Segmentation", CVPR 2017.
"""

import jax
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.dense import Dense32
from jaxsent.models.network import NEW, Network


def count(k: float, places: int) -> int:
    """How many of `places` the option k means: below 1 a share of them, else a number."""
    return min(round(k * places) if k < 1 else int(k), places)


def spatial_pooling(maps: Array, kmax: float, kmin: float, alpha: float) -> Array:
    """(B, h, w, K) -> (B, K): mean of the kmax highest + α · mean of the kmin lowest (Eq. 2).

    `kmax` and `kmin` are numbers of places or, below 1, shares of them. The authors' code halves
    the sum; the paper does not.
    """
    places = maps.reshape(maps.shape[0], -1, maps.shape[-1]).swapaxes(1, 2)  # (B, K, h·w)
    # At least one place, as a small share of a small grid is none.
    highest, _ = jax.lax.top_k(places, max(count(kmax, places.shape[-1]), 1))
    pooled = highest.mean(-1)
    if lowest_count := count(kmin, places.shape[-1]):
        lowest, _ = jax.lax.top_k(-places, lowest_count)
        pooled = pooled - alpha * lowest.mean(-1)
    return pooled


class Wildcat(Network):
    """1×1 convolution to K·M maps, mean over the M, then `spatial_pooling`.

    42,631,296 parameters on ResNet-101 at K = 8, M = 8.

    Attributes:
      maps_per_class: M. Channel c·M + i of the convolution is map i of class c.
      kmax, kmin: highest and lowest places that count, as a number or a share.
      alpha: weight of the lowest.
    """

    maps_per_class: int = 8
    kmax: float = 0.2
    kmin: float = 0.2
    alpha: float = 0.7

    def setup(self):
        width = self.num_classes * self.maps_per_class
        self.conv = Dense32(width, self.dtype, NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class."""
        features, _ = self.tapped(images, train, beyond=False)
        f = self.conv(features)
        maps = pooling.class_maps(f.reshape(*f.shape[:-1], self.num_classes, self.maps_per_class))
        logits = spatial_pooling(maps, self.kmax, self.kmin, self.alpha)
        return {
            "class_logits": logits,
            "class_maps": maps,
            "sentiment_map": pooling.map_of(logits.argmax(-1), maps),
        } | self.rated(features.astype(jnp.float32).mean((1, 2)))

    def torch_names(self) -> dict[str, str]:
        return self.named("conv")
