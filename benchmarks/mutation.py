"""Whether tests notice a wrong line: `python benchmarks/mutation.py [--mutants N] [--seed S]`.

One operator or number of losses, pooling, graph or metrics is changed at a time, and the tests of
that file are run on it until one fails. What none notices survives, and is printed: it wants a
test, or a line of EQUIVALENT, which computes the same as the original and is left out; each is
printed with its reason. Texts, annotations and errors are left alone.

Each mutant is a fork of a process that has imported JAX and pytest, so that it costs its tests
alone; nothing is written to the files.
"""

import argparse
import ast
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
NETWORK, METRICS = (f"tests/faults/test_properties_{name}.py" for name in ("network", "metrics"))
TESTS = {
    "losses.py": (
        "tests/test_losses.py",
        "tests/models/test_casnet.py::test_loss_is_cross_entropy_with_the_soft_map",
        "tests/models/test_fcnel.py::test_loss_is_half_the_mean_square",
        "tests/models/test_regress.py::test_affect_loss_by_hand",
    ),
    "models/pooling.py": ("tests/models/test_pooling.py",),
    "models/gcn.py": ("tests/models/test_gcn.py",),
    "emotions.py": (
        "tests/test_emotions.py",
        "tests/test_losses.py::test_label_distributions_by_hand",
    ),
    "metrics/attention.py": ("tests/metrics/test_attention.py",),
    "metrics/calibration.py": ("tests/metrics/test_calibration.py",),
    "metrics/classification.py": ("tests/metrics/test_classification.py",),
    "metrics/detection.py": ("tests/metrics/test_detection.py",),
    "metrics/regression.py": ("tests/metrics/test_regression.py",),
    "metrics/similarity.py": ("tests/metrics/test_attention.py", "tests/metrics/test_emd.py"),
    "metrics/specificity.py": ("tests/metrics/test_specificity.py",),
}
"""File of jaxsent -> the tests that are run on its mutants, before NETWORK or METRICS."""
LONG = "not learns and not finite_differences and not cannot_be and not on_no_wheel"
"""Which tests are left out: they train, or take long to say what others do."""
IMPORTED = (
    "chex", "flax.linen", "grain", "hypothesis.extra.numpy", "jax", "matplotlib.pyplot", "optax",
    "pytest", "skimage.exposure", "sklearn.metrics", "tensorflow_datasets",
)  # fmt: skip
"""What takes long to import and imports nothing of jaxsent; before the first fork."""
SECONDS = 300  # wall clock; what takes longer goes round for ever, and is noticed
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


TWO_AXES = "of arrays of two axes the last one is axis 1"
EQUIVALENT = (
    ("losses.py", "jax.nn.logsumexp(logits, axis=-1", "-1", "+1", TWO_AXES),
    ("losses.py", "squares.sum(-1) / jnp.maximum(known.sum(-1)", "-1", "+1", TWO_AXES),
    ("losses.py", "jnp.stack([1 - positive, positive], axis=-1)", "-1", "+1", TWO_AXES),
    ("losses.py", "weights / jnp.where(mean > 0, mean, 1)", "1", "2",
     "where the mean is 0 no image that counts has a weight"),
    ("models/pooling.py", "jnp.concatenate(parts, axis=-1)", "-1", "+1", TWO_AXES),
    ("models/pooling.py", "jnp.take_along_axis(maps, classes", "0", "1",
     "JAX takes the last place for one beyond it, and there is one only"),
    ("emotions.py", "a.sum(axis=-1)", "-1", "+1", TWO_AXES),
    ("emotions.py", "apart = np.where(itself, 1, steps)", "1", "2",
     "where an emotion is itself, what stands there is not read"),
)  # fmt: skip
"""(file, part of a line, what is changed there, into what, why that computes the same)."""


class Mutant(NamedTuple):
    """A file of jaxsent with one node changed, which begins on a line of this text."""

    file: str
    line: int
    text: str
    before: str
    after: str
    source: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.before}  ->  {self.after}"

    @property
    def equivalent(self) -> str:
        """Why it computes what the original does, "" of one that does not."""
        for file, text, before, after, why in EQUIVALENT:
            if (self.file, self.before, self.after) == (file, before, after) and text in self.text:
                return why
        return ""


def mutants(file: str) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    source = (ROOT / "jaxsent" / file).read_text()
    count = sum(1 for _ in _places(ast.parse(source)))
    for number in range(count):
        tree = ast.parse(source)
        node, change = next(place for i, place in enumerate(_places(tree)) if i == number)
        before = ast.unparse(node)
        change()
        text = source.splitlines()[node.lineno - 1]
        yield Mutant(file, node.lineno, text, before, ast.unparse(node), ast.unparse(tree))


def _places(tree: ast.AST) -> Iterator[tuple]:
    """(node, what changes it), of every operator and number outside what _meant returns not."""
    for node in _meant(tree):
        match node:
            case ast.BinOp(op=op) if type(op) in SWAPS:
                yield node, lambda n=node: setattr(n, "op", SWAPS[type(n.op)]())
            case ast.BoolOp(op=op):
                yield node, lambda n=node: setattr(n, "op", SWAPS[type(n.op)]())
            case ast.Compare(ops=[op, *_]) if type(op) in SWAPS:
                yield node, lambda n=node: n.ops.__setitem__(0, SWAPS[type(n.ops[0])]())
            case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
                yield node, lambda n=node: setattr(n, "op", ast.UAdd())
            case ast.Constant(value=bool()):
                yield node, lambda n=node: setattr(n, "value", not n.value)
            case ast.Constant(value=int() | float()):
                yield node, lambda n=node: setattr(n, "value", n.value + 1)


def _meant(node: ast.AST) -> Iterator[ast.AST]:
    """What computes: no annotations, no errors and what leads to them alone, no f-strings."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            raises = isinstance(child, ast.If) and all(isinstance(s, ast.Raise) for s in child.body)
            if isinstance(child, ast.AST) and not (
                raises or isinstance(child, ast.Raise | ast.JoinedStr)
            ):
                yield child
                yield from _meant(child)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant in place of its file."""

    def __init__(self, mutant: Mutant):
        self.name = "jaxsent." + mutant.file.removesuffix(".py").replace("/", ".")
        self.mutant = mutant

    def find_spec(self, name, path, target=None):
        if name == self.name:
            return importlib.util.spec_from_loader(name, self)
        return None

    def exec_module(self, module):
        code = compile(self.mutant.source, str(ROOT / "jaxsent" / self.mutant.file), "exec")
        exec(code, module.__dict__)


def noticed(mutant: Mutant, files: tuple[str, ...], seconds: float = SECONDS) -> bool:
    """Whether a test of these files fails on it, or does not end."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.meta_path.insert(0, _Finder(mutant))
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-k", LONG]
        os._exit(int(pytest.main([*options, *files])))
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status != 0
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> int:
    """Prints survivors and the rate; the status is 1 where less than 85 % are noticed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=80, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="files, such as losses.py", choices=TESTS, nargs="+")
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=1"
    for name in IMPORTED:
        importlib.import_module(name)
    files = args.only or list(TESTS)
    made = [mutant for file in files for mutant in mutants(file)]
    everything = [mutant for mutant in made if not mutant.equivalent]
    rng = np.random.default_rng(args.seed)
    chosen = sorted(rng.permutation(len(everything))[: args.mutants])
    for mutant in made:
        if mutant.equivalent:
            print(f"left out: {mutant}  ({mutant.equivalent})")
    print(f"{len(chosen)} of {len(everything)} mutants", flush=True)
    for file in sorted({everything[i].file for i in chosen}):
        whole = Mutant(file, 0, "", "", "", (ROOT / "jaxsent" / file).read_text())
        if noticed(whole, TESTS[file], 4 * SECONDS):
            sys.exit(f"{file}: its tests fail on it as it is.")
    survivors = 0
    for number, i in enumerate(chosen, 1):
        mutant = everything[i]
        properties = METRICS if mutant.file.startswith("metrics/") else NETWORK
        if not (noticed(mutant, TESTS[mutant.file]) or noticed(mutant, (properties,))):
            survivors += 1
            print(mutant, flush=True)
        if number % 5 == 0:
            print(f"{number - survivors} of {number} noticed", flush=True)
    share = 1 - survivors / len(chosen)
    print(f"{100 * share:.0f} % of {len(chosen)} mutants noticed")
    return int(share < 0.85)


if __name__ == "__main__":
    sys.exit(main())
