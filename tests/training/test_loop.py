"""Whole runs: what they leave behind, resuming, stopping, failing."""

import contextlib
import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsent
from jaxsent import models, pretrained
from jaxsent.data import augment
from jaxsent.errors import Diverged, UserError
from jaxsent.evaluation import evaluate
from jaxsent.pretrained import torch_writer
from jaxsent.run import experiment, folder, history, initial, logbook, ranges
from jaxsent.run.checkpoint import Checkpoints, read_run
from jaxsent.training import loop, optim


def parameters(config, workdir):
    """The last checkpoint's variables."""
    task = experiment.make(config)
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        step = checkpoints.last()
        return step, checkpoints.variables(step, initial.random_variables(task))


@pytest.fixture(scope="module")
def signalled():
    """Makes a run send itself a signal after a step."""

    @contextlib.contextmanager
    def at(step, number, monkeypatch):
        advance = logbook.Logbook.advance

        def watched(self, now):
            advance(self, now)
            if now == step:
                os.kill(os.getpid(), number)

        with monkeypatch.context() as patch:
            patch.setattr(logbook.Logbook, "advance", watched)
            yield

    return at


def test_a_run_leaves_what_the_interface_promises(tiny_config, tmp_path):
    tiny_config.eval.ten_crop, tiny_config.eval.resize = True, 40
    results = loop.train(tiny_config, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["train"]["steps"] == 6
    lines = [json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines] == [2, 4, 6]
    assert {"split", "loss", "accuracy", "learning_rate", "images_per_second"} <= lines[0].keys()
    assert list(tmp_path.glob("events.*"))
    stored = json.loads((tmp_path / "report" / "results.json").read_text())
    assert stored["count"] == results["count"] == 32
    assert stored["geometry"] == "whole"  # as the tables ask of every row of maps
    assert {"accuracy", "ten_crop_accuracy", "polarity_accuracy", "detection_accuracy"} <= (
        stored.keys()
    )
    assert {"mae", "precision", "recall", "f", "baselines"} <= stored["sentiment_map"].keys()
    assert np.sum(stored["confusion"]) == 32
    page = (tmp_path / "report" / "index.html").read_text()
    assert "WSIDNet on emoji_scenes" in page
    rows = (tmp_path / "report" / "predictions.csv").read_text().splitlines()
    assert len(rows) == 33
    again = evaluate.run(tiny_config, tmp_path)
    assert again["accuracy"] == results["accuracy"]
    assert again["sentiment_map"]["f"] == pytest.approx(results["sentiment_map"]["f"])


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_resumed_run_equals_an_unbroken_one(
    number, tiny_config, tmp_path, signalled, monkeypatch
):
    """Stopped in the middle of the first epoch of four steps, bit for bit, while the schedule
    moves at each step and dropout draws."""
    tiny_config.train.ema = 0.9
    tiny_config.optim.decay_every, tiny_config.optim.decay_rate = 0.25, 0.8
    loop.train(tiny_config, tmp_path / "unbroken")
    with signalled(2, number, monkeypatch), pytest.raises(loop.Interrupted) as stop:
        loop.train(tiny_config, tmp_path / "broken")
    assert stop.value.signal == number
    assert parameters(tiny_config, tmp_path / "broken")[0] in (2, 3)
    assert not (tmp_path / "broken" / "report").exists()
    loop.train(tiny_config, tmp_path / "broken")
    expected, resumed = (parameters(tiny_config, tmp_path / n) for n in ("unbroken", "broken"))
    assert expected[0] == resumed[0] == 6
    jax.tree.map(np.testing.assert_array_equal, resumed[1], expected[1])
    calls = history.read(tmp_path / "broken")
    names = [line["call"] for line in calls]
    assert names == ["train", "stopped", "train", "trained", "evaluate"]
    assert calls[1]["step"] == calls[2]["from_step"] in (2, 3)
    lines = logbook.read(tmp_path / "broken" / "metrics.jsonl")
    steps, rates = ([line[key] for line in lines] for key in ("step", "learning_rate"))
    assert steps == sorted(set(steps))
    assert len(set(rates)) == len(rates)


def test_a_finished_run_is_not_trained_again(tiny_config, tmp_path, monkeypatch):
    loop.train(tiny_config, tmp_path)
    monkeypatch.setattr(loop, "_run", None)
    loop.train(tiny_config, tmp_path)


def test_best_by_validation_is_kept_beside_the_last(tiny_config, tmp_path, monkeypatch):
    tiny_config.data.validation_split = "test"
    tiny_config.train.validate_every = 0.25
    scores = iter([0.1, 0.9, 0.5, 0.2, 0.3, 0.4])
    monkeypatch.setattr(evaluate, "accuracy_and_loss", lambda *_: (next(scores), 1.0))
    loop.train(tiny_config, tmp_path)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert (checkpoints.best(), checkpoints.last()) == (2, 6)
    assert json.loads((tmp_path / "report" / "results.json").read_text())["step"] == 2


@pytest.fixture
def any_rate(monkeypatch):
    """Rates that no config may have, so that parameters blow up at once."""
    for key in ("optim.lr", "optim.backbone_lr"):
        monkeypatch.setitem(ranges.RANGES, key, ranges.Range(0, 1e31))


def test_nan_stops_the_run_and_names_the_images(tiny_config, tmp_path, any_rate):
    tiny_config.optim.lr = tiny_config.optim.backbone_lr = 1e30
    with pytest.raises(Diverged, match=r"loss is (nan|inf) at step \d, learning rate") as error:
        loop.train(tiny_config, tmp_path)
    assert str(error.value).count("train/") == 16
    assert not folder.begun(tmp_path)


def test_parameters_that_blow_up_are_not_saved_over_good_ones(tiny_config, tmp_path, any_rate):
    """They are finite, up to 1e29, and so was the loss of the step that made them."""
    tiny_config.train.checkpoint_every = 1
    loop.train(tiny_config, tmp_path)
    tiny_config.train.steps, tiny_config.optim.lr = 12, 1e30
    with pytest.raises(Diverged, match=r"parameters after step 7 .* not saved"):
        loop.train(tiny_config, tmp_path, accept_changes=True)
    step, variables = parameters(tiny_config, tmp_path)
    assert step == 6
    assert all(np.abs(x).max() < 100 for x in jax.tree.leaves(variables))


@pytest.mark.parametrize(("name", "left"), [("loss", [2]), ("gradient_norm", [2, 3])])
def test_a_checkpoint_that_gave_an_infinite_loss_is_removed(
    name, left, tiny_config, tmp_path, monkeypatch
):
    """The last two are kept; the loss of step 4 is that of the parameters saved at step 3."""
    make = loop.train_step

    def broken(*arguments):
        step = make(*arguments)

        def at_the_fourth(state, batch):
            after, metrics = step(state, batch)
            metrics[name] = jnp.where(state.step == 3, jnp.inf, metrics[name])
            return after, metrics

        return at_the_fourth

    monkeypatch.setattr(loop, "train_step", broken)
    tiny_config.train.checkpoint_every = 1
    with pytest.raises(Diverged, match=f"{name.replace('_', ' ')} is inf at step 4"):
        loop.train(tiny_config, tmp_path)
    assert sorted(int(p.name) for p in (tmp_path / "checkpoints").glob("[0-9]*")) == left


def test_answers_that_are_no_numbers_are_no_result(tiny_config, tmp_path):
    task = experiment.make(tiny_config)
    variables = initial.random_variables(task)
    variables["params"]["classifier"]["bias"] *= np.nan
    with pytest.raises(Diverged, match="answers on the split test are no numbers"):
        evaluate.collect(task, variables)


def snapshot(run):
    """Names, sizes and times of a run's files."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in run.rglob("*") if p.is_file()}


def test_another_run_is_refused_and_nothing_is_touched(tiny_config, tmp_path):
    loop.train(tiny_config, tmp_path)
    before = snapshot(tmp_path)
    for path, value, message in (
        ("model.readout", "max", r"model\.readout +mean +max"),
        ("data.class_target", "polarity", r"labels\.classes"),
        ("optim.lr", 0.5, "finished at step 6; nothing would be trained"),
        ("train.steps", 3, "finished at step 6; nothing would be trained"),
        ("train.steps", 8, r"train\.steps +6 +8"),
    ):
        config = tiny_config.copy_and_resolve_references()
        section, key = path.split(".")
        config[section][key] = value
        config.model.num_classes = None
        with pytest.raises(UserError, match=message):
            loop.train(config, tmp_path)
        if path != "train.steps" or value == 8:
            with pytest.raises(UserError, match=f"{key}|labels"):
                evaluate.run(config, tmp_path)
    assert snapshot(tmp_path) == before
    predictor = jaxsent.load(tmp_path)  # a refused call had left config.json of another network
    assert len(predictor.card.classes) == 8


def test_what_is_changed_on_request_is_recorded(tiny_config, tmp_path):
    loop.train(tiny_config, tmp_path)
    tiny_config.train.steps, tiny_config.optim.lr = 8, 2e-3
    loop.train(tiny_config, tmp_path, accept_changes=True)
    stored = folder.read_config(tmp_path)
    assert (stored["train"]["steps"], stored["optim"]["lr"]) == (8, 2e-3)
    calls = [line for line in history.read(tmp_path) if line["call"] == "train"]
    assert [call["from_step"] for call in calls] == [0, 6]
    assert calls[1]["changes"] == {"train.steps": [6, 8], "optim.lr": [1e-3, 2e-3]}
    page = (tmp_path / "report" / "index.html").read_text()
    assert "2, see history.jsonl" in page


def test_each_split_has_its_own_results(tiny_config, tmp_path):
    loop.train(tiny_config, tmp_path)
    before = snapshot(tmp_path / "report")
    config = folder.read_config(tmp_path)
    tiny_config.data.test_split = "train"
    assert evaluate.run(tiny_config, tmp_path)["count"] == 64
    assert (tmp_path / "report" / "train" / "index.html").is_file()
    assert before.items() <= snapshot(tmp_path / "report").items()
    assert folder.read_config(tmp_path) == config
    last = history.read(tmp_path)[-1]
    assert (last["call"], last["split"], last["step"]) == ("evaluate", "train", 6)
    tiny_config.init.checkpoint = "gone"  # its start is not needed any more
    with pytest.raises(UserError, match="init.checkpoint"):
        evaluate.run(tiny_config, tmp_path)


def test_the_number_of_classes_follows_from_the_data(tiny_config, tmp_path):
    tiny_config.model.num_classes = tiny_config.model.detect_classes = None
    task = experiment.make(tiny_config)
    assert (task.config.model.num_classes, task.config.model.detect_classes) == (8, 8)
    tiny_config.data.class_target, tiny_config.model.num_classes = "polarity", None
    assert experiment.make(tiny_config).model.num_classes == 2
    assert experiment.class_count(tiny_config.data) == 2


def test_starting_from_another_run(tiny_config, tmp_path):
    loop.train(tiny_config, tmp_path / "first")
    _, first = parameters(tiny_config, tmp_path / "first")
    tiny_config.init.checkpoint, tiny_config.init.scope = str(tmp_path / "first"), "detection"
    tiny_config.data.class_target, tiny_config.model.num_classes = "polarity", 2
    started = initial.initial_variables(experiment.make(tiny_config))["params"]
    for part in ("backbone", "detector"):
        jax.tree.map(np.testing.assert_array_equal, started[part], first["params"][part])
    assert started["classifier"]["bias"].shape == (2,)
    tiny_config.init.scope = "all"
    with pytest.raises(UserError, match=r"classifier/bias is \(8,\), expected \(2,\)"):
        initial.initial_variables(experiment.make(tiny_config))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.batch_size", 30, "batch_size=30 does not divide over 4 devices; try 28 or 32"),
        ("model.num_classes", 5, "has 8 classes"),
        ("model.detect_classes", 6, "learns from 8 classes"),
        ("model.name", "wsidnett", "expected one of wscnet"),
        ("model.dtype", "float16", "float32 or bfloat16"),
        ("data.name", "emojis", "did you mean emoji_scenes"),
        ("data.name", "emoji_scenes/huge", "it has"),
        ("eval.resize", 16, "smaller than data.image_size"),
        ("loss.detect", "polarity", "needs data.detect_target=polarity"),
        ("init.weights", "missing.pth", "there is no such file"),
        ("init.checkpoint", "nowhere", "expected a run folder"),
        ("data.test_split", "testing", "no split testing"),
    ],
)
def test_bad_values_are_explained(path, value, message, tiny_config, tmp_path, request):
    if "4 devices" in message:
        request.getfixturevalue("four_devices")
    section, key = path.split(".")
    tiny_config[section][key] = value
    with pytest.raises(UserError, match=message):
        loop.train(tiny_config, tmp_path / "run")


def test_evaluating_what_was_never_trained(tiny_config, tmp_path):
    with pytest.raises(UserError, match="train first"):
        evaluate.run(tiny_config, tmp_path / "nothing")


def test_an_image_that_cannot_be_decoded_is_named(tiny_config, tmp_path, monkeypatch):
    decode = augment.imdecode

    def broken(content, flag, name):
        return decode(content[:100] if name == "train/000003.jpg" else content, flag, name)

    monkeypatch.setattr(augment, "imdecode", broken)
    with pytest.raises(UserError, match="train/000003.jpg"):
        loop.train(tiny_config, tmp_path)


def test_preprocessing_belongs_to_the_weights_and_travels(tiny_config, tmp_path):
    """From the weights' description to training, to config.json, and from there to evaluation."""
    weights = tmp_path / "hub"
    weights.mkdir()
    described = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic",
                 "input_size": [3, 36, 36]}  # fmt: skip
    (weights / "config.json").write_text(json.dumps({"pretrained_cfg": described}))
    task = experiment.make(tiny_config)
    assert task.preprocessing.mean == (123.675, 116.28, 103.53)
    state = pretrained.to_torch(task.model.backbone, _backbone(initial.random_variables(task)))
    torch_writer.write(weights / "model.pth", state)
    tiny_config.init.weights = str(weights / "model.pth")
    tiny_config.train.steps = 1
    tiny_config.data.image_size, tiny_config.eval.resize = 0, 40
    loop.train(tiny_config, tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "config.json").read_text())["input"]
    assert stored["mean"] == [127.5] * 3
    assert stored["interpolation"] == "bicubic"
    assert stored["size"] == 36
    (weights / "config.json").unlink()
    later = experiment.make(tiny_config, tmp_path / "run").preprocessing
    assert (later.mean, later.std) == ((127.5,) * 3, (63.75,) * 3)
    tiny_config.input.mean = (1.0, 2.0, 3.0)
    assert experiment.make(tiny_config).preprocessing.mean == (1.0, 2.0, 3.0)


def _backbone(variables):
    return {kind: trees.get("backbone", {}) for kind, trees in variables.items()}


def test_what_was_loaded_is_shown(tiny_config, tmp_path, capsys):
    task = experiment.make(tiny_config)
    state = pretrained.to_torch(task.model.backbone, _backbone(initial.random_variables(task)))
    state["fc.weight"] = np.zeros((1000, 16), np.float32)
    torch_writer.write(tmp_path / "model.pth", state)
    tiny_config.init.weights = str(tmp_path / "model.pth")
    initial.initial_variables(experiment.make(tiny_config))
    said = capsys.readouterr().err
    assert "backbone/conv1" in said
    assert "left in the file: fc.weight" in said
    row = next(line for line in said.splitlines() if line.startswith("classifier"))
    assert row.split()[1] == "0"


def test_new_layers_start_as_the_paper_says():
    """N(0, 0.01) and bias 0 (WSCNet IV-B1)."""
    model = models.build("wscnet", 8, backbone="resnet18")
    images = np.zeros((1, 64, 64, 3), np.float32)
    params = jax.jit(model.init)(jax.random.key(0), images)["params"]
    for layer in (params["detector"]["conv"], params["classifier"]):
        assert np.std(layer["kernel"]) == pytest.approx(0.01, rel=0.05)
        assert abs(np.mean(layer["kernel"])) < 1e-3
        np.testing.assert_array_equal(layer["bias"], 0)


def test_lines_after_the_last_checkpoint_are_dropped(tiny_config, tmp_path):
    """A killed run went on after its checkpoint; the resumed one writes those steps again."""
    tiny_config.train.steps, tiny_config.optim.schedule = 2, "constant"
    loop.train(tiny_config, tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "split": "train", "loss": 99.0}\n{"step": 6, "sp')
    tiny_config.train.steps = 4
    loop.train(tiny_config, tmp_path, accept_changes=True)
    lines = logbook.read(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [2, 4]
    assert lines[-1]["loss"] < 99


def test_the_averaged_parameters_are_evaluated(tiny_config, tmp_path):
    tiny_config.train.ema = 0.5
    loop.train(tiny_config, tmp_path)
    task = experiment.make(tiny_config)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        plain = initial.random_variables(task)
        state = loop.TrainState.create(
            plain, optim.optimizer(tiny_config.optim, lambda _: 1.0, False), True
        )
        state = checkpoints.restore(state, checkpoints.last())
        evaluated = checkpoints.variables(checkpoints.last(), plain)
    averages = {"params": state.ema, "batch_stats": state.ema_batch_stats}
    jax.tree.map(np.testing.assert_array_equal, evaluated, averages)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    jax.tree.map(np.testing.assert_array_equal, read_run(tmp_path, device), averages)
    for kind in ("params", "batch_stats"):
        pairs = zip(jax.tree.leaves(getattr(state, kind)), jax.tree.leaves(evaluated[kind]))
        assert max(np.abs(a - b).max() for a, b in pairs) > 0
