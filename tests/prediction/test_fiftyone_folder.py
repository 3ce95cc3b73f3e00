"""What FiftyOne opens, by its format: samples, labels, heat maps.

FiftyOne 1.22.1's own importer read such a folder; it needs MongoDB, so it is no part of the tests.
"""

import json

import cv2
import numpy as np
import pytest

from jaxsent import commands
from jaxsent.errors import UserError
from jaxsent.prediction import predictor as predictors
from jaxsent.prediction.fiftyone_folder import FiftyOneFolder, heat_of
from tests.prediction.stand_in import predictor
from tests.prediction.test_saliency import SPOT, photograph


@pytest.fixture
def photos(tmp_path):
    for name, image in (("a", photograph()), ("b", np.full((64, 64, 3), 204, np.uint8))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    return [tmp_path / "a.png", tmp_path / "b.png"]


def samples(folder):
    stored = json.loads((folder / "samples.json").read_text("utf-8"))["samples"]
    return {sample["filepath"]: sample for sample in stored}


def call(monkeypatch, *arguments, **options):
    monkeypatch.setattr(predictors, "load", lambda model, engine: predictor(**options))
    monkeypatch.setattr("sys.argv", ["jaxsent", "predict", *map(str, arguments)])
    return commands.main()


def test_the_command_writes_samples_and_heat_maps(photos, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "fo"
    assert call(monkeypatch, *photos, "--fiftyone", folder, resize=0, rules=(0.75, 0.9)) == 0
    assert f"written: {folder}" in capsys.readouterr().err
    stored = samples(folder)
    assert set(stored) == {str(path) for path in photos}
    bright = stored[str(photos[1])]
    assert bright["prediction"] == {
        "_cls": "Classification", "label": "positive", "confidence": pytest.approx(0.8),
    }  # fmt: skip
    assert bright["classes"]["_cls"] == "Classifications"
    labels = [one["label"] for one in bright["classes"]["classifications"]]
    assert labels == ["positive", "negative"]
    assert bright["valence"] == {"_cls": "Regression", "value": pytest.approx(5.8)}
    assert (bright["polarity"], bright["sure"], bright["familiar"]) == ("positive", True, True)
    assert bright["tags"] == []
    spot = stored[str(photos[0])]
    assert spot["sentiment_map"]["_cls"] == "Heatmap"
    heat = cv2.imread(str(folder / spot["sentiment_map"]["map_path"]), cv2.IMREAD_UNCHANGED)
    assert heat.shape == (64, 96) and heat.dtype == np.uint8
    assert (heat.min(), heat.max()) == (0, 255)
    assert np.abs(np.subtract(np.unravel_index(heat.argmax(), heat.shape), SPOT)).max() < 6
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    assert metadata["media_type"] == "image" and "trained_on" in metadata["info"]


def test_a_later_call_adds_to_it(photos, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "fo"
    call(monkeypatch, photos[0], "--fiftyone", folder)
    call(monkeypatch, photos[1], "--fiftyone", folder)
    before = samples(folder)
    assert set(before) == {str(path) for path in photos}
    assert before[str(photos[1])]["tags"] == ["unlike its training"]
    call(monkeypatch, photos[1], "--fiftyone", folder, rules=(0.95, 1.0))
    after = samples(folder)
    assert after[str(photos[1])]["tags"] == ["not sure"]  # as the last call says
    assert after[str(photos[0])] == before[str(photos[0])]
    assert len(list((folder / "fields" / "sentiment_map").iterdir())) == 2


def test_what_was_not_looked_at_is_cold_and_a_large_photograph_has_a_small_map():
    prediction = predictor(resize=32)(np.full((400, 800, 3), 60, np.uint8))
    prediction.sentiment_map[:, 4:] = 1.0
    heat = heat_of(prediction)
    assert heat.shape == (128, 256)
    assert heat[:, :64].max() == 0 == heat[:, 192:].max()
    assert (heat[:, 150:190] == 255).all()


def test_a_network_without_maps(photos, tmp_path, monkeypatch, capsys):
    assert call(monkeypatch, photos[0], "--fiftyone", tmp_path / "fo", with_maps=False) == 0
    (sample,) = samples(tmp_path / "fo").values()
    assert "sentiment_map" not in sample and sample["prediction"]["label"] == "negative"


def test_what_cannot_be_written_or_read(tmp_path):
    provenance = predictor().card.provenance
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        FiftyOneFolder(tmp_path / "file", provenance).__enter__()
    (tmp_path / "samples.json").write_text("[]")
    with pytest.raises(UserError, match=r"samples.json: damaged .* remove it, or name another"):
        FiftyOneFolder(tmp_path, provenance).__enter__()
