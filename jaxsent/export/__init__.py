"""A finished run in formats that others read."""

from importlib import import_module
from pathlib import Path

from jaxsent import files
from jaxsent.errors import UserError

FORMATS = {
    "stablehlo": (".jaxexport", "stablehlo_file:write"),
    "onnx": (".onnx", "onnx_file:write"),
    "torch": (".pth", "weights_file:write_torch"),
    "safetensors": (".safetensors", "weights_file:write_safetensors"),
}
"""Name -> suffix and the function write(path, variables, metadata)."""


def export(run: Path, form: str, out: Path | None = None) -> Path:
    """Writes the best checkpoint of a run.

    "stablehlo" and "onnx" are the network with its normalisation, from pixels to predictions;
    "torch" and "safetensors" its weights under torch's names. All but a .pth, which has no place
    for it, say which labels and which images belong to them, so that `jaxsent.load` takes them.

    Args:
      run: a run's folder.
      form: a key of FORMATS.
      out: the file; None for `model` with the format's suffix in the run's folder.

    Returns:
      The file that was written.

    Raises:
      UserError: the run has no checkpoint, the format is unknown or needs a package, or nothing can
        be written there.
    """
    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}.")
    import jax
    import numpy as np

    from jaxsent.run.card import metadata as metadata_of
    from jaxsent.run.checkpoint import read_run
    from jaxsent.run.folder import read_config, read_results

    suffix, place = FORMATS[form]
    metadata = metadata_of(read_config(run), read_results(run))
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices(backend="cpu")[0])
    variables = jax.tree.map(np.asarray, read_run(run, sharding))
    out = out or run / f"model{suffix}"
    module, _, function = place.partition(":")
    write = getattr(import_module(f"jaxsent.export.{module}"), function)
    with files.replacing(out) as part:
        write(part, variables, metadata)
    return out
