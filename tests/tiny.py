"""A backbone that compiles in a second, and whether a network learns with it."""

import flax.linen as nn

from jaxsent.models.backbone import Backbone
from jaxsent.training import loop


class Tiny(Backbone):
    """Two strided convolutions, batch norm between, dropout after; "conv2" is (B, H/4, W/4, 16)."""

    TAP = "conv2"
    dropout: float = 0.3

    def setup(self):
        self.conv1 = nn.Conv(8, (3, 3), 2)
        self.bn1 = nn.BatchNorm(momentum=0.9)
        self.conv2 = nn.Conv(16, (3, 3), 2)
        self.drop = nn.Dropout(self.dropout)

    def features(self, images, train=False, last=None):
        x = nn.relu(self.bn1(self.conv1(images), use_running_average=not train))
        return {"conv2": nn.relu(self.conv2(x))}

    def embed(self, features, train=False):
        return self.drop(features["conv2"].mean((1, 2)), deterministic=not train)

    def torch_names(self):
        return {"conv1": "conv1", "bn1": "bn1", "conv2": "conv2", "fc": "fc"}


def learnt(config, workdir, steps=150):
    """Results on the training split of a `tiny_config` that trains longer, and faster."""
    config.train.steps, config.train.log_every = steps, steps
    config.optim.lr = config.optim.backbone_lr = 0.1
    config.optim.clip = 1.0
    config.augment.scale = (0.9, 1.0)
    config.data.test_split = "train"
    config.eval.compare = ()
    return loop.train(config, workdir)
