"""Weights, images and sketches from NumPy alone, for the tests and for scripts that run PyTorch.

`tensor` and `images` are after shared/reference/recipe.py: the same numbers anywhere.
"""

import math
import zlib

import numpy as np

BUCKETS, SAMPLES = 32, 8
FULL = BUCKETS + SAMPLES + 1
"""Arrays of at most so many elements are kept whole."""


def tensor(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """The array of torch's name and layout."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_mean":
        x = rng.normal(0, 0.1, shape)
    elif leaf == "running_var":
        x = rng.uniform(0.5, 1.5, shape)
    elif leaf == "bias":
        x = rng.normal(0, 0.05, shape)
    elif len(shape) == 1:  # scale of a batch norm
        x = rng.uniform(0.3, 0.7, shape)
    else:
        x = rng.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape)
    return x.astype(np.float32)


def images(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """(B, H, W, 3) float32, about unit variance, with spatial structure."""
    rng = np.random.default_rng([seed, zlib.crc32(b"images")])
    b, h, w, c = shape
    coarse = rng.normal(0, 1, (b, h // 16 + 1, w // 16 + 1, c))
    x = np.kron(coarse, np.ones((1, 16, 16, 1)))[:, :h, :w]
    return (0.8 * x + 0.6 * rng.normal(0, 1, shape)).astype(np.float32)


def batch(seed: int, count: int, size: int, classes: int) -> dict[str, np.ndarray]:
    """A training batch: image uint8 (B, S, S, 3), label, polarity, mask (B,), region (B, S, S).

    Few pixels are black or white, since flat areas tie under max pooling.
    """
    rng = np.random.default_rng([seed, zlib.crc32(b"batch")])
    x = np.clip(np.round(128 + 38 * images(seed, (count, size, size, 3))), 0, 255)
    label = rng.integers(0, classes, count).astype(np.int32)
    return {
        "image": x.astype(np.uint8),
        "label": label,
        "polarity": (label % 2).astype(np.int32),
        "mask": np.ones(count, bool),
        "region": np.kron(
            rng.integers(0, 256, (count, size // 8, size // 8)), np.ones((1, 8, 8))
        ).astype(np.uint8),
    }


def kept(width: int, rate: float) -> np.ndarray:
    """(width,) float32: a dropout mask without chance: 0 for about `rate` of the channels, else
    1 / (1 − rate)."""
    place = (np.arange(width) * 0.6180339887498949) % 1
    return np.where(place < rate, 0, 1 / (1 - rate)).astype(np.float32)


def sketch(name: str, array: np.ndarray) -> np.ndarray:
    """An array -> at most FULL numbers, float64, linear in it but for one: its norm.

    Small arrays are kept whole. Of others: BUCKETS sums, each of every BUCKETS-th element with
    random signs; SAMPLES elements; the norm. The squared distance of two arrays' sums is that of
    the arrays in expectation, whichever elements differ, so that none can be wrong unnoticed.
    """
    flat = np.asarray(array, np.float64).ravel()
    if flat.size <= FULL:
        return flat
    rng = np.random.default_rng([7, zlib.crc32(name.encode())])
    padded = np.zeros(-(-flat.size // BUCKETS) * BUCKETS)
    padded[: flat.size] = flat
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-padded.size // 8)), np.uint8))[: padded.size]
    signed = np.where(bits, padded, -padded).reshape(-1, BUCKETS).sum(0)
    samples = flat[np.linspace(0, flat.size - 1, SAMPLES).astype(int)]
    return np.concatenate([signed, samples, [np.linalg.norm(flat)]])
