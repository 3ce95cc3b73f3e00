"""Damaged photographs and models by the thousand, and what their readers make of them.

    python benchmarks/mutants.py                     # 10,000 photographs, 500 of each kind of model
    python benchmarks/mutants.py --photographs 400 --models 20 --seed 1

A mutant is an original (originals.py) with bytes changed, cut out, put in or cut off; every other
one of a kind with checksums is changed inside and sealed anew, since nearly all would be refused
for them. A process with limits reads it by what `predict`, `data prepare` and `serve` read with:
jaxsent.data.photograph, jaxsent.pretrained and jaxsent.prediction.engines, which answers for one
image. It is read, or refused by a UserError of one line; all else is a crash, of which the last
lines and the number are printed: `mutant(kind, original, number, seed)` makes it again.

Seconds are CPU time, which leaves out what a busy machine gave to others.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

SECONDS = 5.0  # of one mutant
WALL = 120  # seconds after which a reader is ended
MEMORY = 2**30  # bytes that one may take
CAP = 8 * 2**30  # bytes that a reader may have beyond those it begins with
ODD = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
ODD_VALUES = (None, True, -1, 0, 10**9, 1e308, float("nan"), "", "x" * 9999, "../x", "a\nb", [], {},
              [[[]]], [1] * 999)  # fmt: skip


class Outcome(NamedTuple):
    """Of a mutant: "read", "refused", or how it crashed, with CPU seconds and bytes of memory."""

    verdict: str
    seconds: float = 0.0
    memory: int = 0


def mutant(kind: str, original: bytes, number: int, seed: int) -> bytes:
    """The `number`-th of a kind: a function of its arguments alone."""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), number])
    within = INSIDE.get(kind.partition(" ")[0])
    if within and number % 2:
        return within(original, rng)
    return _changed(original, rng)


def _changed(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes, half of them in the first 512 bytes, where headers are."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        end = max(len(data), 1)
        at = int(rng.integers(min(512, end) if rng.random() < 0.5 else end))
        length = int(rng.integers(1, 17))
        match rng.integers(7):
            case 0:
                data[at : at + 1] = bytes(
                    b ^ (1 << int(rng.integers(8))) for b in data[at : at + 1]
                )
            case 1:
                data[at : at + length] = rng.bytes(len(data[at : at + length]))
            case 2:  # a field of two, four or eight bytes
                width, order = int(rng.choice([2, 4, 8])), rng.choice(["little", "big"])
                value = int(rng.choice(ODD)) % 256**width
                data[at : at + width] = value.to_bytes(width, order)[: len(data) - at]
            case 3:
                del data[at : at + int(rng.choice([1, length, 100]))]
            case 4:
                data[at:at] = rng.bytes(length)
            case 5:
                data[at:at] = data[at : at + int(rng.choice([length, 300]))]
            case 6 if rng.random() < 0.3:
                del data[at:]
    return bytes(data)


def _in_chunks(data: bytes, rng: np.random.Generator) -> bytes:
    """A PNG changed in its chunks, whose checksums are right."""
    at, parts = 8, [data[:8]]
    chunks = []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    which = int(rng.integers(len(chunks)))
    for number, (name, content) in enumerate(chunks):
        if number == which:
            content = _changed(content, rng)
        parts += [struct.pack(">I", len(content)), name, content]
        parts.append(struct.pack(">I", zlib.crc32(name + content)))
    return b"".join(parts)


def _in_members(data: bytes, rng: np.random.Generator) -> bytes:
    """A zip with a member changed, whose checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    which = str(rng.choice(sorted(members)))
    members[which] = _changed(members[which], rng)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return whole.getvalue()


def _under_seal(data: bytes, rng: np.random.Generator) -> bytes:
    """An export changed, and sealed anew where its seal is still found."""
    from jaxsent.run import digests

    at = data.index(digests.SEAL.encode())
    seal = next(data[i : i + 64] for i in range(at, at + 200) if data[i : i + 64].isalnum())
    changed = _changed(data, rng).replace(seal, digests.UNSEALED.encode(), 1)
    return digests.sealed(changed)


def _in_values(data: bytes, rng: np.random.Generator) -> bytes:
    """JSON with a value replaced."""
    tree = json.loads(data)
    parent, key = tree, None
    while True:
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(parent[key], dict | list) or not parent[key] or rng.random() < 0.2:
            break
        parent = parent[key]
    parent[key] = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    return json.dumps(tree).encode()


INSIDE = {
    "png": _in_chunks,
    "pth": _in_members,
    "jaxexport": _in_members,
    "safetensors": _under_seal,
    "onnx": _under_seal,
    "config.json": _in_values,
}
"""Kinds with checksums, or a syntax, that hide what is behind them."""


def read(kind: str, data: bytes, folder: Path) -> None:
    """Reads a mutant as a person's file. Raises UserError, or whatever it should not."""
    if kind not in MODELS:
        from jaxsent.data import photograph

        photograph.read_near(data, 224)
        photograph.decoded(data, "mutant")
    else:
        _read_model(kind, data, folder)


def _read_model(kind: str, data: bytes, folder: Path) -> None:
    from benchmarks import originals
    from jaxsent import pretrained
    from jaxsent.prediction import engines
    from jaxsent.run.card import card_of
    from jaxsent.run.folder import built, read_config

    originals.register()
    path = folder / ("config.json" if kind == "config.json" else f"mutant.{kind}")
    path.write_bytes(data)
    if kind == "config.json":
        config = read_config(folder)
        built(config, card_of(config, path), path)
        pretrained.preprocessing(folder / "model.safetensors", "vgg16")
    elif kind == "h5":
        dict(pretrained.state_dict(path))
    elif kind.endswith("pth"):
        stated = originals.metadata()
        model, shapes = built(stated, card_of(stated, path), path)
        pretrained.load(path, model, shapes)
    else:
        engine = engines.start(path)
        engine.network(np.zeros((1, 64, 64, 3), np.uint8))


MODELS = ("pth", "legacy.pth", "safetensors", "h5", "onnx", "jaxexport", "config.json")


def _reader(connection) -> None:
    """A process that reads what it is sent, until it is sent nothing."""
    from jaxsent.errors import UserError

    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)  # decoders write there
    warnings.simplefilter("ignore")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + CAP,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        while item := connection.recv():
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before, began = _resident("VmRSS"), time.process_time()
            try:
                read(*item, Path(folder))
                verdict = "read"
            except UserError as error:
                verdict = "refused" if str(error).isprintable() else f"lines: {str(error)!r}"
            except BaseException:
                verdict = " | ".join(traceback.format_exc().splitlines()[-3:])
            seconds, memory = time.process_time() - began, _resident("VmHWM") - before
            if verdict in ("read", "refused") and memory > MEMORY:
                verdict = f"took {memory / 1e9:.1f} GB"
            if verdict in ("read", "refused") and seconds > SECONDS:
                verdict = f"took {seconds:.1f} s"
            connection.send(Outcome(verdict, seconds, memory))


def _resident(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


class Reader:
    """A process of its own that reads mutants; another one after a crash. A context manager."""

    def __enter__(self):
        self._start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_reader, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def read(self, kind: str, data: bytes) -> Outcome:
        with contextlib.suppress(EOFError, ConnectionError):
            self.connection.send((kind, data))
            if self.connection.poll(WALL):
                return self.connection.recv()
        if self.process.is_alive() and not self.connection.poll():
            outcome = Outcome(f"no end after {WALL} s", WALL)
        else:
            self.process.join()
            outcome = Outcome(f"ended by signal {-(self.process.exitcode or 0)}")
        self.__exit__()
        self._start()
        return outcome


def outcomes(
    reader: Reader, kind: str, original: bytes, count: int, seed: int
) -> Iterator[Outcome]:
    """Of the first `count` mutants of a kind. The original itself has to be read."""
    whole = reader.read(kind, original)
    if whole.verdict != "read":
        raise RuntimeError(f"the {kind} that nothing happened to: {whole.verdict}")
    for number in range(count):
        yield reader.read(kind, mutant(kind, original, number, seed))


def main() -> int:
    """Prints the table; the status is 1 where one crashed."""
    from benchmarks import originals

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photographs", type=int, default=10_000, metavar="N", help="of all kinds")
    parser.add_argument("--models", type=int, default=500, metavar="N", help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one kind, such as png")
    args = parser.parse_args()
    pictures = originals.photographs()
    counts = {kind: (data, args.photographs // len(pictures)) for kind, data in pictures.items()}
    counts |= {kind: (data, args.models) for kind, data in originals.models().items()}
    print("| format | mutants | read | refused | crashed | longest, s | most memory, MB |")
    print("|---|---|---|---|---|---|---|")
    crashes = 0
    with Reader() as reader:
        for kind, (data, count) in counts.items():
            if count and args.only in (None, kind):
                results = list(outcomes(reader, kind, data, count, args.seed))
                crashes += _tell(kind, results)
    return int(crashes > 0)


def _tell(kind: str, results: list[Outcome]) -> int:
    """A line of the table, and one for each crash on stderr -> their number."""
    counts = Counter(result.verdict for result in results)
    crashed = len(results) - counts["read"] - counts["refused"]
    longest = max(result.seconds for result in results)
    memory = max(result.memory for result in results) / 1e6
    numbers = (f"{n:,}" for n in (len(results), counts["read"], counts["refused"], crashed))
    print(f"| {kind} | {' | '.join(numbers)} | {longest:.2f} | {memory:.0f} |", flush=True)
    for number, result in enumerate(results):
        if result.verdict not in ("read", "refused"):
            print(f"{kind} {number}: {result.verdict}", file=sys.stderr)
    return crashed


if __name__ == "__main__":
    sys.exit(main())
