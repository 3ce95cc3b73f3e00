"""Whether an .onnx is all in one file, and ends: judged before onnxruntime sees it.

A tensor of ONNX may lie in another file, anywhere on the machine, and a loop may go on for ever.
The file is walked by its wire format, since the package `onnx` is not there wherever onnxruntime
is. Field numbers are those of onnx.proto of ONNX 1.23.
"""

from jaxsent.data.protobuf import Damaged, fields

PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor",
                  23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}  # fmt: skip
"""Kind of message -> the fields of it that hold further messages, and their kinds."""
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of a tensor
OP_TYPE = 4  # field of a node
LOOPS = (b"Loop", b"Scan")


def check(data: bytes) -> None:
    """Raises Damaged where the file refers to another, repeats itself or is no protocol buffer."""
    messages = [("model", memoryview(data))]
    while messages:
        kind, message = messages.pop()
        parts = PARTS[kind]
        for number, value in fields(message):
            inner = isinstance(value, memoryview)
            if kind == "tensor" and (
                number == EXTERNAL_DATA or (number == DATA_LOCATION and value)
            ):
                raise Damaged("it refers to another file")
            if kind == "node" and number == OP_TYPE and value in LOOPS:
                raise Damaged("it has loops, which no export of jaxsent has")
            if inner and number in parts:
                messages.append((parts[number], value))
