"""Write tests/reference/saliency.npz: OpenCV's own saliency maps of three photographs.

    PYTHON_WITH_CONTRIB tests/baselines/make_reference.py

Needs opencv-contrib-python-headless (made with 5.0.0.93) and scikit-image, whose photographs are
NASA's or CC0. The file holds the photographs too, RGB and made small.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

OUT = Path(__file__).resolve().parents[1] / "reference" / "saliency.npz"
SIZE = (96, 72)  # width, height


def main() -> None:
    arrays = {}
    for name in ("astronaut", "coffee", "chelsea"):
        image = cv2.resize(getattr(skimage.data, name)(), SIZE, interpolation=cv2.INTER_AREA)
        bgr = np.ascontiguousarray(image[..., ::-1])
        _, spectral = cv2.saliency.StaticSaliencySpectralResidual_create().computeSaliency(bgr)
        _, fine = cv2.saliency.StaticSaliencyFineGrained_create().computeSaliency(bgr)
        arrays |= {
            f"{name}/image": image,
            f"{name}/spectral_residual": np.float16(spectral),
            f"{name}/fine_grained": np.float16(fine),
        }
    np.savez_compressed(OUT, **arrays)
    print(f"{OUT}: {OUT.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
