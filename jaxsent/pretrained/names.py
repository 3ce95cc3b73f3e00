"""Names of other publishers' models in torchvision's place."""

import re
from collections.abc import Mapping

import numpy as np

TIMM_VGG = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3",
            "head.fc": "classifier.6"}  # fmt: skip
TIMM_LITE = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1",
             "classifier": "_fc"}  # fmt: skip
TIMM_BLOCK = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
              "conv_pwl": "_project_conv", "bn3": "_bn2"}  # fmt: skip
TIMM_FIRST_BLOCK = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv",
                    "bn2": "_bn2"}  # fmt: skip


class Renamed(Mapping):
    """A state dict under other names; arrays are read when asked for."""

    def __init__(self, state_dict: Mapping, names: dict[str, str]):
        self.state_dict, self.names = state_dict, names

    def __getitem__(self, name):
        return self.state_dict[self.names[name]]

    def __iter__(self):
        return iter(self.names)

    def __len__(self):
        return len(self.names)


def canonical(state_dict: Mapping) -> Mapping:
    """timm's VGG-16 and tf_efficientnet_lite names -> torchvision's and efficientnet-pytorch's.

    timm's ResNets and all of torchvision's own pass as they are.
    """
    if "pre_logits.fc1.weight" in state_dict:
        return Renamed(state_dict, {_replaced(k, TIMM_VGG): k for k in state_dict})
    if "conv_stem.weight" in state_dict and "blocks.0.0.conv_dw.weight" in state_dict:
        blocks = sorted({tuple(map(int, m.groups())) for k in state_dict if (m := _BLOCK.match(k))})
        order = {block: i for i, block in enumerate(blocks)}
        return Renamed(state_dict, {_lite(k, order): k for k in state_dict})
    return state_dict


_BLOCK = re.compile(r"blocks\.([0-9]{1,4})\.([0-9]{1,4})\.")


def _lite(key: str, order: dict) -> str:
    matched = _BLOCK.match(key)
    if not matched:
        return _replaced(key, TIMM_LITE)
    stage, block = map(int, matched.groups())
    table = TIMM_FIRST_BLOCK if stage == 0 else TIMM_BLOCK
    return f"_blocks.{order[stage, block]}.{_replaced(key[matched.end() :], table)}"


def _replaced(key: str, table: dict[str, str]) -> str:
    module, _, leaf = key.rpartition(".")
    return f"{table.get(module, module)}.{leaf}"


KERAS_VGG = {
    f"block{b}_conv{j}": f"features.{i}"
    for (b, j), i in zip(
        [(b, j) for b, n in enumerate((2, 2, 3, 3, 3), 1) for j in range(1, n + 1)],
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), strict=True,
    )
} | {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}  # fmt: skip


def from_keras(layer: str, kind: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """A layer's "kernel" or "bias" of Keras's VGG-16 -> torchvision's name and layout.

    Keras's network reads BGR; the first filters are turned round, so that ours reads RGB.

    Raises:
      KeyError: no layer of VGG-16.
    """
    name = f"{KERAS_VGG[layer]}.{'weight' if kind == 'kernel' else 'bias'}"
    if layer == "block1_conv1" and kind == "kernel":
        array = array[:, :, ::-1]
    if array.ndim == 4:
        return name, array.transpose(3, 2, 0, 1)
    if layer == "fc1" and kind == "kernel":
        array = array.reshape(7, 7, 512, -1).transpose(2, 0, 1, 3).reshape(7 * 7 * 512, -1)
    return name, array.T if array.ndim == 2 else array
