"""State dicts on disk: .safetensors, .pth and .pt, Keras's .h5."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxsent.errors import UserError, shown
from jaxsent.pretrained import keras_file, torch_file
from jaxsent.pretrained.names import canonical
from jaxsent.pretrained.safetensors_file import Safetensors

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".h5")


def read(path: Path) -> Mapping:
    """A weights file -> {torchvision's name: array in torch's layout}.

    Raises:
      UserError: missing, of an unknown kind, damaged, or asking for code to be run, for another
        file, or for more memory than it is long.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected weights ({', '.join(SUFFIXES)}).")
    try:
        if path.suffix == ".safetensors":
            return canonical(Safetensors(path))
        if path.suffix in (".pth", ".pt", ".bin"):
            return canonical(_tensors(path))
        if path.suffix == ".h5":
            return keras_file.read(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    raise UserError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}.")


def _tensors(path: Path) -> Mapping:
    """The state dict in a .pth, if it is one; numbers in it, such as an epoch, pass."""
    from jaxsent.pretrained.convert import unwrap

    state = unwrap(torch_file.read(path))
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray | int | float):
            raise UserError(
                f"{path}: expected tensors by name, found a {type(value).__name__} under "
                f"{shown(name)}; save model.state_dict() alone."
            )
        if isinstance(value, np.ndarray) and value.dtype.kind == "c":
            raise UserError(f"{path}: expected real numbers, found complex ones in {shown(name)}.")
    return state
