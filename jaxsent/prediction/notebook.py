"""How a prediction shows in a notebook: the photograph with its map, the answer beside it."""

import base64
import html

import cv2
import numpy as np

from jaxsent.data import augment
from jaxsent.errors import UserError

SIDE = 360  # pixels of the picture's longer side
MOST = 4  # classes shown


def html_of(prediction) -> str:
    """A Prediction -> HTML without scripts, the picture in it as data."""
    picture = _picture(prediction)
    image = "" if picture is None else f'<img alt="" style="max-width:100%" src="{_data(picture)}">'
    chances = zip(prediction.labels[:MOST], prediction.probabilities[:MOST])
    rows = [_bar(name, float(chance)) for name, chance in chances]
    rated = ", ".join(f"{name} {value:.1f}" for name, value in prediction.ratings.items())
    lines = [
        f'<div style="font-size:1.3em"><b>{html.escape(prediction.label)}</b> '
        f"{prediction.probability:.2f}</div>",
        f"<div>{html.escape(prediction.doubt)}</div>" if prediction.doubt else "",
        "".join(rows),
        f"<div>{html.escape(rated)}</div>" if rated else "",
    ]
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'{image}<div style="min-width:14em">{"".join(lines)}</div></div>'
    )


def text_of(prediction) -> str:
    """Prediction(positive 0.91, valence 5.4, arousal 3.9, not sure)"""
    parts = [f"{prediction.label} {prediction.probability:.2f}"]
    parts += [f"{name} {value:.1f}" for name, value in prediction.ratings.items()]
    parts += [prediction.doubt] if prediction.doubt else []
    return f"Prediction({', '.join(parts)})"


def _bar(name: str, chance: float) -> str:
    bar = f"background:currentColor;opacity:.5;height:.5em;width:{100 * chance:.1f}%"
    return (
        f'<div style="margin:.3em 0">{html.escape(name)} {chance:.2f}'
        f'<div style="{bar}"></div></div>'
    )


def _picture(prediction) -> np.ndarray | None:
    """(h, w, 3) uint8, small; None where the photograph is there no more."""
    from jaxsent.report.pictures import overlay

    try:
        image = prediction.image
    except UserError:
        return None
    share = min(SIDE / max(image.shape[:2]), 1)
    height, width = (max(round(share * side), 1) for side in image.shape[:2])
    small = augment.resize(image, height, width).copy()
    if prediction.sentiment_map is not None:
        y, x, h, w = prediction.box
        top, left = round(share * y), round(share * x)
        part = small[top : round(share * (y + h)), left : round(share * (x + w))]
        if part.size:
            part[...] = overlay(part, prediction.sentiment_map)
    return small


def _data(picture: np.ndarray) -> str:
    encoded = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"
