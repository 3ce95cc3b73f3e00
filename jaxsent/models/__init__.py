"""Networks by name: `build("wscnet", num_classes=8, backbone="resnet101")`."""

import dataclasses
import difflib
from importlib import import_module

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxsent.errors import UserError

BACKBONES = {
    "vgg16": "vgg:VGG16",
    "alexnet": "alexnet:AlexNet",
    "resnet18": "resnet:resnet18",
    "resnet34": "resnet:resnet34",
    "resnet50": "resnet:resnet50",
    "resnet101": "resnet:resnet101",
    "efficientnet_lite0": "efficientnet:efficientnet_lite0",
    "efficientnet_lite1": "efficientnet:efficientnet_lite1",
    "efficientnet_lite2": "efficientnet:efficientnet_lite2",
}
NETWORKS = {
    "wscnet": ("wscnet:WSCNet", "resnet101"),
    "wsidnet": ("wsidnet:WSIDNet", "vgg16"),
    "classifier": ("classifier:Classifier", "vgg16"),
    "cam": ("cam:CAM", "resnet101"),
    "probe": ("probe:Probe", "efficientnet_lite2"),
    "wildcat": ("wildcat:Wildcat", "resnet101"),
    "spn": ("spn:SPN", "resnet101"),
    "mil": ("mil:MIL", "resnet101"),
    "fcnel": ("fcnel:FCNEL", "vgg16"),
    "casnet": ("casnet:CASNet", "vgg16"),
}
SUPERVISED = ("fcnel", "casnet")
"""Networks that learn true maps, and no classes: upper bounds of what labels can teach."""
ZERO_INIT = "zero_init_residual"
"""The option that is the backbone's, see resnet.py."""
CHOICES = {
    "pooling": ("max", "avg"),
    "map_weights": ("raw", "softmax"),
    "coupling": ("both", "local", "none"),
    "edges": ("cross", "same", "none"),
    "self_loops": ("distance", "identity"),
    "readout": ("mean", "flatten", "max"),
    "holistic": ("project", "pool", "embedding"),
    "head": ("linear", "mlp"),
    "bag": ("max", "lse", "noisy_or"),
    "freeze": ("none", "statistics", "backbone"),
}


def build(name: str, num_classes: int, backbone: str | None = None, **options):
    """Makes a network as a Linen module.

    Args:
      name: one of NETWORKS, or a backbone, which is then the ImageNet network.
      num_classes: K.
      backbone: name of the backbone; None for the paper's own (ResNet-101 or VGG-16).
      **options: the module's attributes, by the names of method.md, and `zero_init_residual` for
        a ResNet.

    Raises:
      UserError: a name, an option or its value does not exist.
    """
    if name in BACKBONES:
        return _construct(name, BACKBONES[name], {"num_classes": num_classes} | options)
    if name not in NETWORKS:
        raise _unknown("network", name, [*NETWORKS, *BACKBONES])
    path, default = NETWORKS[name]
    backbone = backbone or default
    if backbone not in BACKBONES:
        raise _unknown("backbone", backbone, list(BACKBONES))
    shared = {"dtype": options["dtype"]} if "dtype" in options else {}
    if options.pop(ZERO_INIT, False):
        if not backbone.startswith("resnet"):
            raise UserError(
                f"model.{ZERO_INIT}=True: expected a ResNet as model.backbone, found {backbone}; "
                "set it to False."
            )
        shared[ZERO_INIT] = True
    trunk = _construct(backbone, BACKBONES[backbone], shared)
    classes = options.get("detect_classes")
    if name == "wsidnet" and classes not in (None, 6, 8):
        raise UserError(
            f"model.detect_classes={classes}: WSIDNet's graph is known for 8 classes (Mikels) "
            "and 6 (EmotionROI)."
        )
    if name == "wsidnet" and classes is None:
        options.pop("detect_classes", None)
    return _construct(name, path, {"backbone": trunk, "num_classes": num_classes} | options)


def tabulate(model, image_size: int = 224, depth: int = 2) -> str:
    """A table of the modules down to `depth`: outputs' shapes and numbers of parameters."""
    images = jnp.zeros((1, image_size, image_size, 3), jnp.float32)
    table = nn.tabulate(
        model,
        jax.random.key(0),
        depth=depth,
        console_kwargs={"force_terminal": False, "width": 150},
    )
    return table(images)


def options(name: str) -> set[str]:
    """Options that `build` takes for the network `name`, empty for an unknown one."""
    if name not in NETWORKS:
        return set()
    module, _, attribute = NETWORKS[name][0].partition(":")
    factory = getattr(import_module(f"jaxsent.models.{module}"), attribute)
    return {f.name for f in dataclasses.fields(factory)} - {"parent", "name"} | {ZERO_INIT}


def _construct(name, path, options):
    module, _, attribute = path.partition(":")
    factory = getattr(import_module(f"jaxsent.models.{module}"), attribute)
    fields = {f.name for f in dataclasses.fields(getattr(factory, "func", factory))}
    for key, value in options.items():
        if key not in fields:
            raise _unknown(f"option of {name}", key, sorted(fields - {"parent", "name"}))
        if key in CHOICES and value not in CHOICES[key]:
            raise UserError(f"{key}={value!r}: expected one of {', '.join(CHOICES[key])}.")
    return factory(**options)


def _unknown(kind, name, known):
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}."
    return UserError(f"There is no {kind} {name!r}; {hint}")
