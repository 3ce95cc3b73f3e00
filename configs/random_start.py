"""A config from random weights, by settings that keep its first steps finite.

    python run.py --config configs/random_start.py:wscnet_fi --config.data.source=FOLDER_OF_FI

The part is another config, whose own part may follow after a second colon. Without a part it is
wscnet_fi, whose ResNet-101 from random weights and at its paper's rates has no finite loss after a
few steps. Here gradients are clipped to a norm of 1, and the blocks of a ResNet start as their
shortcuts (Goyal et al. 2017, section 5.1).

No paper trained so, and no number is known: both start from ImageNet, and so should you where you
can.
"""

from importlib import import_module


def get_config(part="wscnet_fi"):
    name, _, rest = part.partition(":")
    c = import_module(f"configs.{name}").get_config(*[rest] * bool(rest))
    c.init.weights = c.init.checkpoint = ""
    c.optim.clip = 1.0
    c.model.zero_init_residual = c.model.backbone.startswith("resnet")
    return c
