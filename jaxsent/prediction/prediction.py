"""What a network says of one photograph."""

import dataclasses
import functools
from pathlib import Path

import cv2
import numpy as np

from jaxsent import emotions, files
from jaxsent.data import augment, photograph
from jaxsent.errors import UserError
from jaxsent.prediction import notebook
from jaxsent.run.provenance import NOT_SURE, UNLIKE


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says of a photograph.

    Attributes:
      labels: the K classes, the most probable first.
      probabilities: (K,) float32 in the order of `labels`; they sum to 1.
      polarity: "positive" or "negative", that of the most probable class, as the report counts it;
        None where the classes have none.
      sentiment_map: (h, w) float32, higher where the photograph evokes more; None where the network
        has no detection branch, as all below.
      class_maps: {emotion: (h, w) float32}.
      emotions: {emotion: probability} of the detection branch.
      photo: what was given: a path, bytes, an image or an array.
      box: (y, x, height, width) in its pixels, the part that the network and the maps saw.
      seconds: what reading it took, and its share of the network's time.
      ratings: {name: rating} that it predicts beside the classes, in the raters' units.
      strangeness: about 0 for a photograph like those of training, 1 for pictures of another kind;
        None where the network does not tell.
      familiar: whether that is within the model's rule; None where it has none, as below.
      sure: whether the answer is one to rely on by the model's rule: it is probable enough, and the
        photograph is not unlike those of training.
    """

    labels: tuple[str, ...]
    probabilities: np.ndarray
    polarity: str | None
    sentiment_map: np.ndarray | None
    class_maps: dict[str, np.ndarray]
    emotions: dict[str, float]
    photo: object = dataclasses.field(repr=False)
    box: augment.Box
    seconds: float
    ratings: dict[str, float] = dataclasses.field(default_factory=dict)
    strangeness: float | None = None
    familiar: bool | None = None
    sure: bool | None = None

    def __repr__(self) -> str:
        return notebook.text_of(self)

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the photograph with its map, and the answer."""
        return notebook.html_of(self)

    @property
    def doubt(self) -> str:
        """Why not to rely on the answer, in two or three words, or nothing."""
        return doubt_of(self.sure, self.familiar)

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.labels[0]

    @property
    def probability(self) -> float:
        """The most probable class's."""
        return float(self.probabilities[0])

    @functools.cached_property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8, read again: predictions of many photographs hold none of them."""
        return photograph.read(self.photo)

    def to_dict(self) -> dict:
        """What JSON has of it: names and numbers, no maps."""
        chances = zip(self.labels, self.probabilities, strict=True)
        fields = {
            "label": self.label,
            "polarity": self.polarity,
            "probabilities": {name: round(float(p), 6) for name, p in chances},
        }
        if self.emotions:
            fields["emotions"] = {name: round(p, 6) for name, p in self.emotions.items()}
        if self.ratings:
            fields["ratings"] = {name: round(value, 3) for name, value in self.ratings.items()}
        if self.strangeness is not None:
            fields["strangeness"] = round(self.strangeness, 4)
        known = {"sure": self.sure, "familiar": self.familiar}
        fields |= {name: value for name, value in known.items() if value is not None}
        return fields | {"seconds": round(self.seconds, 4)}

    def map_of(self, emotion: str | None = None) -> np.ndarray:
        """(h, w) float32, an emotion's class map, or the sentiment map of None.

        Raises:
          UserError: the network has no such map.
        """
        heat = self.sentiment_map if emotion is None else self.class_maps.get(emotion)
        if heat is None:
            known = ", ".join(self.class_maps) or "none: it has no detection branch"
            raise UserError(
                f"There is no map of {emotion or 'sentiment'}; this network's: {known}."
            )
        return heat

    def overlay(self, emotion: str | None = None) -> np.ndarray:
        """(H, W, 3) uint8: the photograph with a map laid over the part that was seen.

        Args:
          emotion: whose class map; None for the sentiment map.

        Raises:
          UserError: the network has no such map.
        """
        from jaxsent.report.pictures import overlay

        heat = self.map_of(emotion)
        shown = self.image.copy()
        y, x, h, w = self.box
        shown[y : y + h, x : x + w] = overlay(augment.crop(self.image, self.box), heat)
        return shown

    def save_maps(self, folder: str | Path) -> None:
        """sentiment_map and each emotion's map in a folder: .npy as it is, 16-bit .png, and .jpg of
        the photograph with the map on it.

        Raises:
          UserError: the network has no maps, or the folder cannot be written.
        """
        from jaxsent.report.map_files import save

        if self.sentiment_map is None:
            raise UserError("This network has no detection branch, so there are no maps to write.")
        folder, size = Path(folder), self.box[2:]
        files.make_folder(folder)
        for emotion, values in {None: self.sentiment_map, **self.class_maps}.items():
            name = emotion or "sentiment_map"
            save(folder / name, values, size)
            jpeg = cv2.imencode(".jpg", self.overlay(emotion)[..., ::-1])[1]
            files.write_bytes(folder / f"{name}.jpg", jpeg.tobytes())


def doubt_of(sure: bool | None, familiar: bool | None) -> str:
    """Why not to rely on an answer, in two or three words, or nothing; None: there is no rule."""
    if familiar is False:
        return UNLIKE
    return NOT_SURE if sure is False else ""


def polarity_of(classes: tuple[str, ...], probabilities: np.ndarray) -> str | None:
    """K classes, (K,) -> the polarity of the most probable one, None where a class has none.

    As metrics.polarity_accuracy has it.
    """
    if not set(classes) <= emotions.KNOWN:
        return None
    return emotions.POLARITY[int(emotions.polarity(classes)[np.argmax(probabilities)])]
