"""Makes jaxsent/assets/references.npz, what `jaxsent doctor --check` compares with.

    PYTHON benchmarks/make_check_reference.py

PYTHON needs torch. Outputs of AlexNet, WSCNet and WSIDNet are those of tests/reference, of which
tests/models/test_reference.py says where they come from; of two images the first. EfficientNet-
Lite0's are made here, by PyTorch, with weights of tests/tensors.py.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from make_efficientnet_oracle import EfficientNetLite0

from tests import tensors

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "jaxsent" / "assets" / "references.npz"
STORED = {
    "alexnet": ("alexnet", {"logits": "class_logits"}),
    "wscnet": (
        "wscnet_paper",
        {name: name for name in ("detect_logits", "class_maps", "sentiment_map", "class_logits")},
    ),
    "wsidnet": (
        "wsidnet_cross",
        {
            name: name
            for name in ("holistic", "detect_logits", "class_maps", "interaction", "class_logits")
        },
    ),
}


def efficientnet() -> np.ndarray:
    """(1, 1000) logits."""
    model = EfficientNetLite0().eval()
    state = {
        name: torch.from_numpy(tensors.tensor(name, tuple(values.shape)))
        for name, values in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    model.load_state_dict(state, strict=False)
    images = torch.from_numpy(tensors.images(0, (2, 224, 224, 3))).permute(0, 3, 1, 2)[:1]
    with torch.inference_mode():
        return model(images).numpy()


def main() -> None:
    arrays = {"efficientnet_lite0/class_logits": efficientnet()}
    for network, (file, names) in STORED.items():
        with np.load(ROOT / "tests" / "reference" / f"{file}.npz") as stored:
            for key, name in names.items():
                arrays[f"{network}/{name}"] = stored[key][:1]
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUT, **arrays)
    print(f"{OUT.relative_to(ROOT)}: {OUT.stat().st_size / 1024:.0f} KiB")
    for name, array in arrays.items():
        print(f"  {name} {array.shape}, norm {np.linalg.norm(array):.3f}")


if __name__ == "__main__":
    main()
