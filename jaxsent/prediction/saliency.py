"""A predictor's maps as a model of pysaliency, so that its data sets and metrics run on them."""

import numpy as np

from jaxsent.errors import UserError
from jaxsent.metrics import resize_map
from jaxsent.prediction.prediction import Prediction


def pysaliency_model(predictor, emotion: str | None = None, **options):
    """A `pysaliency.SaliencyMapModel`: (H, W) or (H, W, 3) uint8 stimuli -> (H, W) float64 maps.

    Args:
      predictor: of predictor.load.
      emotion: whose class map; None for the sentiment map.
      options: of pysaliency's class, as caching=False.

    Raises:
      UserError: pysaliency cannot be imported; and, of each stimulus, there is no such map.
    """
    try:
        from pysaliency import SaliencyMapModel
    except ImportError as error:
        raise UserError(
            f"pysaliency cannot be imported ({error}): pip install pysaliency torch "
            "'setuptools<82', which it needs without saying so."
        ) from None

    class SentimentMaps(SaliencyMapModel):
        def _saliency_map(self, stimulus):
            return map_of(predictor(np.asarray(stimulus, np.uint8)), emotion)

    return SentimentMaps(**options)


def map_of(prediction: Prediction, emotion: str | None = None) -> np.ndarray:
    """(H, W) float64 of the whole photograph; the map's minimum where the network did not look.

    Raises:
      UserError: the network has no such map.
    """
    y, x, height, width = prediction.box
    values = resize_map(prediction.map_of(emotion), (height, width))
    whole = np.full(prediction.image.shape[:2], values.min(), np.float64)
    whole[y : y + height, x : x + width] = values
    return whole
