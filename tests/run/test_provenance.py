"""What a model says of itself wherever it answers."""

import numpy as np
import pytest

from jaxsent.commands import predict
from jaxsent.errors import UserError
from jaxsent.prediction.predictor import Predictor
from jaxsent.run.card import Card, Rules, card_of
from jaxsent.run.provenance import DRAWN, OPENMOJI, credit, measured, provenance

METADATA = {
    "labels": {"classes": ["negative", "positive"], "emotions": []},
    "data": {"name": "oasis/fold1", "image_size": 16}, "eval": {"resize": 0},
    "input": {"interpolation": "bilinear"}, "model": {"regress": ["valence"]},
    "rules": {"sure": 0.75, "strangeness": 2.0},
    "results": {"accuracy": 0.8, "accuracy_interval": [0.75, 0.84], "count": 463, "auc": 0.873,
                "majority": 0.65, "unseen": "photographs of unseen themes"},
}  # fmt: skip


def test_data_raters_and_numbers():
    text = " ".join(provenance(METADATA).sentences())
    assert "photographs of OASIS" in text
    assert "about 100 people in the USA" in text
    assert "Right for 80 % (95 % interval 75–84 %) of 463 photographs of unseen themes" in text
    assert "always the commonest answer: 65 %; AUC 0.87" in text
    assert DRAWN not in text


def test_drawings_are_warned_of_first():
    drawn = provenance({"data": {"name": "emoji_scenes/tiny"}})
    assert drawn.sentences()[0] == drawn.warning == DRAWN
    assert drawn.to_dict()["warning"] == DRAWN
    assert (credit("emoji_scenes/tiny"), credit("oasis/fold1")) == (OPENMOJI, "")


@pytest.mark.parametrize("results", [None, {}, {"accuracy": None}, {"accuracy": float("nan")}, [1]])
def test_what_was_not_tested_says_so(results):
    assert measured(results) == "It was not tested."


def answer(probability, distance, rules=METADATA["rules"]):
    card = card_of(METADATA | {"rules": rules}, "model")

    def network(images):
        count = len(images)
        return {
            "class_probabilities": np.tile(np.float32([1 - probability, probability]), (count, 1)),
            "strangeness": np.full(count, distance, np.float32),
            "affect": np.full((count, 1), 5.25, np.float32),
        }

    return Predictor(card, network)(np.zeros((20, 30, 3), np.uint8))


@pytest.mark.parametrize(("probability", "distance", "sure", "familiar", "doubt"), [
    (0.76, 1.9, True, True, ""),
    (0.74, 1.9, False, True, "not sure"),
    (0.24, 1.9, True, True, ""),  # negative
    (0.99, 2.1, False, False, "unlike its training"),
])  # fmt: skip
def test_when_an_answer_is_to_be_relied_on(probability, distance, sure, familiar, doubt):
    prediction = answer(probability, distance)
    assert (prediction.sure, prediction.familiar, prediction.doubt) == (sure, familiar, doubt)
    fields = prediction.to_dict()
    assert (fields["sure"], fields["familiar"]) == (sure, familiar)
    assert fields["ratings"] == {"valence": 5.25}
    assert prediction.box == (0, 0, 20, 30)


def test_without_rules_nothing_is_claimed():
    prediction = answer(0.6, 9.0, rules={})
    assert (prediction.sure, prediction.familiar, prediction.doubt) == (None, None, "")
    assert not {"sure", "familiar"} & prediction.to_dict().keys()


def test_damaged_rules():
    with pytest.raises(UserError, match="damaged"):
        card_of(METADATA | {"rules": {"sure": "often"}}, "model")


def test_a_model_is_told_from_photographs(tmp_path):
    run, photos = tmp_path / "run", tmp_path / "photos"
    run.mkdir()
    photos.mkdir()
    (run / "config.json").write_text("{}")
    (photos / "a.jpg").write_bytes(b"")
    named = str(photos), str(photos / "a.jpg")
    assert predict.split([str(run), *named]) == (str(run), list(named))
    assert predict.split(["hf:mary/model", "x.jpg"]) == ("hf:mary/model", ["x.jpg"])
    assert predict.split(["model.onnx", "x.jpg"]) == ("model.onnx", ["x.jpg"])
    assert predict.split(list(named)) == (None, list(named))
    assert predict.split(["nowhere.jpg", "b.jpg"]) == (None, ["nowhere.jpg", "b.jpg"])
    assert predict.split(["photos/*.jpg"]) == (None, ["photos/*.jpg"])
    with pytest.raises(UserError, match="is a model: expected photographs behind it"):
        predict.split([str(run)])
    with pytest.raises(UserError, match="there is no such file or folder; expected a model"):
        predict.split(["runs/typo", "x.jpg"])


def test_a_card_without_any_of_it():
    card = Card(("a", "b"), (), 32, 32, "bilinear")
    assert card.rules == Rules(None, None)
    assert card.provenance.warning == ""
