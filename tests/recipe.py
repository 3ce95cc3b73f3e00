"""Weights and images of the reference outputs, from NumPy alone (after shared/reference)."""

import math
import zlib

import numpy as np
from flax.traverse_util import flatten_dict

from jaxsent import pretrained


def tensor(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """The array of torch's name and layout: the same numbers anywhere."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_mean":
        x = rng.normal(0, 0.1, shape)
    elif leaf == "running_var":
        x = rng.uniform(0.5, 1.5, shape)
    elif leaf == "bias":
        x = rng.normal(0, 0.05, shape)
    elif len(shape) == 1:  # scale of a batch norm
        x = rng.uniform(0.3, 0.7, shape)
    else:
        x = rng.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape)
    return x.astype(np.float32)


def images(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """(B, H, W, 3) float32, about unit variance, with spatial structure."""
    rng = np.random.default_rng([seed, zlib.crc32(b"images")])
    b, h, w, c = shape
    coarse = rng.normal(0, 1, (b, h // 16 + 1, w // 16 + 1, c))
    x = np.kron(coarse, np.ones((1, 16, 16, 1)))[:, :h, :w]
    return (0.8 * x + 0.6 * rng.normal(0, 1, shape)).astype(np.float32)


def state_dict(model, shapes) -> dict[str, np.ndarray]:
    """A torch state dict for `model` whose variables have `shapes`."""
    state = {}
    for path, leaf in flatten_dict(shapes).items():
        module, shape = "/".join(path[1:-1]), leaf.shape
        if len(shape) == 4:
            shape = (shape[3], shape[2], *shape[:2])
        elif len(shape) == 2:
            one_by_one = module == "detector/conv"  # a Dense layer here, a convolution in torch
            shape = shape[::-1] + (1, 1) * one_by_one
        name = f"{model.torch_names()[module]}.{pretrained.LEAVES[path[-1]]}"
        state[name] = tensor(name, shape)
    return state
