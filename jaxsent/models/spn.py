"""SPN: soft proposals, where a random walk over an image's feature map spends its time.

Zhu et al., "Soft Proposal Networks for Weakly Supervised Object Localization", ICCV 2017.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Network, Widened

EPSILON = 0.15
"""Reach of the walk, as a share of the grid's side (3.1; the authors' code for 14×14: 2.1)."""


def soft_proposal(features: Array, epsilon: float = EPSILON) -> Array:
    """(B, h, w, n) -> (B, h, w) float32 of sum 1: the proposal map M (section 3.1).

    Places i and j are joined by W_ij = ‖F_i − F_j‖ · exp(−d_ij² / 2(εN)²), N the grid's side (√(hw)
    on other grids) and d in cells; the walk goes on in proportion to W. The paper iterates to its
    stationary map. W being symmetric, that is each place's share of all weights: no iteration.
    A map without differences proposes every place alike.
    """
    b, h, w, n = features.shape
    u = features.astype(jnp.float32).reshape(b, h * w, n)
    u = u - u.mean(1, keepdims=True)  # the differences stay, and are rounded less
    products = jnp.einsum("bin,bjn->bij", u, u, precision=jax.lax.Precision.HIGHEST)
    squares = jnp.diagonal(products, axis1=1, axis2=2)
    squared = squares[:, :, None] + squares[:, None, :] - 2 * products
    weights = jnp.sqrt(jnp.maximum(squared, 0)) * closeness(h, w, epsilon)
    mass = weights.sum(-1)
    total = mass.sum(-1, keepdims=True)
    share = jnp.where(total > 0, mass / jnp.where(total > 0, total, 1), 1 / (h * w))
    return share.reshape(b, h, w)


def closeness(h: int, w: int, epsilon: float = EPSILON) -> np.ndarray:
    """(1, h·w, h·w) float32: exp(−d² / 2(ε√(hw))²) of each two cells, 0 of a cell and itself."""
    cells = np.stack(np.mgrid[:h, :w], -1).reshape(-1, 2)
    squared = ((cells[:, None] - cells[None, :]) ** 2).sum(-1)
    near = np.exp(-squared / (2 * epsilon**2 * h * w))
    return np.where(squared > 0, near, 0).astype(np.float32)[None]


class SPN(Network):
    """F coupled with its soft proposal, summed over space and classified.

    Class maps are those of CAM, on the coupled map. As in the paper no gradient flows into the
    proposal itself. 42,516,552 parameters on ResNet-101 at K = 8; VGG and AlexNet get a convolution
    in place of their fully-connected layers. In training half of what the classifier reads is
    dropped: from the authors' code, which has it on VGG-16 (github.com/yeezhu/SPN.pytorch,
    demo/experiment/models.py); the paper does not tell.
    """

    def setup(self):
        if self.backbone.FULLY_CONNECTED:
            self.widened = Widened(self.dtype)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class, proposal (B, h, w)."""
        features, _ = self.tapped(images, train, beyond=False)
        if self.backbone.FULLY_CONNECTED:
            features = self.widened(features)
        features = features.astype(jnp.float32)
        proposal = soft_proposal(jax.lax.stop_gradient(features))
        coupled = proposal[..., None] * features
        read = self.dropout(coupled.sum((1, 2)), deterministic=not train)
        logits = self.classifier(read)
        kernel = self.classifier.variables["params"]["kernel"]
        maps = pooling.activation_maps(coupled, kernel)
        return {
            "class_logits": logits,
            "class_maps": maps,
            "sentiment_map": pooling.map_of(logits.argmax(-1), maps),
            "proposal": proposal,
        } | self.rated(read)

    def torch_names(self) -> dict[str, str]:
        return self.named("widened/conv", "classifier")
