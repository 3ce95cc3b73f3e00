"""What is said of one photograph, as a fragment of HTML that needs nothing from the server again.

The photograph and the maps are in it as data URIs, a map as colour with its own transparency, so
the page changes emotion and strength by itself.
"""

import base64
import json
from html import escape

import cv2
import numpy as np

from jaxsent.app.decoding import PHOTO
from jaxsent.app.wheel import wheel
from jaxsent.metrics import min_max, resize_map
from jaxsent.prediction.prediction import Prediction
from jaxsent.report.pictures import COLOURS, LARGEST_ALPHA, jpeg_uri, shrink
from jaxsent.report.words import percent
from jaxsent.run.provenance import NOT_SURE, UNLIKE

MAP = 96  # pixels across: a map is smooth, and the browser enlarges it
EVERYTHING = "sentiment map"
DOUBTS = {
    NOT_SURE: "The probability is too low to rely on the answer.",
    UNLIKE: "It looks less like a photograph than nearly all that the network was tested on.",
}


def answer(prediction: Prediction) -> str:
    """-> <article>; its attribute data-said holds `Prediction.to_dict` as JSON."""
    classes = dict(zip(prediction.labels, map(float, prediction.probabilities), strict=True))
    detected = dict(sorted(prediction.emotions.items(), key=lambda item: -item[1]))
    ranked = detected if detected.keys() - classes.keys() else classes
    maps = {}
    if prediction.sentiment_map is not None:
        maps = {EVERYTHING: prediction.sentiment_map, **prediction.class_maps}
    return (
        f'<article class="answer" data-said="{escape(json.dumps(prediction.to_dict()))}">'
        f"{_verdict(prediction, classes if ranked is detected else {})}{_view(prediction, maps)}"
        f"<div>{_ranking(ranked, maps, bool(detected))}{_wheel(ranked, ranked is detected)}</div>"
        "</article>"
    )


def _verdict(prediction, others):
    polarity = prediction.polarity
    own = polarity not in (None, prediction.label)
    sign = f'<p class="sign {polarity}">{polarity}</p>' if own else ""
    bars = "".join(f"<li>{_bar(name, p)}</li>" for name, p in others.items())
    rows = f'<ul class="rows">{bars}</ul>' if len(others) > 2 else ""
    named = f"<h2>{escape(prediction.label)} <small>{percent(prediction.probability)}</small></h2>"
    doubt = DOUBTS.get(prediction.doubt, "")
    doubt = f'<p class="doubt"><b>{prediction.doubt.capitalize()}.</b> {doubt}</p>' if doubt else ""
    ratings = ", ".join(f"{escape(name)} {value:.1f}" for name, value in prediction.ratings.items())
    rated = f'<p class="note">{ratings}</p>' if ratings else ""
    return f"<header>{named}{sign}{rated}{doubt}{rows}</header>"


def _wheel(ranked, of_detection):
    svg = wheel(ranked)
    if not svg:
        return ""
    prefix = "The detection branch’s emotions. " if of_detection else ""
    return (
        f"<figure>{svg}<figcaption>{prefix}A sector’s area is its emotion’s probability; the "
        "circles are 25, 50 and 100&#8239;%. Neighbours on the wheel are similar. "
        '<b class="sign positive">positive</b> <b class="sign negative">negative</b>'
        "</figcaption></figure>"
    )


def _ranking(ranked, maps, detected):
    if not maps:
        rows = "".join(f"<li>{_bar(name, p)}</li>" for name, p in ranked.items())
        return (
            f'<ul class="rows">{rows}</ul><p class="note">This network has no detection branch: '
            "it says what a photograph evokes and not where.</p>"
        )
    together = "of all emotions together" if detected else "of the answer"
    whole = f'<span class="whole">{EVERYTHING} <small>{together}</small></span>'
    bars = {EVERYTHING: whole}
    bars |= {name: _bar(name, p) for name, p in ranked.items()}
    rows = "".join(
        f'<label><input type="radio" name="map" value="{escape(name)}"'
        f"{' checked' if name == EVERYTHING else ''}{'' if name in maps else ' disabled'}>"
        f"{bar}</label>"
        for name, bar in bars.items()
    )
    return f'<fieldset class="rows"><legend>Choose whose map to see</legend>{rows}</fieldset>'


def _bar(name, p):
    return (
        f"<span>{escape(name)}</span>"
        f'<span class="bar"><i style="width:{100 * p:.1f}%"></i></span><b>{percent(p)}</b>'
    )


def _view(prediction, maps):
    image = prediction.image
    rows, columns = image.shape[:2]
    y, x, h, w = prediction.box
    place = (
        f"left:{100 * x / columns:.2f}%;top:{100 * y / rows:.2f}%;"
        f"width:{100 * w / columns:.2f}%;height:{100 * h / rows:.2f}%"
    )
    heats = "".join(
        f'<img class="heat" data-map="{escape(name)}" alt="" src="{_heat(map)}"'
        f"{'' if name == EVERYTHING else ' hidden'}>"
        for name, map in maps.items()
    )
    cut = " cut" if h * w < 0.98 * rows * columns else ""
    notes = ["Inside the frame is what the network saw."] if cut else []
    strength = ""
    if maps:
        notes.append("Each map is scaled from its own lowest value to its own highest.")
        strength = (
            '<label class="strength">Strength of the map <input type="range" min="0" max="100" '
            f'value="{100 * LARGEST_ALPHA:.0f}"></label>'
        )
    return (
        f'<figure class="view" style="--strength:{LARGEST_ALPHA}"><div class="photo">'
        f'<img alt="The photograph" src="{jpeg_uri(shrink(image, PHOTO))}">'
        f'<div class="seen{cut}" style="{place}">{heats}</div></div>'
        f"<figcaption>{strength}{' '.join(notes)}</figcaption></figure>"
    )


def _heat(map: np.ndarray) -> str:
    """(h, w) -> data URI of a PNG whose opacity is the map's value from lowest to highest."""
    value = min_max(resize_map(map, (MAP, MAP)))
    pixels = np.rint(255 * COLOURS(value)).astype(np.uint8)
    pixels[..., 3] = np.rint(255 * value)
    _, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA))
    return "data:image/png;base64," + base64.b64encode(data).decode()
