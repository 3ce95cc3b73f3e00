"""A predictor that needs no network: maps are brightness, and bright photographs are positive."""

import numpy as np

from jaxsent.prediction.predictor import Predictor
from jaxsent.run.card import Card, Rules


def predictor(resize=32, ratings=("valence",), rules=(0.75, 0.5), with_maps=True) -> Predictor:
    """32 × 32 pixels, maps of 8 × 8 cells, a detection branch of two emotions."""

    def network(images):
        cells = images.astype(np.float32).reshape(len(images), 8, 4, 8, 4, 3).mean((2, 4, 5)) / 255
        positive = cells.mean((1, 2))
        two = np.stack([1 - positive, positive], -1)
        out = {"class_probabilities": two, "affect": 1 + 6 * positive[:, None]}
        out["strangeness"] = cells.max((1, 2))
        if with_maps:
            maps = np.stack([1 - cells, cells], -1)
            out |= {"detect_probabilities": two, "sentiment_map": cells, "class_maps": maps}
        return out

    names = ("negative", "positive")
    emotions = ("sadness", "awe") if with_maps else ()
    card = Card(names, emotions, resize, 32, "bilinear", ratings, Rules(*rules))
    return Predictor(card, network)
