"""A finished run in formats that others read."""

from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict
from safetensors.numpy import save_file

from jaxsent import experiment, pretrained, torch_writer
from jaxsent.checkpoint import read_run
from jaxsent.errors import UserError

FORMATS = {"torch": ".pth", "safetensors": ".safetensors"}


def export(run: Path, form: str, out: Path | None = None) -> Path:
    """Writes the best checkpoint of a run as a state dict in torch's names and layouts.

    WSCNet on a ResNet takes the names of its first author's checkpoint, and in a .pth its
    {"model_state_dict": …} too; a plain backbone takes torchvision's.

    Args:
      run: a run's folder.
      form: a key of FORMATS.
      out: the file; None for `model.pth` or `model.safetensors` in the run's folder.

    Returns:
      The file that was written.

    Raises:
      UserError: the run has no checkpoint, the format is unknown, or nothing can be written there.
    """
    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}.")
    model = experiment.network(ConfigDict(experiment.read_config(run)["model"]))
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices(backend="cpu")[0])
    state = pretrained.to_torch(model, jax.tree.map(np.asarray, read_run(run, sharding)))
    out = out or run / f"model{FORMATS[form]}"
    try:
        if form == "safetensors":
            save_file(state, out, metadata={"format": "pt"})
        else:
            nested = "downconv.0.weight" in state
            torch_writer.write(out, {"model_state_dict": state} if nested else state)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}); choose --out.") from None
    return out
