"""Spectral residual saliency: what remains of an image beside its average spectrum.

Hou and Zhang, "Saliency detection: a spectral residual approach", CVPR 2007; equations are theirs.
"""

import cv2
import numpy as np

from jaxsent.baselines import features

SIDE = 64  # pixels
AVERAGE = 3
SIGMA = 2.5  # pixels; the authors' code. Their text's 8 would leave little of 64 pixels


def spectral_residual(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) float32, the blurred squared residual, equation (9)."""
    small = cv2.resize(features.grey(image), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    saliency = cv2.GaussianBlur(residual(small) ** 2, (0, 0), SIGMA)
    return features.enlarge(saliency / saliency.max(), image)


def residual(grey: np.ndarray) -> np.ndarray:
    """(h, w) -> (h, w) |F^-1[exp(L - average(L) + i P)]|: amplitude L, phase P of the spectrum."""
    spectrum = np.fft.fft2(np.float64(grey))
    amplitude = np.log(np.maximum(np.abs(spectrum), 1e-12))
    average = cv2.blur(amplitude, (AVERAGE, AVERAGE))
    return np.abs(np.fft.ifft2(np.exp(amplitude - average + 1j * np.angle(spectrum))))
