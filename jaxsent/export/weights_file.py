"""`.pth` and `.safetensors`: weights under torch's names, in torch's layouts.

WSCNet on a ResNet takes the names of its first author's checkpoint, a plain backbone torchvision's.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from ml_collections import ConfigDict
from safetensors.numpy import save

from jaxsent import pretrained
from jaxsent.pretrained import torch_writer
from jaxsent.run import digests
from jaxsent.run.card import KEY
from jaxsent.run.folder import network


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


def _write(path: Path, state: Mapping, metadata: dict) -> None:
    header = {"format": "pt", KEY: json.dumps(metadata), digests.SEAL: digests.UNSEALED}
    path.write_bytes(digests.sealed(save(state, metadata=header)))


def _state_dict(variables: dict, metadata: dict) -> Mapping:
    return pretrained.to_torch(network(ConfigDict(metadata["model"])), variables)
