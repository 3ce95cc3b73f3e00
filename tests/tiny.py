"""A backbone that compiles in a second."""

import flax.linen as nn

from jaxsent.models.backbone import Backbone


class Tiny(Backbone):
    """Two strided convolutions, batch norm between, dropout after; "conv2" is (B, H/4, W/4, 16)."""

    TAP = "conv2"

    def setup(self):
        self.conv1 = nn.Conv(8, (3, 3), 2)
        self.bn1 = nn.BatchNorm(momentum=0.9)
        self.conv2 = nn.Conv(16, (3, 3), 2)
        self.dropout = nn.Dropout(0.3)

    def features(self, images, train=False, last=None):
        x = nn.relu(self.bn1(self.conv1(images), use_running_average=not train))
        return {"conv2": nn.relu(self.conv2(x))}

    def embed(self, features, train=False):
        return self.dropout(features["conv2"].mean((1, 2)), deterministic=not train)

    def torch_names(self):
        return {"conv1": "conv1", "bn1": "bn1", "conv2": "conv2", "fc": "fc"}
