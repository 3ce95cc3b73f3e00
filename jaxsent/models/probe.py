"""A linear probe: a linear reading of the averages of a backbone's last maps, and of its maps.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016; since it
reads averages over space, its weights also weigh the maps, as in CAM (Zhou et al., CVPR 2016).
Probabilities of the backbone's ImageNet classes may be read beside them.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Network


class Probe(Network):
    """Dense(K) on the averages of several taps of one size, with class activation maps.

    Attributes:
      taps: the backbone's maps that are read, one behind the other; none for its last map.
      concepts: whether the probabilities of the backbone's own classes are read too, behind the
        averages.
      strangers: whether a layer tells pictures of another kind than those of training; it is set
        from outside (prediction/remake.py), and no loss here teaches it.
    """

    taps: tuple[str, ...] = ()
    concepts: bool = False
    strangers: bool = False

    def setup(self):
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)
        if self.strangers:
            self.stranger = nn.Dense(1, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class, embedding (B, n), and strangeness (B,) where `strangers`: about 0
        for a picture like those of training, 1 for others.

        A map is what each place adds to the logit, of the concepts to first order, as Grad-CAM has
        it (Selvaraju et al. 2017).

        Raises:
          ValueError: a tap is not the backbone's, the taps are of different sizes, or concepts are
            asked of a backbone that does not classify the average of its last map.
        """
        _, taps = self.tapped(images, train, beyond=True)
        features = self.stacked(taps)
        embedding = features.mean((1, 2))
        width = embedding.shape[1]
        if self.concepts:
            if self.backbone.FULLY_CONNECTED:
                raise ValueError("concepts=True: expected a ResNet or EfficientNet as backbone.")
            logits = self.backbone.classify(self.embedded(taps, train))
            chances = jax.nn.softmax(logits)
            embedding = jnp.concatenate([embedding, chances], axis=-1)
        logits = self.classifier(embedding)
        kernel = self.classifier.variables["params"]["kernel"]
        maps = pooling.activation_maps(features, kernel[:width])
        if self.concepts:
            of_classes = self.backbone.variables["params"][self.backbone.CLASSIFIER]["kernel"]
            slopes = concept_slopes(of_classes, chances, kernel[width:])
            last = list(taps.values())[-1].astype(jnp.float32)
            maps = maps + jnp.einsum("bhwn,bnk->bhwk", last, slopes)
        outputs = {
            "class_logits": logits,
            "class_maps": maps,
            "sentiment_map": pooling.map_of(logits.argmax(-1), maps),
            "embedding": embedding,
        }
        if self.strangers:
            outputs["strangeness"] = self.stranger(embedding)[:, 0]
        return outputs | self.rated(embedding)

    def stacked(self, maps: dict[str, Array]) -> Array:
        """All taps -> (B, h, w, n) float32, those that are read, one behind the other."""
        names = tuple(self.taps) or (list(maps)[-1],)
        if absent := [name for name in names if name not in maps]:
            raise ValueError(f"taps={absent}: this backbone has {', '.join(maps)}.")
        sizes = {name: maps[name].shape[1:3] for name in names}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"taps: expected maps of one size, found {sizes}.")
        return jnp.concatenate([maps[name].astype(jnp.float32) for name in names], axis=-1)

    def torch_names(self) -> dict[str, str]:
        return self.named("classifier", *(("stranger",) if self.strangers else ()))


def concept_slopes(of_classes: Array, chances: Array, weights: Array) -> Array:
    """∂(p·c_k)/∂x of p = softmax(Wᵀx + b): Σ_j W_nj p_j (c_jk − p·c_k), (B, n, K).

    Args:
      of_classes: W (n, J).
      chances: p (B, J).
      weights: c (J, K).
    """
    gains = chances[:, :, None] * (weights[None] - (chances @ weights)[:, None])
    return jnp.einsum("bjk,nj->bnk", gains, of_classes)
