"""CaffeNet, the network of DeepSentiBank, from its authors' .caffemodel.

Chen et al., "DeepSentiBank: visual sentiment concept classification with deep convolutional neural
networks", arXiv:1410.8586: Caffe's reference network (Jia et al. 2014, after Krizhevsky et al.
2012) with 2,089 outputs, adjective noun pairs. Unlike AlexNet, it pools before it normalises;
unlike torchvision's, some convolutions have two groups. WSIDNet (4.2) extracts "2089-dimension deep
features from the last fully-connected layer".
"""

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxsent.baselines.network_features import Extractor
from jaxsent.errors import UserError
from jaxsent.pretrained import caffe_file

# name, stride, padding, groups, pooled and normalised behind it
CONVOLUTIONS = (
    ("conv1", 4, 0, 1, True, True),
    ("conv2", 1, 2, 2, True, True),
    ("conv3", 1, 1, 1, False, False),
    ("conv4", 1, 1, 2, False, False),
    ("conv5", 1, 1, 2, True, False),
)
SHAPES = {
    "conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3),
    "conv4": (384, 192, 3, 3), "conv5": (256, 192, 3, 3), "fc6": (4096, 9216),
    "fc7": (4096, 4096),
}  # fmt: skip
INNER = 4096  # what the last layer reads
LAST = "fc8"
"""How the name of the last layer begins; fine-tuned networks of Caffe have a longer one."""
SIZE, CROP = 256, 227  # pixels: an image is squashed to 256 x 256, its centre of 227 x 227 is seen
MEAN = (104.00699, 116.66877, 122.67892)  # BGR, of ILSVRC 2012's images
MEAN_FILE = "imagenet_mean.binaryproto"
WINDOW, ALPHA, BETA = 5, 1e-4, 0.75  # of the local response normalisation


def logits(state: Mapping[str, jax.Array], images: jax.Array) -> jax.Array:
    """(B, 3, H, W) float32, BGR less the mean -> (B, K), what the last fully-connected layer gives.

    `state` has weights and biases as caffe_file.read names them; widths are theirs.
    """
    x = images
    for name, stride, padding, groups, pooled, normalised in CONVOLUTIONS:
        x = jax.lax.conv_general_dilated(
            x, state[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2,
            dimension_numbers=("NCHW", "OIHW", "NCHW"), feature_group_count=groups,
        )  # fmt: skip
        x = jax.nn.relu(x + state[f"{name}.bias"][None, :, None, None])
        x = max_pool(x) if pooled else x
        x = response_norm(x) if normalised else x
    x = x.reshape(x.shape[0], -1)
    for name in ("fc6", "fc7"):
        x = jax.nn.relu(x @ state[f"{name}.weight"].T + state[f"{name}.bias"][None])
    return x @ state[f"{LAST}.weight"].T + state[f"{LAST}.bias"][None]


def max_pool(x: jax.Array) -> jax.Array:
    """(B, n, h, w) -> 3 x 3 at stride 2; as Caffe's, the last window may reach over the border."""
    over = [(0, 0), (0, 0)] + [(0, -(n - 3) % 2) for n in x.shape[2:]]
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), over)


def response_norm(x: jax.Array) -> jax.Array:
    """(B, n, h, w) -> x / (1 + alpha / 5 * sum of x^2 over five channels around)^beta."""
    half = WINDOW // 2
    around = [(0, 0), (half, half), (0, 0), (0, 0)]
    window = (1, WINDOW, 1, 1)
    squares = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, window, (1, 1, 1, 1), around)
    return x / (1 + ALPHA / WINDOW * squares) ** BETA


def open_weights(path: Path, width: int) -> Extractor:
    """A .caffemodel, or an .npz of its arrays -> the extractor of `width` outputs.

    The mean image is imagenet_mean.binaryproto beside the file, or else ImageNet's mean colour.

    Raises:
      UserError: no such file, damaged, or another network's.
    """
    state = jax.device_put(_checked(path, _read(path), width))
    margin = (SIZE - CROP) // 2
    mean_file = path.parent / MEAN_FILE
    if mean_file.is_file():
        image = caffe_file.read_mean(mean_file)
        if image.shape[1:] != (SIZE, SIZE):
            raise UserError(f"{mean_file}: expected {SIZE} x {SIZE} pixels, found {image.shape}.")
        mean = image[:, margin : margin + CROP, margin : margin + CROP][None]
    else:
        mean = np.float32(MEAN)[None, :, None, None]

    @jax.jit
    def step(state, mean, image):
        seen = image[:, margin : margin + CROP, margin : margin + CROP, ::-1]
        return logits(state, seen.transpose(0, 3, 1, 2).astype(jnp.float32) - mean)

    return Extractor(lambda image: step(state, mean, image), SIZE, 0, "bilinear")


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix != ".npz":
        return caffe_file.read(path)
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _checked(path: Path, state: dict, width: int) -> dict[str, np.ndarray]:
    """The layers of the network by their names here. Raises UserError where one does not fit."""
    last = [n for n in state if n.startswith(LAST) and n.endswith(".weight")]
    names = {name: name for name in SHAPES} | {LAST: last[-1][: -len(".weight")] if last else LAST}
    chosen = {}
    for name, shape in (SHAPES | {LAST: (width, INNER)}).items():
        for leaf, expected in (("weight", shape), ("bias", shape[:1])):
            array = state.get(f"{names[name]}.{leaf}")
            if array is None or array.shape != expected:
                raise UserError(
                    f"{path}: expected CaffeNet with {width} outputs, whose {name}.{leaf} is "
                    f"{expected}; found {'none' if array is None else array.shape}."
                )
            chosen[f"{name}.{leaf}"] = np.asarray(array, np.float32)
    return chosen
