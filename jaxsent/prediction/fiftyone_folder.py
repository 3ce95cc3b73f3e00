"""A folder that FiftyOne opens: every photograph with its label, ratings and heat map.

Its format is FiftyOne's serialised JSON, `fo.types.LegacyFiftyOneDataset`: `metadata.json`,
`samples.json` and images below `fields/`. Photographs stay where they are; nothing of FiftyOne is
needed to write it.
"""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

from jaxsent.errors import UserError
from jaxsent.metrics import min_max, resize_map
from jaxsent.prediction.prediction import Prediction

SIDE = 256  # pixels of a heat map's longer side; FiftyOne stretches it over the photograph
MAPS = Path("fields") / "sentiment_map"


class FiftyOneFolder:
    """An open folder, as a context manager; samples of an earlier call stay in it.

    Args:
      folder: made where it is not there.
      provenance: what the model was trained on, kept as the data set's info.

    Raises:
      UserError: the folder cannot be written, or its samples.json is damaged.
    """

    def __init__(self, folder: Path, provenance):
        self.folder, self.provenance = folder, provenance
        self.samples: dict[str, dict] = {}

    def __enter__(self):
        path = self.folder / "samples.json"
        try:
            (self.folder / MAPS).mkdir(parents=True, exist_ok=True)
            stored = json.loads(path.read_text("utf-8"))["samples"] if path.is_file() else []
            self.samples = {sample["filepath"]: sample for sample in stored}
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written ({error.strerror}).") from None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: damaged ({error!r}); remove it, or name another.") from None
        return self

    def add(self, photo: Path, prediction: Prediction) -> None:
        """Writes the heat map; the sample is written with all others at the end."""
        filepath = str(photo.absolute())
        name = hashlib.blake2b(filepath.encode(), digest_size=8).hexdigest()
        self.samples[filepath] = sample_of(filepath, prediction)
        if prediction.sentiment_map is not None:
            place = MAPS / f"{name}.png"
            png = cv2.imencode(".png", heat_of(prediction))[1].tobytes()
            (self.folder / place).write_bytes(png)
            heat = {"_cls": "Heatmap", "map_path": place.as_posix()}
            self.samples[filepath]["sentiment_map"] = heat

    def __exit__(self, *_):
        metadata = {"media_type": "image", "info": self.provenance.to_dict()}
        samples = {"samples": list(self.samples.values())}
        for name, document in (("metadata.json", metadata), ("samples.json", samples)):
            whole = self.folder / f"{name}.new"
            whole.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
            whole.replace(self.folder / name)


def sample_of(filepath: str, prediction: Prediction) -> dict:
    """A Prediction -> FiftyOne's sample, without its heat map."""
    chances = zip(prediction.labels, map(float, prediction.probabilities), strict=True)
    classes = [_classification(label, chance) for label, chance in chances]
    sample = {
        "filepath": filepath,
        "tags": [prediction.doubt] if prediction.doubt else [],
        "prediction": classes[0],
        "classes": {"_cls": "Classifications", "classifications": classes},
    }
    for name, value in prediction.ratings.items():
        sample[name] = {"_cls": "Regression", "value": float(value)}
    known = {name: getattr(prediction, name) for name in ("polarity", "sure", "familiar")}
    return sample | {name: value for name, value in known.items() if value is not None}


def _classification(label: str, confidence: float) -> dict:
    return {"_cls": "Classification", "label": label, "confidence": confidence}


def heat_of(prediction: Prediction) -> np.ndarray:
    """(h, w) uint8 of the whole photograph, from the map's least, 0, to its highest, 255.

    What the network did not look at is 0.
    """
    size = prediction.image.shape[:2]
    share = min(SIDE / max(size), 1)
    heat = np.zeros([max(round(share * side), 1) for side in size], np.uint8)
    y, x, height, width = (round(share * edge) for edge in prediction.box)
    part = heat[y : y + height, x : x + width]
    if part.size:
        part[...] = np.rint(255 * min_max(resize_map(prediction.sentiment_map, part.shape)))
    return heat
