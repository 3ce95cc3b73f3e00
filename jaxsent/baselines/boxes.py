"""Boxes of a detector as a file, and the map that stands for them."""

import csv
import json
import math
from pathlib import Path

import numpy as np

from jaxsent.baselines.names import few
from jaxsent.errors import UserError

SUFFIXES = (".csv", ".json")
COLUMNS = ["file", "x0", "y0", "x1", "y1", "score"]
LARGEST = 2**28  # bytes of a file

Boxes = np.ndarray
"""(n, 5) float64: x0, y0, x1, y1 in pixels of the photograph, and a score above 0."""


def read(path: Path) -> dict[str, Boxes]:
    """Name of an image -> its boxes (n, 5), n = 0 where the detector found none.

    A .csv of `file,x0,y0,x1,y1,score`, a line a box, all but the name left empty for an image
    without a box. Or a .json as COCO's: a list of detections {"image_id", "bbox": [x, y, width,
    height], "score"} whose image_id is the image's name, or an object whose "images" have "id" and
    "file_name" and whose "annotations" are such detections. Images that are listed and have no
    detection have no box. A box ends where x1 and y1 are: the pixel there is outside.

    Raises:
      UserError: there is no such file, it is too large or damaged, or has boxes that are none.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected boxes of images.")
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path}: expected at most {LARGEST >> 20:,} MiB of boxes.")
    lists = _read_csv(path) if path.suffix == ".csv" else _read_json(path)
    table = {name: np.array(rows, np.float64).reshape(-1, 5) for name, rows in lists.items()}
    if not table:
        raise UserError(f"{path}: expected boxes of images, found none.")
    for fault, wrong in (
        ("not all finite numbers", lambda b: ~np.isfinite(b).all(1)),
        ("without an area", lambda b: (b[:, 2] <= b[:, 0]) | (b[:, 3] <= b[:, 1])),
        ("of a score of 0 or less, which no map tells from no box", lambda b: b[:, 4] <= 0),
    ):
        names = [name for name, values in table.items() if wrong(values).any()]
        if names:
            raise UserError(f"{path}: {few(names)} there with boxes that are {fault}.")
    corners = np.concatenate(list(table.values()))[:, :4]
    if corners.size and (corners <= 1).all():
        raise UserError(
            f"{path}: all its boxes lie within 0..1; expected pixels of the photograph, no shares."
        )
    return table


def rasterise(boxes: Boxes, shape: tuple[int, ...], name: str, best: int = 0) -> np.ndarray:
    """(n, 5), (H, W, …) -> (H, W) float32: at a pixel the highest score of the boxes over it, or 0.

    A box is over a pixel whose centre it holds. `best`: only of so many boxes of the highest
    scores; 0: of all.

    Raises:
      UserError: a box lies outside the photograph, which the message calls `name`.
    """
    height, width = shape[:2]
    map = np.zeros((height, width), np.float32)
    outside = (boxes[:, 0] >= width) | (boxes[:, 1] >= height) | (boxes[:, 2:4] <= 0).any(axis=1)
    if outside.any():
        x0, y0, x1, y1, _ = boxes[outside][0]
        raise UserError(
            f"{name}: the box {x0:g}, {y0:g} to {x1:g}, {y1:g} lies outside the photograph of "
            f"{width} × {height} pixels; expected its own pixels."
        )
    order = np.argsort(boxes[:, 4], kind="stable")
    for x0, y0, x1, y1, score in boxes[order[-best:] if best else order]:
        top, bottom, left, right = (max(0, math.ceil(v - 0.5)) for v in (y0, y1, x0, x1))
        map[top:bottom, left:right] = score
    return map


def _read_csv(path: Path) -> dict[str, list]:
    try:
        return _lists_of_csv(path)
    except csv.Error as error:
        raise UserError(f"{path}: damaged, or no .csv file ({error}).") from None


def _lists_of_csv(path: Path) -> dict[str, list]:
    lists: dict[str, list] = {}
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.reader(file)
        head = next(lines, [])
        if [name.strip() for name in head] != COLUMNS:
            raise UserError(f"{path}: expected the head {','.join(COLUMNS)}, found {head}.")
        for row in lines:
            if not row:
                continue
            boxes = lists.setdefault(row[0], [])
            if any(row[1:]):
                boxes.append(_numbers(row[1:], f"{path}, line {lines.line_num}"))
    return lists


def _read_json(path: Path) -> dict[str, list]:
    try:
        stored = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged, or no JSON ({error}).") from None
    listed = isinstance(stored, dict)
    try:
        images = {image["id"]: image["file_name"] for image in stored["images"]} if listed else {}
        detections = stored["annotations"] if listed else stored
        lists: dict[str, list] = {name: [] for name in images.values()}
        for number, detection in enumerate(detections, 1):
            name = images[detection["image_id"]] if listed else detection["image_id"]
            if not isinstance(name, str):
                raise UserError(
                    f"{path}: its detections name images by numbers, as {name}; expected the "
                    'object of COCO, {"images": [{"id", "file_name"}], "annotations": […]}.'
                )
            place = f"{path}, detection {number}"
            x, y, width, height, score = _numbers([*detection["bbox"], detection["score"]], place)
            lists.setdefault(name, []).append([x, y, x + width, y + height, score])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path}: expected COCO's detections with image_id, bbox and score ({error!r})."
        ) from None
    return lists


def _numbers(values: list, place: str) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 5:
        raise UserError(f"{place}: expected a box of four numbers and a score, found {values}.")
    return numbers
