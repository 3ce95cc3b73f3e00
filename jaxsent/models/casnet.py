"""CASNet: saliency from two scales, whose channels are weighted by the context of the image.

Fan et al., "Emotional Attention: A Study of Image Sentiment and Visual Attention", CVPR 2018.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models.backbone import Array
from jaxsent.models.max_pool import max_pool_2x2
from jaxsent.models.network import NEW, Network

WIDTH = 512
"""Channels of each scale: those of VGG-16, the paper's backbone."""


class Context(nn.Module):
    """The subnetwork of channel weights: 2×2 max pooling, then one fully-connected layer.

    Weights start at 1, the network without context (ours).
    """

    @nn.compact
    def __call__(self, features: Array) -> Array:
        """(B, h, w, n) -> (B, n) float32. The image size cannot change later."""
        pooled = max_pool_2x2(features)
        excitation = nn.Dense(
            features.shape[-1],
            dtype=jnp.float32,
            kernel_init=nn.initializers.zeros,
            bias_init=nn.initializers.ones,
            name="fc",
        )
        return excitation(pooled.reshape(pooled.shape[0], -1).astype(jnp.float32))


class CASNet(Network):
    """The supervised upper bound on EMOd: a fine and a coarse stream, weighted channel by channel.

    The coarse stream sees the image at half its side; its map is enlarged to the fine one's, joined
    to it, weighted by `Context` and scored by a 1×1 convolution with a sigmoid: so far we follow a
    public re-implementation, which takes VGG-16 at 600×800 and 300×400. Ours, where we could not
    establish the paper's: both streams share the backbone's weights, F is VGG's conv5_3 before its
    last pooling, a backbone wider than 512 is brought to that by a 1×1 convolution, and the loss is
    every place's cross-entropy with the fixation map. There is no classification: K is not used.
    """

    @nn.compact
    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> map_logits and sentiment_map = sigmoid of them, (B, h, w)."""
        b, height, width, _ = images.shape
        half = jax.image.resize(images, (b, height // 2, width // 2, 3), "bilinear")
        fine, _ = self.tapped(images, train, beyond=False)
        coarse, _ = self.tapped(half, train, beyond=False)
        if fine.shape[-1] > WIDTH:
            narrow = nn.Dense(WIDTH, dtype=self.dtype, name="narrow")
            fine, coarse = nn.relu(narrow(fine)), nn.relu(narrow(coarse))
        coarse = jax.image.resize(coarse, fine.shape, "bilinear")
        features = jnp.concatenate([fine, coarse], axis=-1).astype(jnp.float32)
        weighted = features * Context(name="context")(features)[:, None, None]
        score = nn.Dense(1, dtype=jnp.float32, kernel_init=NEW, name="score")
        logits = score(weighted)[..., 0]
        return {"map_logits": logits, "sentiment_map": nn.sigmoid(logits)}

    def torch_names(self) -> dict[str, str]:
        return self.named("narrow", "context/fc", "score")
