"""CAM: a backbone with global average pooling, whose classifier's weights also weigh its maps.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016.
"""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from jaxsent.models import pooling
from jaxsent.models.backbone import Array
from jaxsent.models.network import NEW, Network, Widened


class CAM(Network):
    """The fine-tuned backbone of WSCNet's comparison, with its class activation maps.

    F is the backbone's last map unless `tap` names another. On a ResNet this is the ImageNet
    network with another last layer: 42,516,552 parameters on ResNet-101 at K = 8. VGG and AlexNet
    get a convolution in place of their fully-connected layers.
    """

    READS_LAST: ClassVar[bool] = True

    def setup(self):
        if self.backbone.FULLY_CONNECTED:
            self.widened = Widened(self.dtype)
        self.classifier = nn.Dense(self.num_classes, dtype=jnp.float32, kernel_init=NEW)

    def __call__(self, images: Array, train: bool = False) -> dict[str, Array]:
        """(B, H, W, 3) normalised -> class_logits, class_maps (B, h, w, K), sentiment_map: the map
        of the predicted class."""
        _, taps = self.tapped(images, train, beyond=self.reads_last)
        features = list(taps.values())[-1]
        if self.backbone.FULLY_CONNECTED:
            features = self.widened(features)
        features = features.astype(jnp.float32)
        mean = features.mean((1, 2))
        logits = self.classifier(mean)
        kernel = self.classifier.variables["params"]["kernel"]
        maps = pooling.activation_maps(features, kernel)
        return {
            "class_logits": logits,
            "class_maps": maps,
            "sentiment_map": pooling.map_of(logits.argmax(-1), maps),
        } | self.rated(mean)

    def torch_names(self) -> dict[str, str]:
        return self.named("widened/conv", "classifier")
