"""Protocol buffers' wire format, without a schema: what Caffe's files and ONNX are written in.

It has nothing that could run code, and every length is checked against the file's.
Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


class Damaged(Exception):
    """What is wrong with the bytes."""


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """A message's fields: number, and the value as an integer or as bytes.

    Single floats come as their four bytes, as a list of one.

    Raises:
      Damaged: it is cut short, or of the groups that protocol buffers gave up.
    """
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        if key >= 2**32:  # of which other readers may take the lower bits
            raise Damaged("a field's number is too large")
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = varint(message, place)
            yield number, value
            continue
        if kind == BYTES:
            length, place = varint(message, place)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise Damaged(f"wire type {kind}")
        if length > len(message) - place:
            raise Damaged("cut short")
        yield number, message[place : place + length]
        place += length


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """The integer that begins at `place` -> it, and where it ends. Raises Damaged."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise Damaged("cut short")
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise Damaged("a number of more than ten bytes")
