"""What a network must offer to be a backbone."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

Array = jax.Array


class Backbone(nn.Module):
    """An ImageNet network seen as a feature extractor.

    Parameters are float32; ``dtype`` is the precision of the computation. Layers get parameters
    only when a method that needs them is called, so a network that reads a tap carries nothing
    beyond that tap.

    Attributes:
      num_classes: width of the last fully-connected layer.
      dtype: dtype of activations and of the weights as they are used.
    """

    num_classes: int = 1000
    dtype: Any = jnp.float32

    TAP: ClassVar[str]
    """The tap that is F in both papers (method.md): stride 16 at 224, or 32 at 448."""
    FULLY_CONNECTED: ClassVar[bool] = False
    """Whether `embed` ends in the fully-connected layers that the papers build upon (VGG)."""
    CLASSIFIER: ClassVar[str] = "fc"
    """The layer of `classify`."""
    TOP: ClassVar[tuple[str, ...]] = ()
    """The layers behind the feature maps: `embed` alone has them."""

    def features(self, images: Array, train: bool = False, last: str | None = None):
        """(B, H, W, 3) -> {tap: (B, h, w, n)} in order, up to and including `last` (None: all).

        `train` says whether batch norm uses the batch's statistics.
        """
        raise NotImplementedError

    def embed(self, features: dict[str, Array], train: bool = False) -> Array:
        """All taps -> (B, m), what the last fully-connected layer reads. `train`: dropout."""
        raise NotImplementedError

    def classify(self, embedding: Array) -> Array:
        """What `embed` gives (B, m) -> (B, num_classes) float32, logits of the ImageNet classes."""
        raise NotImplementedError

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> {"class_logits": (B, num_classes) float32}."""
        embedding = self.embed(self.features(images, train), train)
        return {"class_logits": self.classify(embedding)}

    def perturbed(self, tap: str, x: Array) -> Array:
        """x (B, h, w, n) of a tap, plus what "perturbations" holds for it: `features` passes each
        tap through here, so that Grad-CAM can differentiate by it (cam.py)."""
        if self.has_variable("perturbations", tap):
            return x + self.get_variable("perturbations", tap).astype(x.dtype)
        return x

    def torch_names(self) -> dict[str, str]:
        """Path of each submodule that has variables -> its name in the original torch model."""
        raise NotImplementedError


def adaptive_average(x: Array, size: int) -> Array:
    """(B, h, w, n) -> (B, size, size, n): torch's AdaptiveAvgPool2d, the identity at h = w = size.

    Cell i averages the rows floor(i·h/size) to ceil((i+1)·h/size) − 1.
    """

    def cells(length):
        start = [i * length // size for i in range(size)]
        stop = [-(-(i + 1) * length // size) for i in range(size)]
        rows = [
            [float(a <= j < b) / (b - a) for j in range(length)]
            for a, b in zip(start, stop, strict=True)
        ]
        return jnp.asarray(rows, x.dtype)

    h, w = x.shape[1:3]
    if h == size and w == size:
        return x
    return jnp.einsum("ih,jw,bhwn->bijn", cells(h), cells(w), x)
