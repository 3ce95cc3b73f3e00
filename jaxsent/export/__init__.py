"""A finished run, or a file of its weights, in formats that others read."""

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


def export(model: Path, form: str, out: Path | None = None) -> Path:
    """Writes the best checkpoint of a run, or what a .safetensors of ours holds.

    "stablehlo" and "onnx" are the network with its normalisation, from pixels to predictions;
    "torch" and "safetensors" its weights under torch's names. All but a .pth, which has no place
    for it, say which labels and which images belong to them, so that `jaxsent.load` takes them.

    Args:
      model: a run's folder, or a .safetensors of `jaxsent export` or `remake`.
      form: a key of FORMATS.
      out: the file; None for `model` with the format's suffix in the run's folder, or for the
        file's name with it.

    Returns:
      The file that was written.

    Raises:
      UserError: the run has no checkpoint, the file is damaged, the format is unknown or needs a
        package, or nothing can be written there.
    """
    if form not in FORMATS:
        raise UserError(f"--format {form}: expected one of {', '.join(FORMATS)}.")
    suffix, place = FORMATS[form]
    is_file = model.suffix == ".safetensors"
    metadata, variables = _of_file(model) if is_file else _of_run(model)
    out = out or (model.with_suffix(suffix) if is_file else model / f"model{suffix}")
    if out == model:
        raise UserError(f"{out} is the model itself; choose another --out.")
    module, _, function = place.partition(":")
    write = getattr(import_module(f"jaxsent.export.{module}"), function)
    with files.replacing(out) as part:
        write(part, variables, metadata)
    return out


def _of_run(run: Path) -> tuple[dict, dict]:
    """Metadata and variables, NumPy arrays, of a run's best checkpoint."""
    import jax
    import numpy as np

    from jaxsent.run.card import metadata
    from jaxsent.run.checkpoint import read_run
    from jaxsent.run.folder import read_config, read_results

    described = metadata(read_config(run), read_results(run))
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices(backend="cpu")[0])
    return described, jax.tree.map(np.asarray, read_run(run, sharding))


def _of_file(path: Path) -> tuple[dict, dict]:
    """The same of a .safetensors; what is exported has its backbone in it, from no package."""
    import jax
    import numpy as np

    from jaxsent.export.weights_file import read

    metadata, _, variables = read(path)
    metadata.pop("backbone", None)
    return metadata, jax.tree.map(np.asarray, variables)
