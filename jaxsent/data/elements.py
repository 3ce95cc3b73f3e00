"""From one stored example to one element of a batch: decoded, cut to size, maps along with it."""

import dataclasses

import numpy as np

from jaxsent.data import augment
from jaxsent.data.randaugment import randaugment
from jaxsent.data.records import text
from jaxsent.errors import UserError

POINTS = frozenset({"fixations"})
"""Maps of single pixels, which a resize must neither blend nor lose."""


@dataclasses.dataclass(frozen=True)
class TrainElement:
    """A random crop, mirrored with the probability `flip`, and the maps cut along with it.

    Attributes:
      image_size: S, pixels of the side.
      scale, ratio: of the crop (augment.random_crop_box).
      enlarging: the interpolation of augment.resize.
      maps: features of the set that are maps.
      crop: "resized" (augment.random_crop_box) or "plain" (augment.plain_crop_box).
      resize: the shorter side that a plain crop is cut from, in pixels.
      ratings: features of the set that are numbers.
      randaugment: (N, M) of randaugment.py, () for none; its maps move along.
    """

    image_size: int
    scale: tuple[float, float]
    ratio: tuple[float, float]
    flip: float
    enlarging: str
    maps: tuple[str, ...]
    crop: str = "resized"
    resize: int = 256
    ratings: tuple[str, ...] = ()
    randaugment: tuple[int, ...] = ()

    def __call__(self, raw: dict, rng: np.random.Generator) -> dict:
        """A stored example -> image (S, S, 3), each map (S, S), label, polarity, mask and file.

        Raises:
          UserError: a file does not decode, or a map is not of its image's size.
        """
        size = self.image_size

        def choose(height, width):
            if self.crop == "plain":
                return augment.plain_crop_box(height, width, rng, size, self.resize)
            return augment.random_crop_box(height, width, rng, self.scale, self.ratio)

        file = text(raw["file"])
        part, box, shape = augment.decode_crop(raw["image"], choose, size, file, raw.get("pixels"))
        parts = {"image": augment.resize(part, size, size, self.enlarging)}
        for name in self.maps:
            resize = augment.resize_points if name in POINTS else augment.resize
            parts[name] = resize(augment.crop(_map(raw, name, shape), box), size, size)
        if rng.random() < self.flip:
            parts = {name: augment.flip(part) for name, part in parts.items()}
        image = parts.pop("image")
        if self.randaugment:
            image, parts = randaugment(image, parts, *self.randaugment, rng, POINTS)
        return _element(raw, image) | parts | rated(raw, self.ratings)


@dataclasses.dataclass(frozen=True)
class EvalElement:
    """The centre of an image whose shorter side is `resize`, or five crops; and all of it.

    Attributes are those of TrainElement; with `ten_crop` the image is (5, S, S, 3), centre last.
    With `whole` comes what maps are made from and scored against: the whole image squashed to
    (S, S, 3), which no crop hides a part of, and the files of the photograph and of `maps`.
    """

    image_size: int
    resize: int
    ten_crop: bool
    whole: bool
    maps: tuple[str, ...]
    enlarging: str
    ratings: tuple[str, ...] = ()

    def __call__(self, row: tuple[dict | None]) -> dict:
        """(stored example,) -> its element; (None,) -> one of zeros whose mask is False.

        Raises:
          UserError: as TrainElement.
        """
        (raw,) = row
        size = self.image_size
        if raw is None:
            return self._padding()
        image = augment.decode(raw["image"], text(raw["file"]))
        shorter = augment.resize_shorter(image, self.resize, self.enlarging)
        cut = augment.five_crops if self.ten_crop else augment.centre_crop
        element = _element(raw, cut(shorter, size)) | rated(raw, self.ratings)
        if self.whole:
            element["whole"] = augment.resize(image, size, size, self.enlarging)
            element["photograph"] = raw["image"]
        return element | {name: raw[name] for name in self.maps}

    def _padding(self):
        size = self.image_size
        shape = (5, size, size, 3) if self.ten_crop else (size, size, 3)
        blank = {"label": 0, "polarity": 0, "file": b""}
        element = _element(blank, np.zeros(shape, np.uint8), mask=False)
        element |= rated({}, self.ratings)
        if self.whole:
            element |= {"whole": np.zeros((size, size, 3), np.uint8), "photograph": b""}
        return element | dict.fromkeys(self.maps, b"")


def rated(raw: dict, names: tuple[str, ...]) -> dict:
    """A stored example -> {name: float32}, NaN where it has no such number."""
    return {name: np.float32(raw.get(name, np.nan)) for name in names}


def grey_map(data: bytes, name: str, file: str, shape: tuple[int, ...]) -> np.ndarray:
    """The file of a map -> (H, W) uint8. Raises UserError where that is not its image's size."""
    grey = augment.decode_region(data, file)
    if grey.shape != tuple(shape[:2]):
        raise UserError(
            f"{file}: its {name} is {grey.shape} and the image {tuple(shape[:2])}; prepare the set "
            "again"
        )
    return grey


def _map(raw, name: str, shape) -> np.ndarray:
    return grey_map(raw[name], name, text(raw["file"]), shape)


def _element(raw, image: np.ndarray, mask: bool = True) -> dict:
    return {
        "image": image,
        "label": np.int32(raw["label"]),
        "polarity": np.int32(raw["polarity"]),
        "mask": np.bool_(mask),
        "file": np.str_(text(raw["file"])),
    }
