"""What the page and its endpoint answer."""

import base64
import io
import json
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from jaxsent.app.answer import answer
from jaxsent.app.wheel import RADIUS, wheel
from jaxsent.emotions import MIKELS, POLARITY, POSITIVE, WHEEL
from jaxsent.prediction.predictor import Predictor
from tests.app.stand_in import CARD, PREDICTOR, client, encoded, network


def test_json_is_what_the_command_prints():
    photo = encoded(form="PNG")
    with client() as c:
        response = c.post("/predict", content=photo)
    body = response.json()
    expected = PREDICTOR(photo).to_dict()
    assert response.status_code == 200
    model = body.pop("model")
    assert {**body, "seconds": 0} == {**expected, "seconds": 0}
    assert model["measured"] == "It was not tested."
    assert list(body["probabilities"]) == list(PREDICTOR(photo).labels)


def test_every_kind_of_photograph():
    frames = [Image.new("RGB", (40, 30), c) for c in ("white", "black")]
    moving = io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    with client() as c:
        for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
            assert c.post("/predict", content=encoded(form=form)).status_code == 200, form
        first = c.post("/predict", content=moving.getvalue()).json()
    assert first["label"] == "awe"


def test_the_fragment_holds_everything():
    with client() as c:
        accept = {"accept": "text/html"}
        text = c.post("/predict", content=encoded(), headers=accept).text
    assert re.search("<h2>awe <small>78.4.%</small></h2>", text)
    fields = re.search('data-said="([^"]*)"', text)[1].replace("&quot;", '"')
    assert json.loads(fields)["label"] == "awe"
    assert text.count('type="radio"') == text.count('class="heat"') == 1 + len(MIKELS)
    assert "Inside the frame" in text  # the central square of 64 × 48
    heat = re.search('data-map="fear" alt="" src="data:image/png;base64,([^"]*)"', text)[1]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(heat), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels[0, 0, 3] == 0 and pixels[-1, 0, 3] == 255  # opaque where it evokes most


def test_a_network_of_polarity():
    """Its polarity is the answer; the detection branch's emotions are on the wheel."""

    def two(images):
        out = network(images)
        out["class_probabilities"] = np.full((len(images), 2), [0.25, 0.75], np.float32)
        return out

    text = answer(Predictor(CARD._replace(classes=POLARITY), two)(np.zeros((32, 32, 3), np.uint8)))
    assert re.search("<h2>positive <small>75.0.%</small></h2>", text)
    assert "The detection branch’s emotions" in text and "fear 100%" in text
    assert "Inside the frame" not in text  # all of it was seen


def test_a_network_without_detection_branch_shows_no_maps():
    def plain(images):
        return {"class_probabilities": network(images)["class_probabilities"]}

    text = answer(Predictor(CARD._replace(emotions=()), plain)(np.zeros((32, 32, 3), np.uint8)))
    assert "This network has no detection branch" in text
    assert "radio" not in text and "heat" not in text and "range" not in text
    assert "wheel" in text


def test_areas_of_the_wheel():
    p = dict(zip(MIKELS, np.linspace(0.01, 0.24, 8).tolist()))
    drawn = wheel(p)
    sectors = re.findall(r'class="(\w+)" d="M0 0L\S+ \S+?A([\d.]+)', drawn)
    assert [sign == "positive" for sign, _ in sectors] == [name in POSITIVE for name in WHEEL]
    for (_, radius), name in zip(sectors, WHEEL, strict=True):
        assert (float(radius) / RADIUS) ** 2 == pytest.approx(p[name], abs=2e-3)
    heights = {n: float(y) for y, n in re.findall(r'y="(\S+)" text-anchor="\w+">(\w+)', drawn)}
    assert max(heights[n] for n in POSITIVE & set(WHEEL)) < heights["fear"]  # positive is above
    assert wheel({"positive": 0.4, "negative": 0.6}) == ""
