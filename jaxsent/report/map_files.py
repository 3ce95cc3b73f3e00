"""Every map of a split as files: 16-bit PNG to look at, .npy to compute with."""

import io
from pathlib import Path

import cv2
import numpy as np

from jaxsent import files
from jaxsent.data import augment
from jaxsent.errors import UserError
from jaxsent.metrics import min_max, resize_map

FULL = 65535


def write(folder: Path, batch: dict, out: dict, classes: tuple[str, ...]) -> None:
    """`FOLDER/<file without suffix>/<map>.npy` and `.png` of each image of a batch.

    The maps are sentiment_map and one for each of `classes`. A .npy holds it as the network gave
    it, (h, w) float32; the PNG is of the photograph's size, scaled from the map's smallest to its
    largest value.

    Raises:
      UserError: the network has no maps, or the folder cannot be written.
    """
    if "sentiment_map" not in out:
        raise UserError("eval.maps: this network has no maps; leave eval.maps empty.")
    for i in np.flatnonzero(batch["mask"]):
        place = (folder / Path(str(batch["file"][i]).lstrip("/"))).with_suffix("")
        if ".." in place.parts:
            raise UserError(f"eval.maps: the set names a file {batch['file'][i]!r}.")
        size = augment.decode(batch["photograph"][i], str(batch["file"][i])).shape[:2]
        maps = {"sentiment_map": out["sentiment_map"][i]}
        if "class_maps" in out:
            maps |= dict(zip(classes, np.moveaxis(out["class_maps"][i], -1, 0), strict=True))
        files.make_folder(place)
        for name, values in maps.items():
            save(place / name, values, size)


def save(path: Path, values: np.ndarray, size: tuple[int, int]) -> None:
    """(h, w) -> `path`.npy as it is, and `path`.png of `size`, 16 bits. Raises UserError."""
    array = io.BytesIO()
    np.save(array, values.astype(np.float32))
    files.write_bytes(path.with_name(path.name + ".npy"), array.getvalue())
    grey = np.rint(FULL * min_max(resize_map(values, size))).astype(np.uint16)
    files.write_bytes(path.with_name(path.name + ".png"), cv2.imencode(".png", grey)[1].tobytes())
