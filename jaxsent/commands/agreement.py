"""`jaxsent doctor --check`: what this machine computes, against references that come along.

assets/references.npz holds outputs of independent PyTorch implementations for weights and an image
that NumPy makes alike anywhere (benchmarks/make_check_reference.py). So no weights are needed.
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from jaxsent import models, pretrained
from jaxsent.models.precision import PRECISIONS, computed

REFERENCES = Path(__file__).parents[1] / "assets" / "references.npz"


class Case(NamedTuple):
    """A network of the references: its classes, the seed and side of its image, and the largest
    relative error of an output (the norm of the difference over that of the reference)."""

    classes: int
    seed: int
    size: int
    allowed: float


CASES = {
    "alexnet": Case(1000, 0, 224, 1e-5),
    "efficientnet_lite0": Case(1000, 0, 224, 1e-5),
    "wsidnet": Case(2, 0, 224, 1e-4),
    "wscnet": Case(8, 1000, 448, 1e-4),
}


class Row(NamedTuple):
    """An output's relative error in a precision; `allowed` is None where none is asked for."""

    network: str
    output: str
    precision: str
    error: float
    allowed: float | None

    @property
    def ok(self) -> bool:
        """Whether it agrees, as far as that is asked for; what is no number does not."""
        return self.error < (math.inf if self.allowed is None else self.allowed)


def check(networks: tuple[str, ...] = tuple(CASES)) -> dict:
    """The part "check" of an examination: `rows` of every output, and whether all agree.

    "exact" must agree. On accelerators "fast" is told beside it: what model.precision=fast costs.
    """
    precisions = PRECISIONS[::-1] if jax.default_backend() != "cpu" else ("exact",)
    rows = [row for name in networks for row in compare(name, precisions)]
    wrong = [row for row in rows if not row.ok]
    advice = []
    if wrong:
        worst = max(wrong, key=lambda row: math.inf if math.isnan(row.error) else row.error)
        advice.append(
            f"This device computes other numbers than the references ({worst.network}'s "
            f"{worst.output}: {worst.error:.1e}): do not trust results from it. Try another "
            "version of JAX or of the driver, and JAX_PLATFORMS=cpu to compare."
        )
    device = jax.devices()[0].device_kind
    return {
        "ok": not wrong, "device": device, "advice": advice, "rows": [r._asdict() for r in rows]
    }  # fmt: skip


def compare(name: str, precisions: tuple[str, ...]) -> Iterator[Row]:
    """Rows of one network."""
    case = CASES[name]
    model = models.build(name, num_classes=case.classes)
    image = images(case.seed, (2, case.size, case.size, 3))[:1]
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)
    variables = jax.device_put(pretrained.from_torch(state_dict(model, shapes), model, shapes))
    with np.load(REFERENCES) as file:
        references = {
            key.partition("/")[2]: file[key] for key in file if key.startswith(f"{name}/")
        }
    for precision in precisions:
        outputs = jax.device_get(jax.jit(computed(model.apply, precision))(variables, image))
        for output, expected in references.items():
            difference = np.linalg.norm(outputs[output].astype(np.float64) - expected)
            error = float(difference / np.linalg.norm(expected))
            allowed = case.allowed if precision == "exact" else None
            yield Row(name, output, precision, error, allowed)


def state_dict(model, shapes) -> dict[str, np.ndarray]:
    """A torch state dict of the references' weights, for variables of such shapes."""
    names, state = model.torch_names(), {}
    for path, leaf in flatten_dict(shapes).items():
        module, shape = "/".join(path[1:-1]), leaf.shape
        if len(shape) == 4:  # (h, w, in, out) -> (out, in, h, w)
            shape = (shape[3], shape[2], *shape[:2])
        elif len(shape) == 2:
            shape = shape[::-1] + (1, 1) * (module == "detector/conv")  # a convolution in torch
        name = f"{names[module]}.{pretrained.LEAVES[path[-1]]}"
        state[name] = tensor(name, shape)
    return state


def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of torch's name and layout, float32: the same numbers anywhere."""
    rng = np.random.default_rng([0, zlib.crc32(name.encode())])
    leaf = name.rpartition(".")[2]
    if leaf == "running_mean":
        values = rng.normal(0, 0.1, shape)
    elif leaf == "running_var":
        values = rng.uniform(0.5, 1.5, shape)
    elif leaf == "bias":
        values = rng.normal(0, 0.05, shape)
    elif len(shape) == 1:  # scale of a batch norm
        values = rng.uniform(0.3, 0.7, shape)
    else:
        values = rng.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape)
    return values.astype(np.float32)


def images(seed: int, shape: tuple[int, int, int, int]) -> np.ndarray:
    """(B, H, W, 3) float32, about unit variance, of squares and noise."""
    rng = np.random.default_rng([seed, zlib.crc32(b"images")])
    b, h, w, c = shape
    coarse = rng.normal(0, 1, (b, h // 16 + 1, w // 16 + 1, c))
    squares = np.kron(coarse, np.ones((1, 16, 16, 1)))[:, :h, :w]
    return (0.8 * squares + 0.6 * rng.normal(0, 1, shape)).astype(np.float32)
