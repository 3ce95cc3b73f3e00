"""A contact sheet of a prepared set: examples with their labels and regions."""

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from jaxsent import files
from jaxsent.data import augment, records
from jaxsent.data.batches import class_names, num_examples
from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from jaxsent.report.pictures import outline, overlay, shrink

COLUMNS = 4
WIDTH = 480  # pixels an example is shrunk to


def draw(builder, split: str, count: int, out: Path) -> None:
    """Writes a picture of `count` examples, taken evenly over a split, in its order.

    A region is outlined, a fixation map laid over as heat, fixations are dots.

    Raises:
      UserError: the set has no such split, or the picture cannot be written.
    """
    total = num_examples(builder, split)
    if not total or count < 1:
        raise UserError(f"{builder.info.full_name}: no examples to show ({split}, -n {count}).")
    source = records.source(builder, split)
    indices = np.linspace(0, total - 1, min(count, total)).round().astype(int)
    rows = math.ceil(len(indices) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.9 * rows), layout="constrained")
    title = f"{builder.info.full_name}, {split}: {len(indices)} of {total:,}"
    figure.suptitle(title, x=0.01, ha="left")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, index in zip(axes, indices, strict=False):
        example = source[int(index)]
        ax.imshow(picture(example))
        ax.set_title(_caption(builder, example), fontsize=9)
    try:
        with files.replacing(out) as part:
            figure.savefig(part, dpi=110, format=out.suffix.lstrip(".") or "png")
    except ValueError as error:  # a format that is none
        raise UserError(f"--out {out}: cannot be written ({error}).") from None


def picture(example) -> np.ndarray:
    """An example as it is stored -> (h, w, 3) uint8 with its maps drawn on it, WIDTH wide."""
    image = shrink(augment.decode(example["image"], str(example["file"])), WIDTH)
    size = image.shape[:2]
    if "fixation_map" in example:
        image = overlay(image, augment.decode_region(example["fixation_map"]))
    if "region" in example:
        image = outline(image, augment.resize(augment.decode_region(example["region"]), *size))
    if "fixations" in example:
        points = augment.resize_points(augment.decode_region(example["fixations"]), *size)
        image = np.where(points[..., None] > 0, np.uint8([0, 255, 255]), image)
    return image


def _caption(builder, example) -> str:
    names = class_names(builder)
    label, polarity = int(example["label"]), int(example["polarity"])
    parts = [names[label] if label >= 0 else "no label"]
    if polarity >= 0 and POLARITY[polarity] != parts[0]:
        parts.append(POLARITY[polarity])
    if "valence" in example:
        parts.append(f"valence {float(example['valence']):.1f}")
    file = Path(records.text(example["file"])).name
    return f"{', '.join(parts)}\n{file if len(file) < 34 else file[:30] + ' …'}"
