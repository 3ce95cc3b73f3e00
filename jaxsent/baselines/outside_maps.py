"""Maps that were made elsewhere, a file an image, or boxes: learned saliency, a Faster R-CNN.

They are scored like every other map, see `evaluation.maps`: resized to the photograph's own size
and scaled to 0..1 there.
"""

import io
import math
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from jaxsent.baselines import boxes
from jaxsent.baselines.names import SUFFIXES, few, places
from jaxsent.errors import UserError

ARRAYS = (".npy", ".npz")
IMAGES = tuple(suffix for suffix in SUFFIXES if suffix not in (*ARRAYS, ".heic", ".avif"))
LARGEST = 2**26  # values of a map
ENCODED = 2**28  # bytes of an image file

MapOf = Callable[[str, tuple[int, int]], np.ndarray]
"""(name of an image, its (H, W)) -> its map, (h, w)."""


def open_maps(name: str, path: Path, files: list[str], best: int = 0) -> MapOf:
    """A folder of maps, or a file of boxes -> the map of each of the images.

    Args:
      name: what the maps are called, in messages.
      path: a folder of images or of .npy and .npz, named as the set's images (`names.places`);
        or what `boxes.read` reads.
      files: names of the images that have to be there.
      best: of boxes only the so many with the highest scores of an image; 0: all.

    Raises:
      UserError: there is no such thing, or images have no map, or one that is not of numbers in
        rows and columns, all finite; the first is named, and how many there are. All are read.
    """
    source = f"{name}={path}"
    if path.is_dir():
        return _of_folder(path, files, source)
    if path.suffix not in boxes.SUFFIXES:
        raise UserError(
            f"{source}: expected a folder of maps, or boxes in a file ending in "
            f"{' or '.join(boxes.SUFFIXES)}."
        )
    table = boxes.read(path)
    entries = list(table)
    own = {
        file: table[entries[place]]
        for file, place in zip(files, places(entries, files, source), strict=True)
    }
    return lambda file, shape: boxes.rasterise(own[file], shape, f"{source}: {file}", best)


def _of_folder(folder: Path, files: list[str], source: str) -> MapOf:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (*IMAGES, *ARRAYS))
    names = [path.relative_to(folder).as_posix() for path in paths]
    if not names:
        raise UserError(f"{source}: expected maps in this folder, found none.")
    stems = Counter(name.rpartition(".")[0] for name in names)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise UserError(f"{source}: {few(twice)} there with two suffixes; leave one map an image.")
    own = dict(zip(files, (paths[i] for i in places(names, files, source, "map")), strict=True))
    _check(own, source)
    return lambda file, shape: read(own[file])


def _check(paths: dict[str, Path], source: str) -> None:
    """Reads every map once, so that an evaluation does not end on the last of them."""

    def fault(file):
        try:
            read(paths[file])
        except UserError as error:
            return str(error)
        return None

    with ThreadPoolExecutor() as threads:
        faults = [text for text in threads.map(fault, paths) if text]
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        raise UserError(f"{faults[0]} {len(faults):,} of {len(paths):,} maps of {source} are so.")


def read(path: Path) -> np.ndarray:
    """A map's file -> (h, w) float32, finite.

    A grey image of 8 or 16 bits, a colour one of grey pixels, an array (h, w) as .npy, or as the
    only one of an .npz; axes of length 1 are left out.

    Raises:
      UserError: it does not decode, is too large, is no map, or has values that are not finite.
    """
    suffix = path.suffix.lower()
    loaded = _array(path) if suffix in ARRAYS else _picture(path)
    if loaded.dtype.kind not in "fiub":
        raise UserError(f"{path}: expected numbers, found {loaded.dtype}.")
    squeezed = loaded.squeeze() if loaded.ndim > 2 else loaded
    if squeezed.ndim != 2 or not squeezed.size:
        raise UserError(f"{path}: expected a map (height, width), found shape {loaded.shape}.")
    values = squeezed.astype(np.float32)
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise UserError(f"{path}: {count:,} of its {values.size:,} values are not finite numbers.")
    return values


def _array(path: Path) -> np.ndarray:
    try:
        if path.suffix.lower() == ".npy":
            mapped = np.lib.format.open_memmap(path, mode="r")
            _bound(path, mapped.size)
            return np.asarray(mapped)
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            if len(members) != 1:
                raise UserError(f"{path}: expected one array in it, found {len(members)}.")
            _bound(path, members[0].file_size / 8)
            loaded = np.load(io.BytesIO(file.read(members[0])), allow_pickle=False)
            _bound(path, loaded.size)
            return loaded
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: expected one array of numbers ({error}).") from None


def _picture(path: Path) -> np.ndarray:
    """(h, w) of an image file, not turned by EXIF. Its sizes are known before it is decoded."""
    try:
        with Image.open(path) as header:
            _bound(path, math.prod(header.size))
        pixels = None
        if path.stat().st_size <= ENCODED:
            flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
            pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, cv2.error):
        pixels = None
    if pixels is None:
        raise UserError(f"{path}: expected an image of at most {ENCODED >> 20} MiB that decodes.")
    if pixels.ndim == 3:
        if (pixels[..., :3] != pixels[..., :1]).any():
            raise UserError(
                f"{path}: expected a grey map, found colours; write the map's values, no heat map."
            )
        pixels = pixels[..., 0]
    return pixels


def _bound(path: Path, values: float) -> None:
    if values > LARGEST:
        raise UserError(f"{path}: expected a map of at most {LARGEST:,} values; shrink it.")
