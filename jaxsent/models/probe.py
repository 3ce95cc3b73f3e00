"""A linear probe: a linear reading of the averages of a backbone's last maps, and of its maps.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016; since it
reads averages over space, its weights also weigh the maps, as in CAM (Zhou et al., CVPR 2016).
"""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Network


class Probe(Network):
    """Dense(K) on the averages of several taps of one size, with class activation maps.

    Attributes:
      taps: the backbone's maps that are read, one behind the other; none for its last map.
      strangers: whether a layer tells pictures of another kind than those of training; it is set
        from outside (prediction/remake.py), and no loss here teaches it.
    """

    taps: tuple[str, ...] = ()
    strangers: bool = False

    def setup(self):
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)
        if self.strangers:
            self.stranger = nn.Dense(1, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class, embedding (B, n), and strangeness (B,) where `strangers`: about 0
        for a picture like those of training, 1 for others.

        Raises:
          ValueError: a tap is not the backbone's, or the taps are of different sizes.
        """
        features = self.stacked(images, train)
        mean = features.mean((1, 2))
        logits = self.classifier(mean)
        maps = pooling.activation_maps(features, self.classifier.variables["params"]["kernel"])
        outputs = {
            "class_logits": logits,
            "class_maps": maps,
            "sentiment_map": pooling.map_of(logits.argmax(-1), maps),
            "embedding": mean,
        }
        if self.strangers:
            outputs["strangeness"] = self.stranger(mean)[:, 0]
        return outputs | self.rated(mean)

    def stacked(self, images: Array, train: bool = False) -> Array:
        """(B, H, W, 3) -> (B, h, w, n) float32, the taps' channels one behind the other."""
        _, maps = self.tapped(images, train, beyond=True)
        names = tuple(self.taps) or (list(maps)[-1],)
        if absent := [name for name in names if name not in maps]:
            raise ValueError(f"taps={absent}: this backbone has {', '.join(maps)}.")
        sizes = {name: maps[name].shape[1:3] for name in names}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"taps: expected maps of one size, found {sizes}.")
        return jnp.concatenate([maps[name].astype(jnp.float32) for name in names], axis=-1)

    def torch_names(self) -> dict[str, str]:
        return self.named("classifier", *(("stranger",) if self.strangers else ()))
