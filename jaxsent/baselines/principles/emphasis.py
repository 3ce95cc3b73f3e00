"""Emphasis: Itten's seven contrasts of colour between regions, and where attention rests.

PAEF takes the contrasts from Machajdik and Hanbury, "Affective image classification using features
inspired by psychology and art theory", ACM Multimedia 2010, and the rate of focused attention (RFA)
from Sun et al., "Photo assessment based on computational visual attention model", ACM Multimedia
2009. Regions are here the connected areas of one basic colour, instead of a watershed's.
"""

from typing import NamedTuple

import cv2
import numpy as np

from jaxsent.baselines.principles import colours

SMALLEST = 0.005  # share of the image, below which an area is no region
BLUR = 5  # pixels of the median filter before regions are told
COLOURED = 0.2  # saturation from which a region has a hue
WARMEST = np.deg2rad(50)  # hue (Machajdik and Hanbury); its opposite is the coldest


class Regions(NamedTuple):
    """R regions: (R,) share of all regions' area, value, saturation, hue in radians, and (R, R)
    number of pixel borders between two of them."""

    share: np.ndarray
    value: np.ndarray
    saturation: np.ndarray
    hue: np.ndarray
    border: np.ndarray


def emphasis(image: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB, (H, W) -> (8,): `contrasts` and `focused_attention`."""
    return np.append(contrasts(regions(image)), focused_attention(saliency))


def contrasts(regions: Regions) -> np.ndarray:
    """Regions -> (7,), 0 of a single region.

    Light and dark, saturation, warm and cold: the standard deviation over the area. Extension: that
    of the regions' shares. Hue: 1 - |mean vector|, by area and saturation. Complements: the mean
    (1 - cos) / 2 of the hues of two coloured regions, by the product of their areas. Simultaneous:
    the share of all borders that lie between a coloured and a grey region, by saturation.
    """
    share, value, saturation, hue, border = regions
    if len(share) < 2:
        return np.zeros(7)
    warmth = saturation * np.cos(hue - WARMEST)
    chroma = share * saturation
    vector = np.abs(np.sum(chroma * np.exp(1j * hue))) / max(chroma.sum(), 1e-9)
    coloured = saturation >= COLOURED
    pairs = np.outer(share * coloured, share * coloured)
    np.fill_diagonal(pairs, 0)
    opposite = (1 - np.cos(hue[:, None] - hue)) / 2
    induced = np.triu(border * (coloured[:, None] != coloured)) * np.maximum.outer(
        saturation, saturation
    )
    return np.array([
        _deviation(value, share), _deviation(saturation, share), share.std(),
        (pairs * opposite).sum() / max(pairs.sum(), 1e-9),
        1 - vector if chroma.sum() > 1e-9 else 0.0,
        _deviation(warmth, share), induced.sum() / max(np.triu(border).sum(), 1),
    ])  # fmt: skip


def regions(image: np.ndarray) -> Regions:
    """(H, W, 3) uint8 RGB -> its regions, by area in raster order."""
    smooth = cv2.medianBlur(image, BLUR)
    hue, saturation, value = colours.hsv(smooth)
    named = colours.names(smooth)
    labels, count = np.zeros(named.shape, np.int64), 0
    for name in np.unique(named):
        number, areas = cv2.connectedComponents(np.uint8(named == name), connectivity=4)
        labels += np.where(areas > 0, areas + count, 0)
        count += number - 1
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = np.nonzero(sizes >= SMALLEST * labels.size)[0]
    renumbered = np.full(count + 1, -1)
    renumbered[large] = np.arange(len(large))
    labels, sizes = renumbered[labels], sizes[large]
    border = np.zeros((len(large), len(large)))
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        met = (one != other) & (one >= 0) & (other >= 0)
        np.add.at(border, (one[met], other[met]), 1)
    held = labels >= 0

    def mean(values):
        return np.bincount(labels[held], values[held], len(large)) / sizes

    level, upright = mean(saturation * np.cos(hue)), mean(saturation * np.sin(hue))
    return Regions(
        sizes / max(sizes.sum(), 1), mean(value), mean(saturation), np.arctan2(upright, level),
        border + border.T,
    )  # fmt: skip


def focused_attention(saliency: np.ndarray) -> float:
    """(H, W) -> 0..1, the share of the saliency near the crossings of the thirds' lines (RFA).

    Near is within a sixth of the shorter side; Sun et al. have a subject mask of their own. 0 where
    nothing is salient.
    """
    total = saliency.sum()
    if total <= 0:
        return 0.0
    to_y, to_x = (
        np.abs((np.arange(n) + 0.5)[:, None] - [n / 3, 2 * n / 3]).min(axis=1)
        for n in saliency.shape
    )
    near = np.hypot(to_y[:, None], to_x) <= min(saliency.shape) / 6
    return float(saliency[near].sum() / total)


def _deviation(values, share):
    mean = share @ values
    return np.sqrt(share @ (values - mean) ** 2)
