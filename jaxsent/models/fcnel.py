"""FCNEL: a fully convolutional network that learns the emotion stimuli map from true ones.

Peng et al., "Where do emotions come from? Predicting the Emotion Stimuli Map", ICIP 2016.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Network

GRIDS = 3
"""Maps of different grids that are scored: those of FCN-8s."""


def coarsest(taps: dict[str, Array], most: int = GRIDS) -> list[Array]:
    """Taps in order -> the last map (B, h, w, n) of each of the `most` coarsest grids.

    The coarsest comes first.
    """
    last = {x.shape[1:3]: x for x in taps.values()}
    return list(last.values())[::-1][:most]


class FCNEL(Network):
    """The supervised upper bound on EmotionROI: a fully convolutional network, Euclidean loss.

    The paper takes Long et al.'s FCN (CVPR 2015) and regresses the soft map. Ours, where we could
    not establish the paper's: the maps of the backbone's three coarsest grids are scored by 1×1
    convolutions and added from coarse to fine as in FCN-8s, by fixed bilinear enlargement; VGG's
    fully-connected layers are left out. There is no classification: K is not used.
    """

    @nn.compact
    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> sentiment_map (B, h, w) on the finest of the scored grids,
        which learns the truth's 0..1 and is not bounded to it."""
        _, taps = self.tapped(images, train, beyond=self.tap is None)
        total = None
        for i, features in enumerate(coarsest(taps)):
            score = nn.Dense(1, dtype=jnp.float32, kernel_init=NEW, name=f"score{i}")(
                features.astype(jnp.float32)
            )[..., 0]
            if total is not None:
                score = score + jax.image.resize(total, score.shape, "bilinear")
            total = score
        return {"sentiment_map": total}

    def torch_names(self) -> dict[str, str]:
        return self.named(*(f"score{i}" for i in range(GRIDS)))
