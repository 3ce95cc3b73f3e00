"""Colour histograms: GCH and LCH of WSIDNet's Table 1.

Siersdorfer et al., "Analyzing and predicting sentiment of images on the social web", ACM
Multimedia 2010: colours alone tell something of the mood of a photograph. A histogram is of all
pixels of a photograph, at its own size: no crop, no scaling; WSIDNet (4.2) states 64 bins and 16
blocks.
"""

import numpy as np

LEVELS = 4  # of each of red, green and blue: 64 bins
BLOCKS = 4  # on each side: 16 blocks


def gch(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (64,) float32 of sum 1: the global colour histogram.

    Bin 16 r + 4 g + b, each channel in quarters of 0..255.
    """
    r, g, b = np.moveaxis(image // (256 // LEVELS), -1, 0).astype(np.int64)
    bins = (r * LEVELS + g) * LEVELS + b
    counts = np.bincount(bins.ravel(), minlength=LEVELS**3)
    return (counts / bins.size).astype(np.float32)


def lch(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (1024,) float32: `gch` of each of 16 blocks, row by row.

    Raises:
      ValueError: the image is smaller than 4 x 4.
    """
    if min(image.shape[:2]) < BLOCKS:
        raise ValueError(f"expected an image of at least {BLOCKS} x {BLOCKS}, found {image.shape}")
    rows = np.array_split(image, BLOCKS, axis=0)
    return np.concatenate([gch(b) for row in rows for b in np.array_split(row, BLOCKS, axis=1)])
