"""A linear probe: a linear reading of the averages of a backbone's last maps, and of its maps.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016; since it
reads averages over space, its weights also weigh the maps, as in CAM (Zhou et al., CVPR 2016). How
far an image is from those of training is its distance under probabilistic PCA (Tipping and Bishop,
"Probabilistic Principal Component Analysis", 1999).
"""

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Network

DENSITY = ("density", "density/variances")


class Probe(Network):
    """Dense(K) on the averages of several taps of one size, with class activation maps.

    Attributes:
      taps: the backbone's maps that are read, one behind the other; none for its last map.
      components: r, directions of the averages in training that `distance` knows; 0 for none.
    """

    taps: tuple[str, ...] = ()
    components: int = 0

    def setup(self):
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)
        if self.components:
            self.density = Density(self.components)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class, embedding (B, n), and distance (B,) where `components` are known.

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
        if self.components:
            outputs["distance"] = self.density(mean)
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
        return self.named("classifier", *DENSITY[: 2 * bool(self.components)])


class Density(nn.Module):
    """How far embeddings are from those of training; nothing here learns by gradients.

    Attributes:
      components: r.
    """

    components: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """(B, n) -> (B,), see `distance`."""
        width = x.shape[-1]
        ones, zeros = nn.initializers.ones, nn.initializers.zeros
        mean = self.param("mean", zeros, (width,), jnp.float32)
        var = self.param("var", ones, (width,), jnp.float32)
        kernel = self.param("kernel", nn.initializers.orthogonal(), (width, self.components),
                            jnp.float32)  # fmt: skip
        scale = Variances(self.components + 1, name="variances")()
        return distance(x, mean, var, kernel, scale)


class Variances(nn.Module):
    """(r + 1,): along the components, and of what they leave over; a name of their own in files."""

    count: int

    @nn.compact
    def __call__(self) -> Array:
        return self.param("scale", nn.initializers.ones, (self.count,), jnp.float32)


def distance(x: Array, mean: Array, var: Array, kernel: Array, scale: Array) -> Array:
    """Distance under probabilistic PCA: (B, n) -> (B,), 0 for the mean itself.

    With z = (x − mean)/√var, u = zᵀ·kernel and ρ = |z|² − |u|², the square of the Mahalanobis
    distance is Σ_i u_i²/scale_i + ρ/scale_{r+1} (Tipping and Bishop, with covariance
    W Wᵀ + σ²I = U diag(scale − σ²) Uᵀ + σ²I); divided by n, and its root taken.

    Args:
      x: (B, n).
      mean, var: (n,) of each number.
      kernel: (n, r), orthonormal columns.
      scale: (r + 1,) variances.
    """
    z = (x - mean[None]) / jnp.sqrt(var)[None]
    u = z @ kernel
    rest = jnp.maximum(jnp.square(z).sum(-1) - jnp.square(u).sum(-1), 0.0)
    square = (jnp.square(u) / scale[None, :-1]).sum(-1) + rest / scale[-1]
    return jnp.sqrt(square / x.shape[-1])
