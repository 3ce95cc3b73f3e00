"""Write tests/reference/torchvision.json: the names and shapes of torchvision's state dicts.

    PYTHON_WITH_TORCH benchmarks/make_torchvision_names.py

Made with torch 2.13.0 and torchvision 0.28.0. tests/test_export.py compares our exports with it,
which is what `load_state_dict(strict=True)` does; given an exported file too, it is loaded by
torchvision's model itself:

    PYTHON_WITH_TORCH benchmarks/make_torchvision_names.py resnet18 model.pth
"""

import json
import sys
import types
from pathlib import Path

import torch

# torchvision's compiled operators do not fit torch's CPU build; its models need none of them.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("")
import torchvision  # noqa: E402

OUT = Path(__file__).resolve().parents[1] / "tests" / "reference" / "torchvision.json"
MODELS = ("vgg16", "alexnet", "resnet18", "resnet34", "resnet50", "resnet101")


def shapes(name: str) -> dict[str, list[int]]:
    model = getattr(torchvision.models, name)(weights=None)
    return {key: list(array.shape) for key, array in model.state_dict().items()}


def load(name: str, path: str) -> None:
    state = torch.load(path, weights_only=True)
    classes = len(next(state[k] for k in ("fc.bias", "classifier.6.bias") if k in state))
    model = getattr(torchvision.models, name)(weights=None, num_classes=classes)
    print(model.load_state_dict(state, strict=True))


if __name__ == "__main__":
    if sys.argv[1:]:
        load(*sys.argv[1:])
    else:
        lines = (f"{json.dumps(n)}: {json.dumps(shapes(n))}" for n in MODELS)
        OUT.write_text("{" + ",\n".join(lines) + "}\n")
        print(OUT)
