"""Torch's state dicts and our variables, in both directions.

A network says how its submodules are called in torch (`torch_names`); here the arrays change
layout: convolutions OIHW ↔ HWIO, matrices (out, in) ↔ (in, out), and the first layer after
flattening reads c·h·w in torch and h·w·c here.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxsent import models
from jaxsent.errors import UserError, shown

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
FLATTENED = {7 * 7 * 512: 7, 6 * 6 * 256: 6}
"""Inputs of fc6 in VGG-16 and AlexNet -> side of the grid that was flattened."""

ONE_BY_ONE = ("detector/conv",)
"""Dense layers here that are 1×1 convolutions in torch."""

TOP = ("fc6", "fc7")
"""Fully-connected layers of a backbone, which some publishers leave out."""

COUNTERS = "num_batches_tracked"


class Match(NamedTuple):
    """How a state dict and a network's variables meet; paths are tuples into the variables."""

    names: dict[tuple, str]
    missing: dict[tuple, str]
    left: list[str]
    unexpected: list[str]


def match(state_dict: Mapping, model, variables: dict) -> Match:
    """Finds the name of every variable in `state_dict`, by the convention that fits best.

    `left` are names that the network's original has and this network does without, such as a
    backbone's classifier; `unexpected` are names of no layer of it.
    """
    flat = flatten_dict(variables)
    names = _convention(model, state_dict, flat)
    state_names, missing = {}, {}
    for path in flat:
        module = "/".join(path[1:-1])
        torch_name = f"{names[module]}.{LEAVES[path[-1]]}" if module in names else None
        if torch_name in state_dict:
            state_names[path] = torch_name
        else:
            missing[path] = torch_name or "/".join(path[1:])
    used, layers = set(state_names.values()), set(names.values())
    rest = [k for k in state_dict if k not in used and not k.endswith(COUNTERS)]
    left = [k for k in rest if k.rpartition(".")[0] in layers]
    return Match(state_names, missing, left, sorted(set(rest) - set(left)))


def from_torch(state_dict: Mapping, model, variables: dict, new_layers: bool = False) -> dict:
    """Torch's arrays in place of ours.

    Args:
      state_dict: {name: array} in torch's layouts; an entry "model_state_dict" or "state_dict" is
        looked into.
      model: the network; a backbone's state dict also fits a network that has this backbone.
      variables: {"params": …, "batch_stats": …} of `model.init`, arrays or shapes.
      new_layers: modules outside "backbone" may be absent, and fc6 with fc7 from a file that ends
        before them; they stay as they are in `variables`.

    Returns:
      variables, with NumPy arrays where something was loaded.

    Raises:
      UserError: names are missing or unexpected, or shapes differ; the message lists the first
        ten and says which options would fit.
    """
    state_dict = unwrap(state_dict)
    matched = match(state_dict, model, variables)
    return fill(state_dict, matched, model, variables, new_layers)


def fill(state_dict, matched: Match, model, variables: dict, new_layers: bool) -> dict:
    """`from_torch` for a state dict that is matched already."""
    flat = flatten_dict(variables)
    may_stay = _may_stay_new(matched) if new_layers else set()
    missing = [name for path, name in matched.missing.items() if path not in may_stay]
    problems = []
    if missing:
        problems.append(f"{len(missing)} missing ({listed(missing)})")
    if matched.unexpected:
        problems.append(f"{len(matched.unexpected)} unexpected ({listed(matched.unexpected)})")
    loaded, misfits = {}, {}
    for path, name in matched.names.items():
        shape = tuple(flat[path].shape)
        stored = np.asarray(state_dict[name])
        array = to_flax(stored, shape) if stored.size == math.prod(shape) else stored
        if array.shape == shape:
            loaded[path] = np.ascontiguousarray(array, dtype=np.float32)
        else:  # not copied: many names may share one storage
            misfits[path] = f"{name} {stored.shape} for {shape}"
    if misfits:
        problems.append(f"{len(misfits)} of another shape ({listed(list(misfits.values()))})")
    if not matched.names:
        problems = ["no name of its layers"]
    if problems:
        advice = _advice(state_dict, matched, misfits, model)
        raise UserError(f"The weights do not fit the model: {'; '.join(problems)}.{advice}")
    return unflatten_dict(flat | loaded)


def to_torch(model, variables: dict) -> dict[str, np.ndarray]:
    """Our variables -> a state dict in torch's names and layouts, float32, ready to be saved.

    Batch norm's counters (`num_batches_tracked`) are zeros: nothing here counts them.
    """
    names, state = _names(model), {}
    for path, array in flatten_dict(variables).items():
        module, leaf = "/".join(path[1:-1]), path[-1]
        array = from_flax(np.asarray(array), module in ONE_BY_ONE)
        state[f"{names[module]}.{LEAVES[leaf]}"] = np.ascontiguousarray(array, np.float32)
        if leaf == "var":
            state[f"{names[module]}.{COUNTERS}"] = np.zeros((), np.int64)
    return state


def to_flax(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array in torch's layout -> Flax's layout for a variable of `shape`."""
    if array.ndim == 4 and len(shape) == 2 and array.shape[2] == array.shape[3] > 1:
        array = array.reshape(len(array), -1)  # timm's VGG: fc6 as a 7×7 convolution
    if array.ndim == 4:
        array = array.transpose(2, 3, 1, 0)
        dense = len(shape) == 2 and array.shape[:2] == (1, 1)
        return array.reshape(array.shape[2:]) if dense else array
    if array.ndim == 2:
        side = FLATTENED.get(array.shape[1])
        if side:
            array = array.reshape(len(array), -1, side, side).transpose(0, 2, 3, 1)
            array = array.reshape(len(array), -1)
        return array.T
    return array


def from_flax(array: np.ndarray, one_by_one: bool = False) -> np.ndarray:
    """The inverse of `to_flax`; `one_by_one` makes a matrix a 1×1 convolution."""
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    if array.ndim == 2:
        array = array.T
        side = FLATTENED.get(array.shape[1])
        if side:
            array = array.reshape(len(array), side, side, -1).transpose(0, 3, 1, 2)
            array = array.reshape(len(array), -1)
        return array[:, :, None, None] if one_by_one else array
    return array


def unwrap(state_dict: Mapping) -> Mapping:
    """The state dict within a saved training state, without a `module.` before every name."""
    for key in ("model_state_dict", "state_dict", "model"):
        if isinstance(state_dict.get(key), Mapping):
            state_dict = state_dict[key]
    if state_dict and all(str(k).startswith("module.") for k in state_dict):
        state_dict = {k.removeprefix("module."): v for k, v in state_dict.items()}
    return state_dict


def table(matched: Match, variables: dict) -> str:
    """What was loaded, what stayed new and what was left aside, a line a part."""
    flat = flatten_dict(variables)
    parts: dict[str, list[int]] = {}
    for path, leaf in flat.items():
        part = "/".join(path[1:3]) if path[1] == "backbone" else path[1]
        counts = parts.setdefault(part, [0, 0])
        counts[path not in matched.names] += int(np.prod(leaf.shape))
    lines = [f"{'part':32s}{'loaded':>14s}{'new':>14s}"]
    lines += [f"{part:32s}{old:14,d}{new:14,d}" for part, (old, new) in parts.items()]
    old, new = (sum(c[i] for c in parts.values()) for i in (0, 1))
    lines.append(f"{'all':32s}{old:14,d}{new:14,d}")
    if matched.left:
        lines.append(f"left in the file: {listed(matched.left)}")
    return "\n".join(lines)


def listed(items, most: int = 10) -> str:
    """The first `most` items and how many more there are."""
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(shown(item, 120) for item in items[:most]) + rest


def _is_new(path: tuple) -> bool:
    return path[1] != "backbone"


def _may_stay_new(matched: Match) -> set[tuple]:
    """Layers that a backbone's file need not hold: those outside it, and VGG's fully-connected ones
    where it has neither, as Keras's "notop" file."""
    topless = not any(path[2] in TOP for path in matched.names if not _is_new(path))
    return {path for path in matched.missing if _is_new(path) or (topless and path[2] in TOP)}


def _convention(model, state_dict, flat: dict) -> dict[str, str]:
    """{our module: torch's module}: of the names that `model` goes by, the best fitting.

    A new layer counts only where its size fits: the 1,000 classes of a backbone's own file are not
    taken for a network's classifier.
    """
    candidates = [_names(model)]
    if hasattr(model, "backbone"):
        inner = model.backbone.torch_names()
        candidates.insert(
            0, {f"backbone/{flax_name}": torch_name for flax_name, torch_name in inner.items()}
        )

    def fitting(names):
        count = 0
        for path, leaf in flat.items():
            name = f"{names.get('/'.join(path[1:-1]))}.{LEAVES[path[-1]]}"
            size = int(np.prod(leaf.shape))
            count += name in state_dict and (not _is_new(path) or np.size(state_dict[name]) == size)
        return count

    return max(candidates, key=fitting)


def _names(model) -> dict[str, str]:
    """`torch_names`, and that of the layer for ratings, which any network may have."""
    return {"regressor": "regressor"} | model.torch_names()


def _modules(state_dict) -> set[str]:
    return {key.rpartition(".")[0] for key in state_dict}


def _advice(state_dict, matched: Match, misfits, model) -> str:
    """Which options would make the file fit, where that can be told."""
    advice = []
    for path in misfits:
        width = np.size(state_dict[matched.names[path]])  # of a bias
        if path[1] in ("classifier", "fc", "fc8") and path[-1] == "bias":
            advice.append(f"model.num_classes={width}")
        if path[1] == "detector" and path[-1] == "bias":
            advice.append(f"model.detect_classes × model.maps_per_class = {width}")
    modules = _modules(state_dict)
    if not advice:
        for name in models.BACKBONES:
            if modules == set(models.build(name, 1).torch_names().values()):
                advice.append(f"model.backbone={name}")
    return f" {' and '.join(advice)} would fit." if advice else ""
