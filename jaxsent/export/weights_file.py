"""`.pth` and `.safetensors`: weights under torch's names, in torch's layouts.

WSCNet on a ResNet takes the names of its first author's checkpoint, a plain backbone torchvision's.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from jaxsent import pretrained
from jaxsent.errors import UserError, shown
from jaxsent.pretrained import torch_writer
from jaxsent.run import digests
from jaxsent.run.card import KEY, card_of, read_metadata
from jaxsent.run.folder import built, network


def write_torch(path: Path, variables: dict, metadata: dict) -> None:
    """Writes {"params", "batch_stats"} for `load_state_dict`. Raises OSError.

    WSCNet's stand in {"model_state_dict": …}, as its first author's do.
    """
    state = _state_dict(variables, metadata)
    nested = "downconv.0.weight" in state
    torch_writer.write(path, {"model_state_dict": state} if nested else state)


def write_safetensors(path: Path, variables: dict, metadata: dict) -> None:
    """Writes the same arrays, with `metadata` in the header. Raises OSError."""
    _write(path, _state_dict(variables, metadata), metadata)


def write_head(path: Path, variables: dict, metadata: dict) -> None:
    """Writes what stands on a backbone of a package, which `metadata["backbone"]` names, as
    safetensors: `jaxsent.load` takes the backbone from there. Raises OSError."""
    state = _state_dict(variables, metadata)
    head = {key: array for key, array in state.items() if not key.startswith("backbone.")}
    _write(path, head, metadata)


def read(path: Path) -> tuple[dict, Any, dict]:
    """What `write_safetensors` or `write_head` wrote -> its metadata, network and variables.

    Raises:
      UserError: it is damaged, or the package of its backbone is not installed.
    """
    try:
        with safe_open(path, "np") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        reason = shown(error, 200)
        raise UserError(f"{path}: damaged, or no safetensors file ({reason}).") from None
    digests.check_seal(path.read_bytes(), header.get(digests.SEAL), path)
    metadata = read_metadata(header.get(KEY), path)
    model, shapes = built(metadata, card_of(metadata, path), path)
    state = dict(pretrained.state_dict(path))
    if backbone := metadata.get("backbone"):
        state |= _packaged(backbone, path)
    return metadata, model, pretrained.from_torch(state, model, shapes)


def _packaged(backbone: str, path: Path) -> dict[str, np.ndarray]:
    """The weights of a backbone that a head's file names and leaves to its package."""
    from jaxsent.pretrained.sources import PACKAGES

    if not isinstance(backbone, str) or backbone not in PACKAGES:
        known = ", ".join(PACKAGES)
        raise UserError(f"{path}: its backbone {shown(backbone)!r} is none of {known}.")
    return {f"backbone.{key}": array for key, array in pretrained.state_dict(backbone).items()}


def _write(path: Path, state: Mapping, metadata: dict) -> None:
    header = {"format": "pt", KEY: json.dumps(metadata), digests.SEAL: digests.UNSEALED}
    path.write_bytes(digests.sealed(save(state, metadata=header)))


def _state_dict(variables: dict, metadata: dict) -> Mapping:
    return pretrained.to_torch(network(ConfigDict(metadata["model"])), variables)
