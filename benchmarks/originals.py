"""Small whole photographs and models of every kind that is read, for benchmarks/mutants.py."""

import io
import json
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from configs import base
from jaxsent import models as networks
from jaxsent import pretrained
from jaxsent.data.photograph import formats
from jaxsent.export import onnx_file, stablehlo_file, weights_file
from jaxsent.models import resnet
from jaxsent.pretrained.names import KERAS_VGG
from jaxsent.run.folder import network
from tests.prediction.networks import described, random_variables
from tests.pretrained.torch_files import tensor, write_legacy
from tests.tiny import Tiny


def photographs() -> dict[str, bytes]:
    """{kind: a photograph of 160 × 120 pixels}."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    picture = coarse.resize((160, 120), Image.Resampling.BICUBIC)
    grey16 = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    formats()  # registers HEIF
    pictures = {
        "jpeg": (picture, "JPEG", {"exif": exif}),
        "progressive jpeg": (picture, "JPEG", {"progressive": True}),
        "png": (picture.convert("RGBA"), "PNG", {"exif": exif}),
        "png of 16 bits": (grey16, "PNG", {}),
        "webp": (picture, "WEBP", {"exif": exif}),
        "gif": (picture.quantize(), "GIF", {}),
        "tiff": (picture, "TIFF", {"compression": "tiff_lzw"}),
        "bmp": (picture, "BMP", {}),
        "avif": (picture, "AVIF", {}),
        "heic": (picture, "HEIF", {}),
    }
    return {kind: _saved(*parts) for kind, parts in pictures.items()}


def _saved(picture: Image.Image, form: str, options: dict) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def register() -> None:
    """Lets networks have the backbone `tiny` of the tests."""
    networks.BACKBONES["tiny"], resnet.tiny = "resnet:tiny", Tiny


def metadata() -> dict:
    """What WSIDNet on `tiny`, for 64 × 64 pixels, says of itself."""
    config = base.get_config()
    return described(config, "wsidnet", "tiny", num_classes=8, gcn_widths=(16, 16))


def models() -> dict[str, bytes]:
    """{suffix: a model of it}, "legacy.pth" torch's older layout."""
    register()
    stated = metadata()
    variables = random_variables(stated)
    writers = {
        "pth": weights_file.write_torch,
        "legacy.pth": _write_legacy,
        "safetensors": weights_file.write_safetensors,
        "h5": _write_keras,
        "onnx": onnx_file.write,
        "jaxexport": stablehlo_file.write,
        "config.json": lambda path, _, stated: path.write_text(json.dumps(stated)),
    }
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, write in writers.items():
            path = Path(folder) / f"model.{kind}"
            write(path, variables, stated)
            made[kind] = path.read_bytes()
    return made


def _write_legacy(path: Path, variables: dict, stated: dict) -> None:
    from ml_collections import ConfigDict

    state = pretrained.to_torch(network(ConfigDict(stated["model"])), variables)
    arrays = {str(i): array for i, array in enumerate(state.values())}
    tree = {name: tensor(array, key) for (key, array), name in zip(arrays.items(), state)}
    write_legacy(path, tree, arrays)


def _write_keras(path: Path, *_) -> None:
    """VGG-16 of eight channels, as keras.applications saves it."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for layer in KERAS_VGG:
            if layer.startswith("block"):
                channels = 3 if layer == "block1_conv1" else 8
                group = file.create_group(f"{layer}/{layer}")
                group["kernel:0"] = rng.normal(size=(3, 3, channels, 8)).astype("f4")
                group["bias:0"] = rng.normal(size=8).astype("f4")
