"""Whether a class's map finds that class's region: pointing game and ROC curve per pixel.

A map is (h, w) of any range and is resized to the region, bilinear, where sizes differ; a region is
(H, W): boolean, or a soft truth that Otsu's threshold cuts as in `detection_row`. Both scores see
only the order of a map's values. Whatever takes a map raises ValueError where it is not
two-dimensional, is empty or holds NaN or infinity.
"""

from collections.abc import Iterable

import numpy as np
from scipy.stats import rankdata

from jaxsent.metrics.detection import binarise, resize_map

SPECIFICITY = ("pointing", "pointing_others", "region_auc", "region_auc_others")


def pointing(map, region) -> float:
    """(h, w), (H, W) -> 1 where the map's maximum lies in the region, 0 where not.

    The pointing game (Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016),
    without their tolerance of 15 pixels, since a region is told to the pixel here. Where several
    pixels share the maximum, the share of them in the region: the chance of a hit if one is drawn.
    So a constant map scores the region's share of the image. NaN where the region is empty.
    """
    map, region = _pair(map, region)
    if not region.any():
        return float("nan")
    return float(region[map == map.max()].mean())


def region_auc(map, region) -> float:
    """(h, w), (H, W) -> area under the ROC curve of the map as a detector of the region's pixels.

    The chance that a pixel inside has a larger value than one outside, equal values counting half
    (Mann and Whitney's U). 0.5 for a constant map; NaN where nothing, or nothing else, is inside.
    """
    map, region = _pair(map, region)
    inside, outside = int(region.sum()), int((~region).sum())
    if not inside or not outside:
        return float("nan")
    ranks = rankdata(map, axis=None).reshape(region.shape)
    wins = ranks[region].sum() - inside * (inside + 1) / 2
    return float(wins / inside / outside)


def specificity_row(maps, region, label: int) -> dict:
    """(h, w, C) class maps, (H, W), the true class -> one image's scores, by SPECIFICITY.

    `pointing` and `region_auc` are the true class's map's, `_others` the mean of the other C - 1:
    a map that is specific to its class finds the region better than theirs. None where a score is
    not defined: no region, or no other class.

    Raises:
      ValueError: maps that are not three-dimensional, or a label outside 0..C-1.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or not 0 <= label < maps.shape[-1]:
        raise ValueError(
            f"expected maps (h, w, C) and a label in 0..C-1, found {maps.shape} and label {label}"
        )
    others = [c for c in range(maps.shape[-1]) if c != label]
    row = {}
    for name, score in (("pointing", pointing), ("region_auc", region_auc)):
        row[name] = score(maps[..., label], region)
        each = [score(maps[..., c], region) for c in others]
        row[f"{name}_others"] = float(np.mean(each)) if each else float("nan")
    return {name: row[name] if np.isfinite(row[name]) else None for name in SPECIFICITY}


def summarise_specificity(rows: Iterable[dict]) -> dict:
    """Rows of `specificity_row` -> each score's mean over the images that have it, and count."""
    rows = list(rows)
    means = {}
    for name in SPECIFICITY:
        values = [row[name] for row in rows if row[name] is not None]
        means[name] = float(np.mean(values)) if values else None
    return {**means, "count": len(rows)}


def _pair(map, region) -> tuple[np.ndarray, np.ndarray]:
    """-> the map at the region's size, and the region as (H, W) bool."""
    region = np.asarray(region)
    if region.dtype != bool or region.ndim != 2:
        region = binarise(region)
    return resize_map(map, region.shape), region
