"""What jax2onnx writes, in the forms that onnxruntime has (fast) kernels for."""

import numpy as np
import onnx
from onnx import helper


def simplify(graph) -> None:
    """Changes an onnx.GraphProto in place."""
    pool_in_two_dimensions(graph)
    name_activations(graph)
    drop_unused(graph)


def pool_in_two_dimensions(graph) -> None:
    """Max pooling over all of (B, H, W, C), which onnxruntime refuses -> over (H, W) of NCHW."""
    made_by = {node.output[0]: node for node in graph.node}
    squeezed = {node.input[0]: node for node in graph.node if node.op_type == "Squeeze"}
    nodes = []
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type != "MaxPool" or len(attributes["kernel_shape"]) != 4:
            nodes.append(node)
            continue
        source = node.input[0]
        while made_by[source].op_type == "Unsqueeze":
            source = made_by[source].input[0]
        before, after = (f"{node.output[0]}_{end}" for end in ("before", "after"))
        pads = attributes.get("pads", [0] * 8)
        nodes += [
            helper.make_node("Transpose", [source], [before], perm=(0, 3, 1, 2)),
            helper.make_node(
                "MaxPool", [before], [after], kernel_shape=attributes["kernel_shape"][1:3],
                strides=attributes["strides"][1:3], pads=[*pads[1:3], *pads[5:7]],
            ),
            helper.make_node("Transpose", [after], [node.output[0]], perm=(0, 2, 3, 1)),
        ]  # fmt: skip
        squeeze = squeezed[node.output[0]]
        squeeze.op_type = "Identity"
        del squeeze.input[1:]
    graph.ClearField("node")
    graph.node.extend(nodes)


def name_activations(graph) -> None:
    """max(x, 0) -> Relu(x), and min(Relu(x), 6) -> Clip(x, 0, 6).

    As such onnxruntime fuses them with the convolution before: EfficientNet-Lite0 takes a third of
    the time.
    """
    scalars = {
        tensor.name: float(onnx.numpy_helper.to_array(tensor).reshape(()))
        for tensor in graph.initializer
        if np.prod(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.FLOAT
    }
    relus = {}
    for node in graph.node:
        values = [name for name in node.input if name not in scalars]
        bounds = [name for name in node.input if name in scalars]
        if len(values) != 1 or len(bounds) != 1:
            continue
        if node.op_type == "Max" and scalars[bounds[0]] == 0.0:
            node.op_type, node.input[:] = "Relu", values
            relus[node.output[0]] = values[0], bounds[0]
        elif node.op_type == "Min" and values[0] in relus:
            below, zero = relus[values[0]]
            node.op_type, node.input[:] = "Clip", [below, zero, bounds[0]]


def drop_unused(graph) -> None:
    """Nodes whose result nobody reads: they would keep a convolution from being fused."""
    used = {out.name for out in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            used.update(node.input)
            nodes.append(node)
    graph.ClearField("node")
    graph.node.extend(reversed(nodes))
