"""Networks whose first two training steps are compared with PyTorch's: what they are and learn."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A network on a backbone, its data and its loss.

    `rate` multiplies the learning rates, where the gradients are large: a step that overshoots
    multiplies the rounding of the one before. `moved` is the largest relative error of how far a
    parameter went: what float32 leaves of it (PyTorch's own strays from its float64 by 1.7e-2 on
    wscnet_efficientnet_lite0). `slow`: more than some seconds.
    """

    network: str
    backbone: str
    size: int = 64
    batch: int = 4
    classes: int = 8
    detect_classes: int | None = None
    class_target: str = "label"
    detect_target: str = "label"
    detect: str = "cross_entropy"
    detect_weight: float = 1.0
    rate: float = 1.0
    moved: float = 5e-3
    slow: bool = False


DEEP = dict(size=96, batch=8, rate=0.5, moved=1e-2, slow=True)
CASES = {
    "wscnet_resnet18": Case("wscnet", "resnet18"),
    "wsidnet_resnet18": Case(
        "wsidnet", "resnet18", size=96, classes=2, detect_classes=8, class_target="polarity",
        detect_target="polarity", detect="polarity", detect_weight=0.1,
    ),
    "classifier_efficientnet_lite0": Case("classifier", "efficientnet_lite0", slow=True),
    "cam_alexnet": Case("cam", "alexnet", size=96),
    "wildcat_resnet18": Case("wildcat", "resnet18", size=96, slow=True),
    "spn_vgg16": Case("spn", "vgg16", slow=True),
    "fcnel_vgg16": Case("fcnel", "vgg16", rate=0.1, slow=True),
    "casnet_vgg16": Case("casnet", "vgg16", slow=True),
    "wscnet_resnet101": Case("wscnet", "resnet101", **DEEP),
    "wscnet_efficientnet_lite0": Case(
        "wscnet", "efficientnet_lite0", rate=0.2, moved=3e-2, slow=True
    ),
    "wsidnet_vgg16": Case(
        "wsidnet", "vgg16", classes=2, detect_classes=8, class_target="polarity",
        detect_weight=0.1, rate=0.02, moved=1e-2, slow=True,
    ),
    "classifier_vgg16": Case("classifier", "vgg16", rate=0.02, moved=1e-2, slow=True),
    "classifier_alexnet": Case("classifier", "alexnet", size=96, rate=0.02, moved=1e-2, slow=True),
    "classifier_resnet18": Case("classifier", "resnet18", size=96, moved=1e-2, slow=True),
    "cam_resnet101": Case("cam", "resnet101", **DEEP),
    "wildcat_resnet101": Case("wildcat", "resnet101", **DEEP),
    "spn_resnet101": Case("spn", "resnet101", **DEEP),
}  # fmt: skip
"""The papers' backbone of each network, and a smaller one where that takes long."""

STEPS = 2
"""So that momentum counts."""
MOMENTUM, WEIGHT_DECAY = 0.9, 0.05
"""The decay is a hundred times the papers', or its absence would hide among the gradients."""
LR, BACKBONE_LR = 1e-3, 2.5e-4
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
POSITIVE = (1, 0, 1, 1, 0, 1, 0, 0)
"""Polarities of amusement, anger, awe, contentment, disgust, excitement, fear, sadness."""


def initial(name: str, array):
    """A weight of tests.tensors -> where training starts.

    The last batch norm of ResNet-101's blocks starts at a tenth of the recipe's scale: 33 branches
    as loud as their trunk would multiply float32's rounding to what no comparison survives.
    """
    return array * array.dtype.type(0.1) if name.endswith("bn3.weight") else array
