"""CaffeNet against NumPy, and its file written by Google's own protocol buffers."""

import struct
import types

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from jaxsent.baselines import caffenet, sources, svm
from jaxsent.errors import UserError
from jaxsent.pretrained import caffe_file
from tfds_builders.prepare import prepare

FIELD = descriptor_pb2.FieldDescriptorProto
WIDTHS = {"conv1": (8, 3, 11, 11), "conv2": (12, 4, 5, 5), "conv3": (16, 12, 3, 3),
          "conv4": (12, 8, 3, 3), "conv5": (8, 6, 3, 3), "fc6": (20, 8), "fc7": (14, 20),
          "fc8": (9, 14)}  # fmt: skip
"""A narrow CaffeNet for images of 67 x 67, which end in one place."""


def weights(shapes, seed=0):
    rng, state = np.random.default_rng(seed), {}
    for name, shape in shapes.items():
        scale = np.sqrt(2 / np.prod(shape[1:]))
        state[f"{name}.weight"] = rng.normal(scale=scale, size=shape).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(scale=0.1, size=shape[0]).astype(np.float32)
    return state


def convolve(x, kernel, bias, stride, padding, groups):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    out, inner, side, _ = kernel.shape
    size = (x.shape[1] - side) // stride + 1
    y = np.zeros((out, size, size))
    for o in range(out):
        first = o // (out // groups) * inner
        for i in range(size):
            for j in range(size):
                part = x[first : first + inner, i * stride : i * stride + side,
                         j * stride : j * stride + side]  # fmt: skip
                y[o, i, j] = (part * kernel[o]).sum() + bias[o]
    return np.maximum(y, 0)


def pool(x):
    size = -(-(x.shape[1] - 3) // 2) + 1  # Caffe rounds up
    y = np.zeros((len(x), size, size))
    for i in range(size):
        for j in range(size):
            y[:, i, j] = x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2))
    return y


def normalise(x):
    y = np.zeros_like(x)
    for c in range(len(x)):
        squares = (x[max(0, c - 2) : c + 3] ** 2).sum(0)
        y[c] = x[c] / (1 + 1e-4 / 5 * squares) ** 0.75
    return y


def by_numpy(state, image):
    x = image.astype(np.float64)
    layer = {name: (state[f"{name}.weight"], state[f"{name}.bias"]) for name in WIDTHS}
    x = normalise(pool(convolve(x, *layer["conv1"], 4, 0, 1)))
    x = normalise(pool(convolve(x, *layer["conv2"], 1, 2, 2)))
    x = convolve(x, *layer["conv3"], 1, 1, 1)
    x = convolve(x, *layer["conv4"], 1, 1, 2)
    x = pool(convolve(x, *layer["conv5"], 1, 1, 2)).ravel()
    for name in ("fc6", "fc7"):
        x = np.maximum(layer[name][0] @ x + layer[name][1], 0)
    return layer["fc8"][0] @ x + layer["fc8"][1]


def test_the_forward_pass_against_numpy():
    state = weights(WIDTHS)
    images = np.random.default_rng(1).normal(scale=60, size=(2, 3, 67, 67)).astype(np.float32)
    out = caffenet.logits(state, images)
    expected = [by_numpy(state, image) for image in images]
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-3)
    assert np.abs(expected).max() > 10  # where the normalisation is no identity


def test_pooling_reaches_over_the_border():
    x = np.random.default_rng(0).normal(size=(1, 2, 6, 8)).astype(np.float32)
    pooled = caffenet.max_pool(x)
    assert pooled.shape == (1, 2, 3, 4)
    assert pooled[0, 0, 2, 3] == x[0, 0, 4:, 6:].max()


@pytest.fixture(scope="module")
def caffe():
    """Messages of caffe.proto, as far as weights go, made by Google's library."""
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    one, many = FIELD.LABEL_OPTIONAL, FIELD.LABEL_REPEATED
    messages = {
        "BlobShape": [("dim", 1, many, FIELD.TYPE_INT64, "", True)],
        "BlobProto": [
            *((name, i, one, FIELD.TYPE_INT32, "", False)
              for i, name in enumerate(("num", "channels", "height", "width"), 1)),
            ("data", 5, many, FIELD.TYPE_FLOAT, "", True),
            ("shape", 7, one, FIELD.TYPE_MESSAGE, "BlobShape", False),
            ("double_data", 8, many, FIELD.TYPE_DOUBLE, "", True),
        ],
        "Layer": [
            ("name", 1, one, FIELD.TYPE_STRING, "", False),
            ("blobs", 7, many, FIELD.TYPE_MESSAGE, "BlobProto", False),
            ("phase", 10, one, FIELD.TYPE_INT32, "", False),
        ],
        "V0Layer": [
            ("name", 1, one, FIELD.TYPE_STRING, "", False),
            ("blobs", 50, many, FIELD.TYPE_MESSAGE, "BlobProto", False),
        ],
        "V1Layer": [
            ("layer", 1, one, FIELD.TYPE_MESSAGE, "V0Layer", False),
            ("name", 4, one, FIELD.TYPE_STRING, "", False),
            ("blobs", 6, many, FIELD.TYPE_MESSAGE, "BlobProto", False),
        ],
        "Net": [
            ("name", 1, one, FIELD.TYPE_STRING, "", False),
            ("layers", 2, many, FIELD.TYPE_MESSAGE, "V1Layer", False),
            ("layer", 100, many, FIELD.TYPE_MESSAGE, "Layer", False),
        ],
    }  # fmt: skip
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for title, number, label, kind, of, packed in fields:
            field = message.field.add(name=title, number=number, label=label, type=kind)
            if of:
                field.type_name = f".caffe.{of}"
            if packed:
                field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))
        for name in messages
    }
    return types.SimpleNamespace(**classes)


def fill(blob, array, old):
    if old:
        shape = (1,) * (4 - array.ndim) + array.shape
        blob.num, blob.channels, blob.height, blob.width = shape
    else:
        blob.shape.dim.extend(array.shape)
    blob.data.extend(array.ravel().tolist())


def written(caffe, state, generation):
    net = caffe.Net(name="narrow")
    for name in dict.fromkeys(key.partition(".")[0] for key in state):
        layer = net.layer.add() if generation == 2 else net.layers.add()
        layer = layer.layer if generation == 0 else layer
        layer.name = name
        for leaf in ("weight", "bias"):
            fill(layer.blobs.add(), state[f"{name}.{leaf}"], old=generation < 2)
    return net.SerializeToString()


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_every_generation_of_files_is_read(caffe, tmp_path, generation):
    state, path = weights(WIDTHS), tmp_path / "net.caffemodel"
    path.write_bytes(written(caffe, state, generation))
    own = caffe_file.read(path)
    assert own.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(own[name], array, err_msg=name)


def test_unpacked_numbers_and_doubles(caffe, tmp_path):
    values = np.float32([1, -2.5, 3])
    unpacked = b"".join(b"\x2d" + struct.pack("<f", v) for v in values)  # field 5, 32 bits
    doubles = caffe.BlobProto(double_data=values.tolist()).SerializeToString()
    shape = caffe.BlobProto(num=1, channels=3, height=1, width=1).SerializeToString()
    for data in (unpacked, doubles):
        (tmp_path / "mean.binaryproto").write_bytes(shape + data)
        mean = caffe_file.read_mean(tmp_path / "mean.binaryproto")
        np.testing.assert_array_equal(mean.ravel(), values)
        assert mean.shape == (3, 1, 1)


@pytest.mark.parametrize("cut", [1, 40, 2000, -1, -900])
def test_a_file_that_is_cut_short(caffe, tmp_path, cut):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(written(caffe, weights(WIDTHS), 2)[:cut])
    with pytest.raises(UserError, match="net.caffemodel: damaged|no layer with weights"):
        caffe_file.read(path)


def test_files_of_other_kinds(caffe, tmp_path):
    path = tmp_path / "x.caffemodel"
    for data in (b"", b"\xff" * 20, b"PK\x03\x04 a zip", caffe.Net(name="x").SerializeToString()):
        path.write_bytes(data)
        with pytest.raises(UserError, match="x.caffemodel"):
            caffe_file.read(path)
    lies = caffe.Net()
    blob = lies.layer.add(name="conv1").blobs.add()
    blob.shape.dim.extend([2**40, 2**40])
    blob.data.extend([1.0])
    path.write_bytes(lies.SerializeToString())
    with pytest.raises(UserError, match="holds 1 numbers"):
        caffe_file.read(path)
    with pytest.raises(UserError, match="there is no such file"):
        caffe_file.read(tmp_path / "y.caffemodel")


@pytest.fixture
def narrow(caffe, tmp_path, monkeypatch):
    """A narrow DeepSentiBank for images of 67 of 80 pixels, as a file."""
    monkeypatch.setattr(caffenet, "SIZE", 80)
    monkeypatch.setattr(caffenet, "CROP", 67)
    last = {"fc8": (2089, 14)}
    shapes = {name: shape for name, shape in WIDTHS.items() if name != "fc8"}
    monkeypatch.setattr(caffenet, "SHAPES", shapes)
    monkeypatch.setattr(caffenet, "INNER", 14)
    state = weights(WIDTHS | last)
    renamed = {key.replace("fc8", "fc8-sentibank"): value for key, value in state.items()}
    path = tmp_path / "sentibank_iter_250000"  # theirs has no suffix
    path.write_bytes(written(caffe, renamed, 1))
    return path, state


def test_an_image_is_seen_as_caffe_does(caffe, narrow):
    path, state = narrow
    image = np.random.default_rng(0).integers(0, 256, (1, 80, 80, 3), np.uint8)
    colour = np.array(caffenet.MEAN)[:, None, None]
    crop = image[0, 6:73, 6:73, ::-1].transpose(2, 0, 1).astype(np.float64)
    extractor = caffenet.open_weights(path, 2089)
    expected = by_numpy(state, crop - colour)
    np.testing.assert_allclose(extractor.step(image)[0], expected, rtol=1e-3, atol=1e-2)

    mean = np.random.default_rng(1).uniform(80, 120, (1, 3, 80, 80)).astype(np.float32)
    blob = caffe.BlobProto()
    fill(blob, mean, old=True)
    (path.parent / caffenet.MEAN_FILE).write_bytes(blob.SerializeToString())
    expected = by_numpy(state, crop - mean[0, :, 6:73, 6:73])
    extractor = caffenet.open_weights(path, 2089)
    np.testing.assert_allclose(extractor.step(image)[0], expected, rtol=1e-3, atol=1e-2)


def test_deepsentibank_from_its_network_is_a_row(narrow, prepared):
    path, state = narrow
    np.savez(path.parent / "net.npz", **state)
    builder = prepare("emoji_scenes", "tiny", prepared)
    features = []
    for file in (path, path.parent / "net.npz"):
        source = sources.open_source(f"deepsentibank={file}", builder, "emoji_scenes/tiny")
        features.append(source.features("train"))
    assert features[0].shape == (64, 2089)
    np.testing.assert_array_equal(*features)
    y = svm.targets(builder, "train", "label")
    assert (svm.fit(features[0], y).predict(features[0]) == y).mean() > 0.5  # of eight


def test_another_network_is_refused(narrow):
    path, _ = narrow
    with pytest.raises(UserError, match=r"with 1200 outputs, whose fc8.weight is \(1200, 14\)"):
        caffenet.open_weights(path, 1200)
