"""What the server and its decoders say to each other: a JSON object, and bytes behind it."""

import json
import socket
import struct
import time

_LENGTHS = struct.Struct(">II")


def send(channel: socket.socket, fields: dict, data: bytes = b"") -> None:
    """Writes a frame. Raises OSError: the other side is gone, or too slow for the timeout."""
    text = json.dumps(fields).encode()
    channel.sendall(_LENGTHS.pack(len(text), len(data)) + text)
    channel.sendall(data)


def receive(
    channel: socket.socket, largest: int, seconds: float | None = None
) -> tuple[dict, bytearray]:
    """The next frame.

    Args:
      channel: from whom.
      largest: bytes of either part; more is refused unread.
      seconds: for all of it.

    Raises:
      OSError: the other side is gone, or too slow.
      ValueError: it is no frame.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    lengths = _LENGTHS.unpack(_exactly(channel, _LENGTHS.size, deadline))
    if max(lengths) > largest:
        raise ValueError(f"Expected at most {largest:,} bytes; found {max(lengths):,}.")
    text, data = (_exactly(channel, length, deadline) for length in lengths)
    return json.loads(text), data


def _exactly(channel: socket.socket, count: int, deadline: float | None) -> bytearray:
    data = bytearray(count)
    rest = memoryview(data)
    while rest:
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 1e-3))
        received = channel.recv_into(rest)
        if not received:
            raise ConnectionError("The other side is gone.")
        rest = rest[received:]
    return data
