"""What all networks share: a backbone, its tap, new layers."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array, Backbone
from jaxsent.models.dense import Dense32

NEW = nn.initializers.normal(0.01)
"""New layers start from N(0, 0.01) and bias 0 (WSCNet IV-B1; WSIDNet is silent)."""


class Network(nn.Module):
    """A backbone with new layers on top.

    Attributes:
      backbone: the feature extractor; its variables live under "backbone".
      num_classes: K, classes of the classification branch.
      tap: name of the feature map F; None takes the backbone's own default.
      freeze: "none"; "statistics" keeps batch norm's running statistics; "backbone" keeps the
        whole backbone as it was loaded, and no gradient is computed for it.
      regress: names of R ratings that are predicted too, from what the classifier reads.
      regress_mean, regress_std: R numbers, of the ratings in training; none for 0 and 1.
      dtype: dtype of the computation; parameters and logits are float32.
    """

    backbone: Backbone
    num_classes: int
    tap: str | None = None
    freeze: str = "none"
    regress: tuple[str, ...] = ()
    regress_mean: tuple[float, ...] | None = None
    regress_std: tuple[float, ...] | None = None
    dtype: Any = jnp.float32

    READS_EMBEDDING: ClassVar[bool] = False
    """Whether the backbone's embedding is read beside F."""
    READS_LAST: ClassVar[bool] = False
    """Whether F without a `tap` is the backbone's last map, not its own default."""

    @property
    def reads_last(self) -> bool:
        """Whether F is the last map for want of a `tap`."""
        return self.READS_LAST and self.tap is None

    @nn.compact
    def rated(self, embedding: Array) -> dict[str, Array]:
        """(B, m), what the classifier reads -> {"affect": (B, R)} in the ratings' units.

        A linear layer to standardised ratings; nothing where no ratings are asked for.
        """
        if not self.regress:
            return {}
        count = len(self.regress)
        layer = nn.Dense(count, dtype=jnp.float32, kernel_init=NEW, name="regressor")
        mean = jnp.asarray(self.regress_mean or (0.0,) * count, jnp.float32)[None]
        std = jnp.asarray(self.regress_std or (1.0,) * count, jnp.float32)[None]
        return {"affect": mean + std * layer(embedding.astype(jnp.float32))}

    def tapped(self, images: Array, train: bool, beyond: bool):
        """(B, H, W, 3) -> F (B, h, w, n), all taps in order. `beyond`: also the layers after F."""
        tap = self.tap or self.backbone.TAP
        train = train and self.freeze == "none"
        taps = self.backbone.features(images, train, None if beyond else tap)
        if tap not in taps:
            raise ValueError(f"tap={tap!r}: this backbone has {', '.join(taps)}.")
        if self.freeze == "backbone":
            # One by one, since JAX would sort the dict by name.
            taps = {name: jax.lax.stop_gradient(x) for name, x in taps.items()}
        return taps[tap], taps

    def embedded(self, taps: dict[str, Array], train: bool) -> Array:
        """Taps -> (B, m) float32, the input of an ImageNet classifier."""
        x = self.backbone.embed(taps, train).astype(jnp.float32)
        return jax.lax.stop_gradient(x) if self.freeze == "backbone" else x

    def named(self, *layers: str) -> dict[str, str]:
        """`torch_names` of a network that no torch code is followed for: the paths, with dots."""
        inner = self.backbone.torch_names()
        names = {
            f"backbone/{flax_name}": f"backbone.{torch_name}"
            for flax_name, torch_name in inner.items()
        }
        return names | {layer: layer.replace("/", ".") for layer in layers}


class Widened(nn.Module):
    """A 3×3 convolution to 1,024 maps with ReLU, in place of fully-connected layers.

    As VGG is changed for global average pooling by Zhou et al. 2016 (VGG-GAP) and for soft
    proposals by Zhu et al. 2017, whose published code has two groups.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: Array) -> Array:
        """(B, h, w, n) -> (B, h, w, 1024)."""
        conv = nn.Conv(1024, (3, 3), padding=1, feature_group_count=2, dtype=self.dtype,
                       name="conv")  # fmt: skip
        return nn.relu(conv(features))


class Detector(nn.Module):
    """The detection branch: 1×1 convolution to C·k maps, then cross-spatial pooling.

    Attributes:
      classes: C.
      maps_per_class: k. Channel c·k + i of the convolution is map i of class c.
    """

    classes: int
    maps_per_class: int
    pooling: str = "max"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: Array) -> tuple[Array, Array]:
        """F (B, h, w, n) -> detect_logits (B, C), class_maps (B, h, w, C), both float32.

        The units (B, h, w, C, k), whose mean a class map is, are sown as an intermediate.
        """
        width = self.classes * self.maps_per_class
        f = Dense32(width, self.dtype, NEW, name="conv")(features)
        f = f.reshape(*f.shape[:-1], self.classes, self.maps_per_class)
        self.sow("intermediates", "units", f)
        return pooling.cross_spatial_pooling(f, self.pooling), pooling.class_maps(f)


class Holistic(nn.Module):
    """F_h of WSIDNet: the backbone's embedding and a fully-connected layer to 2048.

    On VGG and AlexNet the layer stands in place of 4096 → 1000. Backbones without
    fully-connected layers get a Dense layer with ReLU, or none with ``kind="pool"``. With
    ``kind="embedding"`` no backbone gets a layer: F_h is what its ImageNet classifier reads.
    """

    kind: str
    fully_connected: bool
    width: int = 2048
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, embedding: Array) -> Array:
        """(B, m) -> (B, 2048), or (B, m) where there is no projection; float32."""
        if self.kind == "embedding" or (self.kind == "pool" and not self.fully_connected):
            return embedding
        init = NEW if self.fully_connected else nn.initializers.lecun_normal()
        x = nn.Dense(self.width, dtype=self.dtype, kernel_init=init, name="fc")(embedding)
        return (x if self.fully_connected else nn.relu(x)).astype(jnp.float32)
