"""The networks in PyTorch, for training, independent of ours: `make_training_reference.py`.

Written from both papers' equations, docs/method.md and the backbones' own papers. Modules are named
as torchvision names them below `backbone`; `reference_names` gives the names of the reference.
"""

import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from make_efficientnet_oracle import EfficientNetLite0

from tests import tensors

# --- backbones: taps in order, and what a fully-connected layer reads ---


class FixedDropout(nn.Module):
    """Dropout of the features that `tests.tensors.kept` names, in training: no chance in it.

    With `side`, features are flattened maps of side × side, and named with the channel last.
    """

    def __init__(self, width, rate, side=1):
        super().__init__()
        mask = torch.from_numpy(tensors.kept(width, rate)).reshape(side**2, -1).T.reshape(-1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x):
        return x * self.mask.to(x.dtype) if self.training else x


class VGG16(nn.Module):
    full = True
    width = 512

    def __init__(self):
        super().__init__()
        layers, n = [], 3
        for block in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
            for width in block:
                layers += [nn.Conv2d(n, width, 3, padding=1), nn.ReLU()]
                n = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 49, 4096), nn.ReLU(), FixedDropout(4096, 0.5),
            nn.Linear(4096, 4096), nn.ReLU(), FixedDropout(4096, 0.5),
        )  # fmt: skip

    def taps(self, x):
        found = []
        for layer in self.features[:-1]:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                found.append(x)
        return found

    def embed(self, x):
        x = F.adaptive_avg_pool2d(F.max_pool2d(x, 2), 7)
        return self.classifier(x.flatten(1))


class AlexNet(nn.Module):
    full = True
    width = 256

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            FixedDropout(256 * 36, 0.5, side=6), nn.Linear(256 * 36, 4096), nn.ReLU(),
            FixedDropout(4096, 0.5), nn.Linear(4096, 4096), nn.ReLU(),
        )  # fmt: skip

    taps = VGG16.taps

    def embed(self, x):
        x = F.adaptive_avg_pool2d(F.max_pool2d(x, 3, 2), 6)
        return self.classifier(x.flatten(1))


class Residual(nn.Module):
    def __init__(self, n, width, stride, bottleneck):
        super().__init__()
        out = 4 * width if bottleneck else width
        shapes = ((1, 1), (3, stride), (1, 1)) if bottleneck else ((3, stride), (3, 1))
        widths = (n, width, width, out) if bottleneck else (n, width, out)
        self.count = len(shapes)
        for i, (kernel, step) in enumerate(shapes, 1):
            conv = nn.Conv2d(widths[i - 1], widths[i], kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"bn{i}", nn.BatchNorm2d(widths[i]))
        self.downsample = None
        if stride > 1 or n != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.count:
                y = F.relu(y)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    full = False

    def __init__(self, depths, bottleneck):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        n = 64
        for i, depth in enumerate(depths):
            blocks = []
            for block in range(depth):
                width, stride = 64 * 2**i, 2 if i and not block else 1
                blocks.append(Residual(n, width, stride, bottleneck))
                n = 4 * width if bottleneck else width
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.width = n

    def taps(self, x):
        found = [F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)]
        for i in range(1, 5):
            found.append(getattr(self, f"layer{i}")(found[-1]))
        return found

    def embed(self, x):
        return x.mean((2, 3))


class EfficientNet(EfficientNetLite0):
    """F is the map before the last stride (stage 5 of 7); the whole ends in 1,280 maps."""

    full = False
    width = 112

    def __init__(self):
        super().__init__()
        del self._fc
        self.dropout = FixedDropout(1280, 0.2)

    def cut(self):
        """Leaves F as the last map."""
        self._blocks = self._blocks[:11]
        del self._conv_head, self._bn1

    def taps(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)))
        stages = [x := block(x) for block in self._blocks]
        if len(stages) == 11:
            return stages[10:]
        return [stages[10], F.relu6(self._bn1(self._conv_head(x)))]

    def embed(self, x):
        return self.dropout(x.mean((2, 3)))


BACKBONES = {
    "vgg16": VGG16,
    "alexnet": AlexNet,
    "resnet18": lambda: ResNet((2, 2, 2, 2), False),
    "resnet101": lambda: ResNet((3, 4, 23, 3), True),
    "efficientnet_lite0": EfficientNet,
}
LAST = {"vgg16": "classifier.6", "alexnet": "classifier.6", "resnet18": "fc", "resnet101": "fc",
        "efficientnet_lite0": "_fc"}  # fmt: skip


# --- networks ---


class Network(nn.Module):
    whole = False
    """Whether the layers after F are read too; they do not exist otherwise."""

    def __init__(self, case):
        super().__init__()
        self.case, self.backbone = case, BACKBONES[case.backbone]()
        if not self.whole and self.backbone.full:
            del self.backbone.classifier
        if not self.whole and case.backbone == "efficientnet_lite0":
            self.backbone.cut()

    def tapped(self, x):
        """F, and what `embed` reads."""
        found = self.backbone.taps(x)
        return (found[0] if self.case.backbone == "efficientnet_lite0" else found[-1]), found[-1]


class Pooled(nn.Module):
    """1×1 convolution to k maps a class; v, the mean over k of their maxima (Eq. 1), and H."""

    def __init__(self, n, classes, k=4):
        super().__init__()
        self.classes, self.conv = classes, nn.Conv2d(n, classes * k, 1)

    def forward(self, x):
        f = self.conv(x).unflatten(1, (self.classes, -1))  # (B, C, k, h, w)
        return f.flatten(3).max(-1).values.mean(-1), f.mean(2)


class WSCNet(Network):
    def __init__(self, case):
        super().__init__(case)
        n = self.backbone.width
        self.detector = Pooled(n, case.detect_classes or case.classes)
        self.classifier = nn.Linear(2 * n, case.classes)

    def forward(self, x):
        f, _ = self.tapped(x)
        v, maps = self.detector(f)
        m = (v[:, :, None, None] * maps).sum(1, keepdim=True)  # Eq. 3
        d = torch.cat([f, m * f], 1).mean((2, 3))  # Eq. 4
        return {"class_logits": self.classifier(d), "detect_logits": v}


WHEEL = ("fear", "excitement", "awe", "contentment", "amusement", "anger", "disgust", "sadness")
ORDER = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
NEGATIVE = {"anger", "disgust", "fear", "sadness"}


def graph():
    """D^-½ A D^-½ of WSIDNet Eq. 3–5, (8, 8) float64."""
    a = torch.zeros(8, 8, dtype=torch.float64)
    for i, one in enumerate(ORDER):
        for j, other in enumerate(ORDER):
            steps = abs(WHEEL.index(one) - WHEEL.index(other))
            differ = (one in NEGATIVE) != (other in NEGATIVE)
            a[i, j] = 1 / (1 + min(steps, 8 - steps)) + differ
    d = torch.diag(a.sum(1) ** -0.5)
    return d @ a @ d


class WSIDNet(Network):
    whole = True

    def __init__(self, case):
        super().__init__(case)
        n = self.backbone.width
        self.detector = Pooled(n, 8)
        self.gcn = nn.ModuleList([nn.Linear(n, 512), nn.Linear(512, 2048)])
        self.register_buffer("graph", graph(), persistent=False)
        self.projection = nn.Linear(4096 if self.backbone.full else n, 2048)
        self.classifier = nn.Linear(4096, case.classes)

    def forward(self, x):
        f, last = self.tapped(x)
        v, maps = self.detector(f)
        h = (maps[:, :, None] * f[:, None]).mean((3, 4))  # (B, C, n), section 3.1
        for layer in self.gcn:  # Eq. 4
            h = F.relu(self.graph.to(h.dtype) @ (h @ layer.weight.T) + layer.bias)
        holistic = self.projection(self.backbone.embed(last))
        holistic = holistic if self.backbone.full else F.relu(holistic)
        fused = torch.cat([holistic, h.mean(1)], 1)
        return {"class_logits": self.classifier(fused), "detect_logits": v}


class Classifier(Network):
    whole = True

    def __init__(self, case):
        super().__init__(case)
        n = {"efficientnet_lite0": 1280}.get(case.backbone, self.backbone.width)
        self.projection = nn.Linear(4096 if self.backbone.full else n, 2048)
        self.classifier = nn.Linear(2048, case.classes)

    def forward(self, x):
        holistic = self.projection(self.backbone.embed(self.tapped(x)[1]))
        holistic = holistic if self.backbone.full else F.relu(holistic)
        return {"class_logits": self.classifier(holistic)}


class Widened(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv = nn.Conv2d(n, 1024, 3, padding=1, groups=2)

    def forward(self, x):
        return F.relu(self.conv(x))


class CAM(Network):
    def __init__(self, case):
        super().__init__(case)
        n = self.backbone.width
        self.widened = Widened(n) if self.backbone.full else None
        self.classifier = nn.Linear(1024 if self.backbone.full else n, case.classes)

    def read(self, x):
        f = self.tapped(x)[0]
        return f if self.widened is None else self.widened(f)

    def forward(self, x):
        return {"class_logits": self.classifier(self.read(x).mean((2, 3)))}


class SPN(CAM):
    """Zhu et al. 2017, section 3.1, and the dropout of the authors' VGG-16."""

    def __init__(self, case):
        super().__init__(case)
        self.dropout = FixedDropout(self.classifier.in_features, 0.5)

    def forward(self, x):
        f = self.read(x)
        coupled = f * proposal(f.detach())[:, None]
        return {"class_logits": self.classifier(self.dropout(coupled.sum((2, 3))))}


def proposal(f):
    """(B, n, h, w) -> (B, h, w): the walk's stationary distribution, an eigenvector."""
    b, n, h, w = f.shape
    u = f.flatten(2).transpose(1, 2)  # (B, N, n)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cells = torch.stack([y, x], -1).reshape(-1, 2).to(f.dtype)
    far = (cells[:, None] - cells[None]).square().sum(-1)
    weight = (u[:, :, None] - u[:, None]).square().sum(-1).sqrt()
    weight = weight * torch.exp(-far / (2 * (0.15 * math.sqrt(h * w)) ** 2))
    values, vectors = torch.linalg.eig(weight / weight.sum(1, keepdim=True))
    first = values.real.argmax(1)
    m = vectors[torch.arange(b), :, first].real
    return (m / m.sum(1, keepdim=True)).reshape(b, h, w)


class Wildcat(Network):
    def __init__(self, case):
        super().__init__(case)
        self.conv = nn.Conv2d(self.backbone.width, case.classes * 8, 1)

    def forward(self, x):
        maps = self.conv(self.tapped(x)[0]).unflatten(1, (-1, 8)).mean(2)
        places = maps.flatten(2).sort(dim=2, descending=True).values
        k = round(0.2 * places.shape[2])
        return {"class_logits": places[..., :k].mean(-1) + 0.7 * places[..., -k:].mean(-1)}


class FCNEL(Network):
    """FCN-8s' sum of scores of the three coarsest grids, each grid's last map."""

    def __init__(self, case):
        super().__init__(case)
        for i, n in enumerate((512, 512, 256)):
            self.add_module(f"score{i}", nn.Conv2d(n, 1, 1))

    def forward(self, x):
        taps = self.backbone.taps(x)
        fifth, fourth, third = taps[12], taps[9], taps[6]
        total = self.score0(fifth)
        for score, tap in ((self.score1, fourth), (self.score2, third)):
            total = F.interpolate(total, tap.shape[2:], mode="bilinear") + score(tap)
        return {"sentiment_map": total[:, 0]}


class Context(nn.Module):
    def __init__(self, places, n):
        super().__init__()
        self.fc = nn.Linear(places * n, n)

    def forward(self, x):
        return self.fc(F.max_pool2d(x, 2).permute(0, 2, 3, 1).flatten(1))


class CASNet(Network):
    def __init__(self, case):
        super().__init__(case)
        self.context = Context((case.size // 32) ** 2, 1024)
        self.score = nn.Conv2d(1024, 1, 1)

    def forward(self, x):
        half = [v // 2 for v in x.shape[2:]]
        fine = self.tapped(x)[0]
        coarse = self.tapped(F.interpolate(x, half, mode="bilinear", antialias=True))[0]
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear")
        f = torch.cat([fine, coarse], 1)
        return {"map_logits": self.score(f * self.context(f)[:, :, None, None])[:, 0]}


NETWORKS = {
    "wscnet": WSCNet, "wsidnet": WSIDNet, "classifier": Classifier, "cam": CAM, "wildcat": Wildcat,
    "spn": SPN, "fcnel": FCNEL, "casnet": CASNet,
}  # fmt: skip


def reference_name(case, name):
    """A name of this file's state dict -> that of the reference, which weights and sketches use.

    WSCNet's are its first author's, WSIDNet's those of shared/reference, the classifier's those of
    its backbone.
    """
    part, _, rest = name.partition(".")
    detector = rest.removeprefix("conv.")
    if case.network == "wscnet" and part == "detector":
        return f"downconv.0.{detector}"
    if case.network == "wscnet" and part == "classifier":
        return f"classifier.0.{rest}"
    if case.network == "wscnet" and case.backbone.startswith("resnet"):
        child, _, rest = rest.partition(".")
        places = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
        return f"features.{places.index(child)}.{rest}"
    if case.network == "wsidnet":
        if part == "detector":
            return f"detector.{detector}"
        if part == "projection":
            return f"vgg_classifier.6.{rest}"
        if part == "backbone":
            return rest.replace("classifier.", "vgg_classifier.")
    if case.network == "classifier":
        if part == "projection":
            return f"{LAST[case.backbone]}.{rest}"
        return f"head.{rest}" if part == "classifier" else rest
    return name
