"""From one set to another: the detection branch of a run on eight emotions learns polarity on EMOd,
and its maps are compared with fixations; what learnt SALICON's is tested there without training."""

import csv
import json

import cv2
import jax
import numpy as np
import pytest
import scipy.io

from jaxsent import models
from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.metrics import HIGHER_IS_BETTER
from jaxsent.run import experiment, initial
from jaxsent.run.checkpoint import read_run
from jaxsent.training import loop
from tests import tiny
from tests.tfds_builders import test_salicon, trees

COUNT = 40


@pytest.fixture(scope="module")
def emod(tmp_path_factory):
    """Forty photographs, each with a bright disc; people look there, and once elsewhere."""
    root = tmp_path_factory.mktemp("EMOd")
    maps = root / "Fixation_Maps" / "FixationMap"
    rng = np.random.default_rng(0)
    for n in range(1, COUNT + 1):
        image = rng.integers(40, 90, (48, 64, 3), np.uint8)
        centre = tuple(int(v) for v in rng.integers(14, 34, 2))
        cv2.circle(image, centre, 8, (40, 60, 250), -1)
        fixations = np.zeros((48, 64), np.uint8)
        fixations[centre[1] - 3 : centre[1] + 4 : 3, centre[0] - 3 : centre[0] + 4 : 3] = 255
        fixations[tuple(rng.integers(0, 48, 2))] = 255
        soft = cv2.GaussianBlur(fixations.astype(np.float32), (0, 0), 4)
        for folder, picture in (
            (root / "EMOdImages1019", image),
            (maps / "Continous_map", np.uint8(255 * soft / soft.max())),
            (maps / "Binary_map", fixations),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            png = cv2.imencode(".png", picture)[1].tobytes()
            name = f"{n:04}" if picture.ndim == 3 else str(n)
            (folder / f"{name}.jpg").write_bytes(png)
    table = rng.uniform(1, 9, (COUNT, 16))
    table[:, 0] = np.arange(1, COUNT + 1)
    table[:, 3] = np.where(np.arange(COUNT) % 2, 6.5, 3.25)
    scipy.io.savemat(root / "allfindata1019_renamed.mat", {"allfindata1019": table})
    return root


def test_transfer_and_attention(tiny_config, emod, tmp_path):
    loop.train(tiny_config, tmp_path / "emotions")

    c = tiny_config
    c.data.name, c.data.source, c.data.dir = "emod", str(emod), str(tmp_path / "prepared")
    c.data.class_target = c.data.detect_target = "polarity"
    c.model.num_classes, c.loss.detect = 2, "polarity"
    c.init.checkpoint, c.init.scope = str(tmp_path / "emotions"), "detection"
    c.train.batch_size = c.eval.batch_size = 8
    c.train.steps = 2
    compare = ("predicted_class", "grad_cam", "centre_gaussian", "itti_koch", "random")
    c.eval.compare, c.eval.maps = compare, str(tmp_path / "maps")
    results = loop.train(c, tmp_path / "emod")

    attention = results["attention"]
    assert attention["baselines"].keys() == set(compare)
    for scores in (attention, *attention["baselines"].values()):
        assert np.isfinite([scores[name] for name in HIGHER_IS_BETTER]).all()
        low, high = scores["cc_interval"]
        assert low <= scores["cc"] <= high
    assert attention["baselines"]["itti_koch"]["cc"] > attention["baselines"]["random"]["cc"] + 0.2
    assert (attention["count"], attention["no_fixation"]) == (results["count"], 0)
    assert "sentiment_map" not in results
    assert len(results["detect_classes"]) == 8

    report = tmp_path / "emod" / "report"
    assert "Where people look" in (report / "index.html").read_text()
    with (report / "maps.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == results["count"] * (1 + len(compare))
    own = [float(row["cc"]) for row in rows if row["map"] == "sentiment_map"]
    assert np.mean(own) == pytest.approx(attention["cc"], abs=1e-5)
    folders = {path.parent for path in (tmp_path / "maps").rglob("awe.npy")}
    assert len(folders) == results["count"]

    stored = json.loads((report / "results.json").read_text())
    c.eval.maps = ""
    again = evaluate.run(c, tmp_path / "emod")
    assert again["attention"]["cc"] == pytest.approx(stored["attention"]["cc"], abs=1e-4)


@pytest.mark.parametrize(
    ("scope", "top", "detector"),
    [("detection", False, True), ("features", False, False), ("backbone", True, False)],
)
def test_which_parts_of_a_run_are_taken(
    scope, top, detector, tiny_config, tmp_path, monkeypatch, capsys
):
    """The layers behind the feature maps are the classification branch's alone."""
    monkeypatch.setattr(tiny.Tiny, "TOP", ("conv2",))  # as if it were fc6
    loop.train(tiny_config, tmp_path / "first")
    first = read_run(tmp_path / "first", jax.sharding.SingleDeviceSharding(jax.devices()[0]))
    tiny_config.init.checkpoint, tiny_config.init.scope = str(tmp_path / "first"), scope
    tiny_config.seed = 1  # other random weights
    capsys.readouterr()
    started = initial.initial_variables(experiment.make(tiny_config))

    def same(part, *layers):
        equal = jax.tree.map(np.array_equal, started["params"][part], first["params"][part])
        for layer in layers:
            equal = equal[layer]
        return all(jax.tree.leaves(equal))

    assert same("backbone", "conv1")
    assert same("backbone", "conv2") == top
    assert same("detector") == detector
    assert not same("classifier")
    np.testing.assert_array_equal(
        started["batch_stats"]["backbone"]["bn1"]["mean"],
        first["batch_stats"]["backbone"]["bn1"]["mean"],
    )
    warned = "they start from random ones" in " ".join(capsys.readouterr().err.split())
    assert warned == (not top)


@pytest.mark.parametrize("name", ["vgg16", "alexnet", "resnet18", "efficientnet_lite0"])
def test_the_top_is_what_the_embedding_alone_reads(name):
    """Without it the feature maps can be computed, and the embedding where there is such a top."""
    backbone = models.build(name, num_classes=2)
    images = np.zeros((1, 64, 64, 3), np.float32)
    params = jax.eval_shape(backbone.init, jax.random.key(0), images)["params"]
    features = jax.eval_shape(
        lambda x: backbone.init(jax.random.key(0), x, method="features"), images
    )["params"]
    beyond = params.keys() - features.keys() - {"fc", "fc8", "classifier"}
    assert beyond == set(backbone.TOP)


@pytest.fixture(scope="module")
def salicon(tmp_path_factory, emod):
    """EMOd's first photographs and maps again as 16 for training and 8 of validation."""
    root = tmp_path_factory.mktemp("SALICON")
    maps = emod / "Fixation_Maps" / "FixationMap"
    for n in range(1, 25):
        name = "train" if n <= 16 else "val"
        stem = test_salicon.stem(name, n)
        for source, target in (
            (emod / "EMOdImages1019" / f"{n:04}.jpg", root / "images" / name / f"{stem}.jpg"),
            (maps / "Continous_map" / f"{n}.jpg", root / "maps" / name / f"{stem}.png"),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
        binary = cv2.imread(str(maps / "Binary_map" / f"{n}.jpg"), cv2.IMREAD_GRAYSCALE)
        fixations = np.argwhere(binary)[:, ::-1] + 1
        test_salicon.write_gaze(
            root / "fixations" / name / f"{stem}.mat", [fixations[:4], fixations[4:]], binary.shape
        )
    return root


def test_what_learnt_salicon_is_tested_on_emod(tiny_config, emod, salicon, tmp_path):
    c = tiny_config
    c.model.name, c.model.num_classes, c.model.detect_classes = "casnet", None, 2
    c.data.name, c.data.map = "salicon", "fixation_map"
    c.data.source, c.data.dir = str(salicon), str(tmp_path / "prepared")
    c.data.class_target = c.data.detect_target = "label"
    c.train.batch_size = c.eval.batch_size = 8
    c.train.steps = 2
    own = loop.train(c, tmp_path / "run")
    assert (own["count"], own["attention"]["no_fixation"]) == (8, 0)
    assert "accuracy" not in own
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert "images/val/COCO_val2014_" in page  # examples, though nothing has a label

    c.data.name, c.data.source = "emod", str(emod)
    evaluate.run(c, tmp_path / "run")
    results = json.loads((tmp_path / "run" / "report" / "emod" / "results.json").read_text())
    assert (results["data"], results["geometry"]) == ("emod", "whole")
    assert results["attention"]["count"] == results["count"] == COUNT // 5
    assert np.isfinite([results["attention"][name] for name in HIGHER_IS_BETTER]).all()
    kept = json.loads((tmp_path / "run" / "report" / "results.json").read_text())
    assert kept["data"] == "salicon"


def test_what_does_not_fit_is_named(tiny_config, tmp_path):
    loop.train(tiny_config, tmp_path / "emotions")
    tiny_config.init.checkpoint, tiny_config.init.scope = str(tmp_path / "emotions"), "detection"
    tiny_config.model.maps_per_class = 2
    with pytest.raises(UserError, match=r"detector/conv/bias is \(32,\), expected \(16,\)"):
        initial.initial_variables(experiment.make(tiny_config))


def test_an_image_without_a_label_stops_training(tiny_config, tmp_path):
    """Photographs of one's own classes have no polarity unless it is said."""
    for label in ("cat", "dog"):
        for i in range(12):
            trees.photograph(
                tmp_path / "pets" / label / f"{i}.jpg", f"{label}{i}", height=40, width=40
            )
    c = tiny_config
    c.data.name, c.data.source = "folder/pets", str(tmp_path / "pets")
    c.data.dir = str(tmp_path / "prepared")
    c.data.class_target = c.data.detect_target = "polarity"
    c.model.num_classes, c.loss.detect = 2, "polarity"
    c.train.batch_size = c.eval.batch_size = 4
    with pytest.raises(UserError, match=r"jpg: this image has no polarity to learn from"):
        loop.train(c, tmp_path / "run")
