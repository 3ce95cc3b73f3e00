"""A network's weights of the reference outputs (after shared/reference)."""

from flax.traverse_util import flatten_dict

from jaxsent import pretrained
from tests.tensors import images, tensor

__all__ = ["images", "state_dict", "tensor"]


def state_dict(model, shapes) -> dict:
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
