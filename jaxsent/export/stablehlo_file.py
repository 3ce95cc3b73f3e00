"""`.jaxexport`: a network as a StableHLO program that runs wherever JAX does, without its code.

A zip of `model.stablehlo` (jax.export: variables and images (b, S, S, 3) uint8 -> predictions, for
any b and for cpu, cuda and tpu), `weights.safetensors` (the variables, by paths such as
`params/classifier/kernel`) and `card.json`. Nothing in it can run code on being read.
"""

import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from jaxsent.errors import UserError, shown
from jaxsent.export.memory import judged
from jaxsent.models.settled import compiled
from jaxsent.run.card import read_metadata
from jaxsent.run.folder import step_of

PLATFORMS = ("cpu", "cuda", "tpu")
CARD, PROGRAM, WEIGHTS = "card.json", "model.stablehlo", "weights.safetensors"
HARMLESS = re.compile(r"stablehlo\.custom_call @shape_assertion\(")
"""How a program with a symbolic batch checks the shapes of its arguments."""
OUTWARD = re.compile(r"custom_call|stablehlo\.(infeed|outfeed|recv|send|while)\b")
"""Operations that call what is not in the file, wait for another program, or may never end."""


def write(path: Path, variables: dict, metadata: dict) -> None:
    """Writes the network from pixels to predictions.

    Args:
      path: the file.
      variables: {"params", "batch_stats"} as NumPy arrays.
      metadata: card.metadata of the run.

    Raises:
      OSError: it cannot be written.
    """
    size = metadata["data"]["image_size"]
    (batch,) = jax.export.symbolic_shape("b")
    images = jax.ShapeDtypeStruct((batch, size, size, 3), np.uint8)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), variables)
    program = jax.export.export(jax.jit(step_of(metadata)), platforms=PLATFORMS)(shapes, images)
    weights = {_name(path): leaf for path, leaf in jax.tree.leaves_with_path(variables)}
    with zipfile.ZipFile(path, "w") as file:  # stored: weights do not compress
        file.writestr(CARD, json.dumps(metadata, indent=2))
        file.writestr(PROGRAM, bytes(program.serialize()))
        file.writestr(WEIGHTS, save(weights))


def read(path: Path) -> tuple[dict, Callable[[np.ndarray], dict], dict]:
    """-> what it says of itself; images -> predictions; {array: shape, None for the batch}.

    The arrays are the predictions, and "image", what the network reads.

    Raises:
      UserError: it is not there, damaged, no file of ours, or not for this JAX or device. So does
        the network, where it asks for more memory than memory.limit.
    """
    metadata, program, weights = _opened(path)
    _check(path, program)
    variables = jax.device_put(_variables(path, program, weights))
    return metadata, judged(compiled(program.call), variables, str(path)), _shapes(path, program)


_DAMAGE = (
    *(EOFError, LookupError, NotImplementedError, OSError, OverflowError, RuntimeError),
    *(TypeError, ValueError, struct.error, zipfile.BadZipFile),
)
"""What zipfile raises; RuntimeError where a member is encrypted."""


def _opened(path: Path) -> tuple[dict, jax.export.Exported, dict]:
    """The three parts, each as what it is."""
    try:
        with zipfile.ZipFile(path) as file:
            parts = {name: _member(file, name) for name in (CARD, PROGRAM, WEIGHTS)}
        weights = load(parts[WEIGHTS])
        program = _program(path, parts[PROGRAM])
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except (*_DAMAGE, SafetensorError) as error:
        raise UserError(
            f"{path}: expected what `jaxsent export --format stablehlo` writes; this file is "
            f"damaged, or another ({shown(error)})."
        ) from None
    return read_metadata(parts[CARD], path), program, weights


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    if file.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise KeyError(f"{name} is compressed")  # nothing small may become something huge
    return file.read(name)


def _program(path: Path, data: bytes) -> jax.export.Exported:
    try:
        return jax.export.deserialize(bytearray(data))
    except Exception as error:  # flatbuffers and MLIR raise whatever they trip over
        raise UserError(
            f"{path}: its program is damaged, or of a newer JAX than {jax.__version__} "
            f"({type(error).__name__})."
        ) from None


def _check(path: Path, program: jax.export.Exported) -> None:
    """Raises UserError for a program that cannot run here, or that might do more than compute."""
    platform = jax.export.default_export_platform()
    if platform not in program.platforms:
        raise UserError(
            f"{path}: exported for {', '.join(program.platforms)}; this JAX runs on {platform}."
        )
    # A custom call runs any function that jaxlib or a plugin registered, on any arguments.
    try:
        outward = OUTWARD.search(HARMLESS.sub("", program.mlir_module()))
    except Exception as error:  # as `_program`
        raise UserError(f"{path}: its program is damaged ({type(error).__name__}).") from None
    if outward:
        raise UserError(
            f"{path}: its program calls functions outside StableHLO, or has loops "
            f"({outward[0]}), which no export of jaxsent does; not run."
        )


def _shapes(path: Path, program: jax.export.Exported) -> dict[str, tuple]:
    """{"image", and each prediction: shape, None for the batch}. Raises UserError."""
    try:
        (_, image), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
        out = jax.tree.unflatten(program.out_tree, program.out_avals)
        kinds = {aval.dtype for aval in out.values()}
        if image.dtype != np.uint8 or kinds != {np.dtype(np.float32)}:
            raise TypeError
        arrays = {"image": image} | out
        return {name: (None, *array.shape[1:]) for name, array in arrays.items()}
    except (AttributeError, TypeError, ValueError):
        raise UserError(
            f"{path}: expected a program from images of uint8 to predictions of float32 by name; "
            "it is damaged."
        ) from None


def _variables(path: Path, program: jax.export.Exported, weights: dict) -> dict:
    """The weights as the program's first argument. Raises UserError where they are not."""
    try:
        (shapes, _), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
        variables = jax.tree.map_with_path(lambda key, _: weights[_name(key)], shapes)
        kinds = [[(a.shape, a.dtype) for a in jax.tree.leaves(t)] for t in (variables, shapes)]
    except (AttributeError, KeyError, TypeError, ValueError):
        kinds = [[], None]
    if kinds[0] != kinds[1]:
        raise UserError(f"{path}: its weights are not those of its program; it is damaged.")
    return variables


def _name(path: tuple) -> str:
    """Keys of nested dicts -> `params/classifier/kernel`."""
    return "/".join(key.key for key in path)
