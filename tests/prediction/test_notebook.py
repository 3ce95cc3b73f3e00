"""What a notebook shows of a prediction."""

import base64
import re

import cv2
import numpy as np

from tests.prediction.stand_in import predictor
from tests.prediction.test_saliency import SPOT, photograph


def shown(page: str) -> np.ndarray:
    data = base64.b64decode(re.search(r'src="data:image/jpeg;base64,([^"]+)"', page)[1])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_a_short_repr():
    plain = np.full((40, 40, 3), 204, np.uint8)
    assert repr(predictor()(plain)) == "Prediction(positive 0.80, valence 5.8, unlike its training)"
    assert repr(predictor(rules=(None, None))(plain)) == "Prediction(positive 0.80, valence 5.8)"
    assert repr(predictor(ratings=(), rules=(0.9, 1.0))(plain)) == (
        "Prediction(positive 0.80, not sure)"
    )


def test_the_photograph_with_its_map_and_the_answer():
    page = predictor(resize=0)(photograph())._repr_html_()
    for part in ("<b>negative</b>", "positive 0.", "valence 1.", "unlike its training"):
        assert part in page
    picture = shown(page)
    assert picture.shape == (64, 96, 3)
    hot, cold = picture[SPOT].astype(int), picture[60, 4].astype(int)
    assert hot.max() - hot.min() > 60  # the colours of heat, which a grey photograph has not
    assert cold.max() - cold.min() < 30


def test_a_large_photograph_is_shown_small_and_outside_the_crop_as_it_is():
    page = predictor(resize=32)(np.full((600, 1200, 3), 128, np.uint8))._repr_html_()
    picture = shown(page).astype(int)
    assert picture.shape == (180, 360, 3)
    assert np.abs(picture[:, :80] - 128).max() <= 4


def test_without_a_map_and_without_the_photograph(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), photograph())
    prediction = predictor(with_maps=False)(path)
    assert np.ptp(shown(prediction._repr_html_())[SPOT].astype(int)) < 4  # grey, as it is
    again = predictor()(path)
    path.unlink()
    page = again._repr_html_()
    assert "<img" not in page and "<b>negative</b>" in page


def test_names_are_escaped():
    odd = predictor()
    odd.card = odd.card._replace(classes=("<script>", "b & c"))
    page = odd(photograph())._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page and "b &amp; c" in page
