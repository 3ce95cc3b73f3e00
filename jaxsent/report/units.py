"""The units of each class: which regions the maps that make up a class map stand for."""

from dataclasses import dataclass
from html import escape

import numpy as np

from jaxsent.metrics import binarise, resize_map
from jaxsent.report.pictures import jpeg_uri, outline, shrink

WIDTH = 200  # pixels
DIMMED = 0.25


@dataclass(frozen=True)
class Unit:
    """A unit of a class and the image of that class in which it rose highest."""

    label: int
    number: int
    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    map: np.ndarray
    """(h, w) of any range."""
    region: np.ndarray | None
    """(H, W) uint8, the true region: soft, 0..255."""
    file: str


def units(chosen: list[Unit], names: list[str]) -> str:
    """A row a class, a picture a unit; `names` are those of the class maps."""
    rows = []
    for label in dict.fromkeys(unit.label for unit in chosen):
        figures = "".join(_figure(unit, names[label]) for unit in chosen if unit.label == label)
        rows.append(f'<h3>{escape(names[label])}</h3><div class="units">{figures}</div>')
    return "".join(rows)


def segmented(image, map) -> np.ndarray:
    """(H, W, 3), (h, w) -> (H, W, 3) uint8: dark where the map is below Otsu's threshold."""
    region = binarise(resize_map(map, image.shape[:2]))
    return np.where(region[..., None], image, DIMMED * image).astype(np.uint8)


def _figure(unit: Unit, name: str) -> str:
    image = shrink(segmented(unit.image, unit.map), WIDTH)
    if unit.region is not None:
        image = outline(image, shrink(unit.region, WIDTH))
    says = f"unit {unit.number + 1} of {name} in {unit.file}"
    return (
        f'<figure><img src="{jpeg_uri(image)}" alt="{escape(says)}" loading="lazy" '
        f'width="{image.shape[1]}" height="{image.shape[0]}">'
        f"<figcaption>unit {unit.number + 1}</figcaption></figure>"
    )
