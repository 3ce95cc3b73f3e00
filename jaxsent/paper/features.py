"""Rows that are features and an SVM, by the names of both papers' tables."""

from collections.abc import Iterable

from jaxsent.paper.table import Run

FEATURES = {
    "GCH": "gch", "LCH": "lch", "Principles of art": "principles", "SentiBank": "sentibank",
    "DeepSentiBank": "deepsentibank", "ImageNet AlexNet": "alexnet", "ImageNet VGG-16": "vgg16",
    "ImageNet ResNet-101": "resnet101",
}  # fmt: skip
"""Rows -> what `jaxsent baseline` calls their features."""
OWN = ("GCH", "LCH", "Principles of art")
"""Those that need nothing but photographs."""
BACKBONES = ("alexnet", "vgg16", "resnet101")
"""Those that need ImageNet weights."""


def runs(features: str, data: str, parts: Iterable[str], target: str = "") -> tuple[Run, ...]:
    """A run for each of a set's `parts`, such as agree5_fold1. `target`: "" for polarity."""
    options = (f"target={target}",) if target else ()
    weights = features if features in BACKBONES else ""
    name = f"imagenet_{features}" if weights else features
    names = (("_".join(filter(None, (name, data, part, target))), part) for part in parts)
    return tuple(
        Run(name, f"{data}/{part}" if part else data, options, weights, baseline=features)
        for name, part in names
    )
