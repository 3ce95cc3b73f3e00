"""Exports of strangers: all in one file, of the shapes they say, within memory, without loops."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save, save_file

from jaxsent.errors import UserError
from jaxsent.export import memory
from jaxsent.prediction import engines
from jaxsent.run.card import KEY

METADATA = {
    "model": {
        "name": "classifier", "backbone": "resnet18", "num_classes": 2, "dtype": "float32",
        "holistic": "pool",
    },
    "labels": {"classes": ["a", "b"], "emotions": []},
    "eval": {"resize": 32},
    "data": {"image_size": 32, "name": "photographs"},
    "input": {"interpolation": "bilinear", "mean": [1.0] * 3, "std": [1.0] * 3},
}  # fmt: skip
ROOT = Path(__file__).parents[2]
IMAGES = np.zeros((3, 32, 32, 3), np.uint8)
GIGABYTES = 30_000  # a square of so many float32 takes 3.6 of them


def refused(path, match, run=False):
    with pytest.raises(UserError, match=match) as error:
        engines.start(path).network(IMAGES) if run else engines.start(path)
    text = str(error.value)
    assert text.isprintable() and len(text) < 1000


def means(nodes=(), tensors=(), size=32, out="probabilities"):
    """An ONNX model whose probabilities are means of columns, with further nodes."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["b", size, size, 3])
    answer = helper.make_tensor_value_info("class_probabilities", TensorProto.FLOAT, ["b", 2])
    axes = numpy_helper.from_array(np.array([1], "i8"), "axes")
    ends = [numpy_helper.from_array(np.array(v, "i8"), k)
            for k, v in {"from": [0, 0], "to": [2, 1], "along": [1, 2]}.items()]  # fmt: skip
    last = numpy_helper.from_array(np.array([2], "i8"), "last")
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["columns"], keepdims=0),
        helper.make_node("Slice", ["columns", "from", "to", "along"], ["two"]),
        helper.make_node("Squeeze", ["two", "last"], ["probabilities"]),
        *nodes,
        helper.make_node("Identity", [out], ["class_probabilities"]),
    ]
    graph = helper.make_graph(nodes, "g", [image], [answer], [axes, last, *ends, *tensors])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    helper.set_model_props(model, {KEY: json.dumps(METADATA)})
    return model


def adding(operation, inputs, name="extra", **attributes):
    """`operation` as a node, and what adds its sum to the probabilities."""
    return [
        helper.make_node(operation, inputs, [name], **attributes),
        helper.make_node("ReduceSum", [name], ["sum"], keepdims=0),
        helper.make_node("Add", ["probabilities", "sum"], ["more"]),
    ]


def external(name):
    tensor = numpy_helper.from_array(np.zeros((2, 2), "f4"), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../elsewhere.bin"
    return tensor


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def test_a_whole_onnx_answers(path):
    onnx.save(means(), path)
    answers = engines.start(path).network(IMAGES + 7)
    np.testing.assert_array_equal(answers["class_probabilities"], np.full((3, 2), 7))


def test_an_onnx_is_answered_by_without_jax(path):
    """Whose import takes longer than all else."""
    onnx.save(means(), path)
    script = (
        "import sys, numpy as np\nfrom jaxsent.prediction import engines\n"
        f"engines.start({str(path)!r}).network(np.zeros((1, 32, 32, 3), np.uint8))\n"
        "sys.exit('jax' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_an_onnx_that_names_another_file(path):
    within = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=external("t"))], "then", [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [2, 2])],
    )  # fmt: skip
    true = numpy_helper.from_array(np.array(True), "true")
    both = {"then_branch": within, "else_branch": within}
    for model in (
        means(adding("Identity", ["w"]), [external("w")], out="more"),
        means(adding("Constant", [], value=external("t")), out="more"),
        means(adding("If", ["true"], **both), [true], out="more"),
    ):
        path.write_bytes(model.SerializeToString())
        refused(path, "refers to another file")


def test_an_onnx_that_loops(path):
    body = helper.make_graph([], "body", [], [])
    path.write_bytes(means(adding("Loop", ["", ""], body=body), out="more").SerializeToString())
    refused(path, "has loops")


def test_an_onnx_that_asks_for_gigabytes(path, monkeypatch):
    monkeypatch.setattr(memory, "limit", lambda: 100_000_000)
    memory.bounded_onnx.cache_clear()
    try:
        side = numpy_helper.from_array(np.array([GIGABYTES] * 2, "i8"), "side")
        path.write_bytes(means(adding("ConstantOfShape", ["side"]), [side], out="more")
                         .SerializeToString())  # fmt: skip
        refused(path, "does not run|damaged", run=True)
    finally:
        memory.bounded_onnx.cache_clear()


def test_an_onnx_with_text_that_is_none(path, capfd):
    """onnxruntime would print that it tries again."""
    path.write_bytes(means().SerializeToString().replace(b"probabilities", b"prob\xc2bilities"))
    refused(path, "damaged")
    assert capfd.readouterr().out == ""


def test_an_onnx_of_other_shapes_than_its_labels_say(path):
    onnx.save(means(size=64), path)
    refused(path, "for images of 32 pixels")
    model = means()
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.node[-1].CopyFrom(
        helper.make_node("Cast", ["probabilities"], ["class_probabilities"], to=TensorProto.DOUBLE)
    )
    onnx.save(model, path)
    refused(path, "something else than float32")
    rows = numpy_helper.from_array(np.zeros((1, 2), "f4"), "rows")
    onnx.save(means(tensors=[rows], out="rows"), path)
    refused(path, "answers 3 images with", run=True)


def exported(path, function, metadata=METADATA, size=32):
    """A .jaxexport of images -> probabilities, with a parameter of two zeros."""
    images = jax.ShapeDtypeStruct((*jax.export.symbolic_shape("b"), size, size, 3), np.uint8)
    weights = {"params/w": np.zeros(2, "f4")}

    def network(variables, images):
        answer = function(images)
        zeros = jnp.broadcast_to(variables["params"]["w"], answer.shape)
        return {"class_probabilities": answer + zeros}

    shapes = {"params": {"w": jax.ShapeDtypeStruct((2,), np.float32)}}
    program = jax.export.export(jax.jit(network), platforms=("cpu",))(shapes, images)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("card.json", json.dumps(metadata))
        file.writestr("model.stablehlo", bytes(program.serialize()))
        file.writestr("weights.safetensors", save(weights))
    return path


def columns(images):
    return images.astype(jnp.float32).mean(1)[:, :2, 0]


def test_a_program_of_strangers(tmp_path, monkeypatch):
    path = tmp_path / "model.jaxexport"
    answers = engines.start(exported(path, columns)).network(IMAGES + 7)
    np.testing.assert_array_equal(answers["class_probabilities"], np.full((3, 2), 7))

    def slowly(images):
        return jax.lax.while_loop(lambda x: x.sum() < 1, lambda x: x + 1, columns(images))

    refused(exported(path, slowly), r"has loops \(stablehlo.while\)")
    refused(exported(path, lambda images: columns(images)[:1]), "answers 3 images with", run=True)
    refused(exported(path, columns, size=64), "for images of 32 pixels")
    refused(exported(path, lambda images: columns(images)[None]), "answers")

    def largely(images):
        numbers = jnp.arange(2_000_000, dtype=jnp.float32) + columns(images).sum()
        return columns(images) + jnp.sort(jnp.sin(numbers))[7]

    exported(path, largely)
    engines.start(path).network(IMAGES)
    monkeypatch.setattr(memory, "limit", lambda: 1_000_000)
    refused(path, "asks for 0 GB for 3 photographs; expected at most half", run=True)


@pytest.mark.parametrize(
    "model",
    [
        7,
        [],
        {},
        {"name": 7},
        {"name": ["classifier"]},
        {"name": {}},
        {"backbone": "nowhere"},
        {"backbone": ["vgg16"]},
        {"dtype": []},
        {"dtype": "float64"},
        {"num_classes": "2"},
        {"num_classes": 10**12},
        {"num_classes": 2.5},
        {"num_classes": None},
        {"name": "wsidnet", "gcn_widths": [16] * 1000},
        {"name": "wsidnet", "gcn_widths": 7},
        {"name": "wsidnet", "gcn_widths": [[]]},
        {"name": "wscnet", "maps_per_class": 10**9},
        {"holistic": {}},
        {"regress": ["valence"], "regress_mean": "x"},
    ],
)
def test_weights_of_a_network_that_there_is_not(tmp_path, model):
    if isinstance(model, dict) and model:
        model = METADATA["model"] | model
    metadata = METADATA | {"model": model}
    path = tmp_path / "model.safetensors"
    save_file({"w": np.zeros(2, "f4")}, path, {KEY: json.dumps(metadata)})
    refused(path, "model.safetensors: ")


@pytest.mark.parametrize(
    "text", [b"[]", b"7", b"[" * 100_000, b"\xff", b"{}", b'{"labels": {"classes": {}}}']
)
def test_a_runs_config_that_makes_no_sense(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text)
    refused(tmp_path, "config.json")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("eval", "resize", float("inf")),
        ("data", "image_size", 10**400),
        ("input", "mean", [10**400] * 3),
        ("input", "mean", ["1", "1", "1"]),
        ("labels", "classes", [["a"]]),
        ("results", "accuracy", 10**400),
    ],
)
def test_numbers_that_are_none(tmp_path, section, key, value):
    metadata = METADATA | {section: METADATA.get(section, {}) | {key: value}}
    path = tmp_path / "model.safetensors"
    save_file({"w": np.zeros(2, "f4")}, path, {KEY: json.dumps(metadata)})
    refused(path, "damaged")
