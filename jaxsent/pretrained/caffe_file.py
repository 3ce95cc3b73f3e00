"""Caffe's weights without Caffe: .caffemodel and .binaryproto are protocol buffers, read as such.

Field numbers are those of Caffe's caffe.proto, in its three generations of layers.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.data.protobuf import Damaged, fields, varint
from jaxsent.errors import UserError


class Layer(NamedTuple):
    """Field numbers of a layer's message: its name and its blobs."""

    name: int
    blobs: int


LAYERS = {100: Layer(1, 7), 2: Layer(4, 6)}
"""Field of NetParameter -> the message in it: LayerParameter, V1LayerParameter."""
V0 = 1
"""Field of V1LayerParameter that holds a layer of the first generation."""
V0_LAYER = Layer(1, 50)
DATA, DIMENSIONS, DOUBLES = 5, 7, 8
"""Fields of BlobProto; 1 to 4 are the dimensions of old files."""


def read(path: Path) -> dict[str, np.ndarray]:
    """A .caffemodel -> {"conv1.weight": array, "conv1.bias": …}, float32 in Caffe's layouts.

    Convolutions are (out, in / groups, h, w); fully-connected layers (out, in), in the order
    channel, row, column.

    Raises:
      UserError: missing, damaged, or without a layer that has weights.
    """
    state = {}
    try:
        for number, value in fields(_bytes(path)):
            if number in LAYERS and isinstance(value, memoryview):
                name, blobs = _layer(value, LAYERS[number])
                for leaf, blob in zip(("weight", "bias"), blobs):
                    array = _blob(blob)
                    last = leaf == "bias" or array.shape[:2] == (1, 1)
                    state[f"{name}.{leaf}"] = _squeezed(array, leaf) if last else array
    except Damaged as error:
        raise UserError(f"{path}: damaged, or no .caffemodel ({error}).") from None
    if not state:
        raise UserError(f"{path}: expected a .caffemodel, found no layer with weights in it.")
    return state


def read_mean(path: Path) -> np.ndarray:
    """A .binaryproto -> (3, H, W) float32, BGR: the mean image. Raises UserError."""
    try:
        mean = _blob(_bytes(path))
    except Damaged as error:
        raise UserError(f"{path}: damaged, or no .binaryproto ({error}).") from None
    mean = mean.reshape(mean.shape[-3:])
    if mean.ndim != 3 or mean.shape[0] != 3:
        raise UserError(f"{path}: expected a mean image of 3 channels, found {mean.shape}.")
    return mean


def _bytes(path: Path) -> memoryview:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected Caffe's.")
    return memoryview(path.read_bytes())


def _layer(message: memoryview, layer: Layer) -> tuple[str, list[memoryview]]:
    name, blobs = "", []
    for number, value in fields(message):
        if not isinstance(value, memoryview):
            continue
        if number == layer.name:
            name = bytes(value).decode(errors="replace")
        elif number == layer.blobs:
            blobs.append(value)
        elif number == V0 and layer == LAYERS[2]:
            return _layer(value, V0_LAYER)
    return name, blobs


def _blob(message: memoryview) -> np.ndarray:
    old, shape, parts = {}, None, []
    for number, value in fields(message):
        if number in (1, 2, 3, 4) and isinstance(value, int):
            old[number] = value
        elif number == DIMENSIONS and isinstance(value, memoryview):
            shape = _dimensions(value)
        elif number in (DATA, DOUBLES) and isinstance(value, memoryview):
            kind = np.dtype("<f4" if number == DATA else "<f8")
            if len(value) % kind.itemsize:
                raise Damaged("a list of numbers ends within one")
            parts.append(np.frombuffer(value, kind))
    shape = [old.get(i, 1) for i in (1, 2, 3, 4)] if shape is None else shape
    data = np.concatenate(parts) if parts else np.zeros(0, "<f4")
    if math.prod(shape) != data.size or not data.size:
        raise Damaged(f"a blob of shape {shape} holds {data.size} numbers")
    return data.astype(np.float32).reshape(shape)


def _dimensions(message: memoryview) -> list[int]:
    dimensions = []
    for number, value in fields(message):
        if number == 1 and isinstance(value, int):
            dimensions.append(value)
        elif number == 1:
            place = 0
            while place < len(value):
                dimension, place = varint(value, place)
                dimensions.append(dimension)
    return dimensions


def _squeezed(array, leaf):
    """Old files have (1, 1, out, in) and (1, 1, 1, out)."""
    return array.reshape(-1) if leaf == "bias" else array.reshape(array.shape[-2:])
