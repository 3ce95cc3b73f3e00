"""What the tests of the compared networks share."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsent import models

IMAGES = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)


def made(name, backbone="resnet18", num_classes=3, seed=0, **options):
    """A network and NumPy variables whose new layers are large enough to tell classes apart."""
    model = models.build(name, num_classes, backbone=backbone, **options)
    variables = jax.jit(model.init)(jax.random.key(seed), IMAGES)
    variables = jax.tree.map(np.asarray, variables)
    for part, tree in variables["params"].items():
        if part not in ("backbone", "context"):
            variables["params"][part] = jax.tree.map(lambda x: 10 * x, tree)
    return model, variables


def tapped(model, variables, images=IMAGES, beyond=False):
    """F (B, h, w, n) and {tap: (B, h, w, n)}, NumPy; `beyond`: all taps."""
    run = jax.jit(lambda v, x: model.apply(v, x, False, beyond, method="tapped"))
    return jax.tree.map(np.asarray, run(variables, images))


def applied(model, variables, images=IMAGES):
    """The network's outputs, NumPy."""
    return jax.tree.map(np.asarray, jax.jit(model.apply)(variables, images))


def count(name, backbone=None, num_classes=8, size=224, **options):
    """Parameters of a network, those of its backbone and those of its new layers."""
    model = models.build(name, num_classes, backbone=backbone, **options)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    parts = {
        part: sum(x.size for x in jax.tree.leaves(tree)) for part, tree in shapes["params"].items()
    }
    return sum(parts.values()), parts.pop("backbone"), sum(parts.values())
