"""`.onnx`: a network for onnxruntime and whatever else reads ONNX, its batch of any size.

The input is `image` (B, S, S, 3) uint8, the outputs have the names of inference.predict_step.
Labels and preprocessing are JSON under the key `jaxsent` of the file's metadata.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxsent.data.protobuf import Damaged
from jaxsent.errors import UserError, shown
from jaxsent.export import onnx_references
from jaxsent.export.memory import bounded_onnx
from jaxsent.run import digests
from jaxsent.run.card import KEY, read_metadata

OPSET = 21
TOLERANCE = 1e-4  # relative error of logits and maps against JAX
IMAGE = ("image", "tensor(uint8)", 4)  # name, type and axes of the input
INSTALL = "pip install 'jaxsent[onnx]'"


def write(path: Path, variables: dict, metadata: dict) -> None:
    """Writes the network in float32, if onnxruntime computes with it what JAX does.

    Args:
      path: the file.
      variables: {"params", "batch_stats"} as NumPy arrays.
      metadata: card.metadata of the run.

    Raises:
      UserError: jax2onnx or onnxruntime is not installed, or they disagree with JAX.
      OSError: it cannot be written.
    """
    import jax

    from jaxsent.run.folder import step_of

    step = step_of(metadata | {"model": metadata["model"] | {"dtype": "float32"}})
    size = metadata["data"]["image_size"]
    model = _converted(lambda images: step(variables, images), size)
    for key, value in ((KEY, json.dumps(metadata)), (digests.SEAL, digests.UNSEALED)):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    data = digests.sealed(model.SerializeToString())
    images = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)
    expected = jax.device_get(jax.jit(step)(variables, images))
    errors = disagreement(_runner(_session(data, path), path)(images), expected)
    worst = max(errors, key=errors.get)
    if not errors[worst] < TOLERANCE:
        raise UserError(
            f"No .onnx is written: onnxruntime's {worst} would differ from JAX's by "
            f"{errors[worst]:.1e} of the largest; expected less than {TOLERANCE:g}."
        )
    path.write_bytes(data)


def read(path: Path) -> tuple[dict, Callable[[np.ndarray], dict], dict]:
    """-> what it says of itself; images -> predictions; {array: shape, None for the batch}.

    The arrays are the predictions, and "image", what the network reads.

    Raises:
      UserError: it is not there, damaged, no file of ours or not all in this file, or onnxruntime
        is not installed. So does the network, where it asks for more memory than memory.limit.
    """
    try:
        data = path.read_bytes()
        onnx_references.check(data)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except Damaged as error:
        raise UserError(f"{path}: damaged, or no ONNX file ({error}).") from None
    session = _session(data, path)
    described = session.get_inputs(), session.get_outputs()
    try:
        properties = session.get_modelmeta().custom_metadata_map
        inputs, outputs = ([(a.name, a.type, a.shape) for a in arrays] for arrays in described)
    except UnicodeDecodeError:
        raise UserError(f"{path}: damaged, the names in it are no text.") from None
    digests.check_seal(data, properties.get(digests.SEAL), path)
    metadata = read_metadata(properties.get(KEY), path)
    if [(name, kind, len(shape)) for name, kind, shape in inputs] != [IMAGE]:
        found = shown(inputs, 200)
        raise UserError(f"{path}: expected one input `image` of uint8, found {found}.")
    if any(kind != "tensor(float)" for _, kind, _ in outputs):
        raise UserError(f"{path}: its network answers with something else than float32.")
    shapes = {name: (None, *shape[1:]) for name, _, shape in (*inputs, *outputs)}
    return metadata, _runner(session, path), shapes


def disagreement(outputs: dict, expected: dict) -> dict[str, float]:
    """{name: largest difference over the largest value}, of logits in place of probabilities.

    Softmax forgets what all logits have in common, so they are compared without their mean.
    """
    errors = {}
    for name, exact in expected.items():
        computed = outputs[name]
        if name.endswith("_probabilities"):
            name = name.replace("probabilities", "logits")
            computed, exact = _logits(computed), _logits(exact)
        errors[name] = float(np.abs(computed - exact).max() / max(np.abs(exact).max(), 1e-30))
    return errors


def _logits(probabilities: np.ndarray) -> np.ndarray:
    logits = np.log(np.maximum(probabilities, 1e-30))
    return logits - logits.mean(-1, keepdims=True)


def _converted(function: Callable, size: int):
    """The ONNX model of `function`, images (b, size, size, 3) uint8 -> {name: array}."""
    import jax

    from jaxsent.export.primitives import evaluate

    with _quiet():
        try:
            import jax2onnx

            from jaxsent.export import onnx_graph
        except ImportError:
            raise UserError(f"--format onnx needs jax2onnx: {INSTALL}") from None
        (batch,) = jax.export.symbolic_shape("batch")
        images = jax.ShapeDtypeStruct((batch, size, size, 3), np.uint8)
        traced, out = jax.make_jaxpr(function, return_shape=True)(images)
        model = jax2onnx.to_onnx(
            lambda images: tuple(evaluate(traced, images)),
            [images],
            model_name="jaxsent",
            opset=OPSET,
            input_names=["image"],
            output_names=sorted(out),
        )
    onnx_graph.simplify(model.graph)
    return model


@contextlib.contextmanager
def _quiet():
    """jax2onnx prints its debugging, logs a plugin that this JAX is too new for, and warns."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _session(data: bytes, path: Path):
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path.name} needs onnxruntime: {INSTALL}") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for key, value in bounded_onnx().items():
        options.add_session_config_entry(key, value)
    try:
        # Without falling back, which prints, and tries the same provider again.
        return onnxruntime.InferenceSession(
            data, options, ["CPUExecutionProvider"], enable_fallback=False
        )
    except Exception as error:  # each fault has a class of its own, not public ones
        raise UserError(f"{path}: damaged, or no ONNX file ({shown(error, 200)}).") from None


def _runner(session, path: Path) -> Callable[[np.ndarray], dict]:
    names = [out.name for out in session.get_outputs()]

    def network(images: np.ndarray) -> dict:
        try:
            return dict(zip(names, session.run(names, {"image": images}), strict=True))
        except Exception as error:  # as above; memory beyond what it was given is one of them
            raise UserError(f"{path}: its network does not run ({shown(error, 200)}).") from None

    return network
