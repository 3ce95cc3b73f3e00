"""Crops that a frozen backbone saw once: their outputs, their files, training on them."""

import itertools

import chex
import jax
import numpy as np
import pytest

from jaxsent.data import records
from jaxsent.data.elements import TrainElement
from jaxsent.errors import UserError
from jaxsent.models import stored
from jaxsent.models.inference import normalise
from jaxsent.run import checks, experiment, initial
from jaxsent.run.checkpoint import read_run
from jaxsent.run.state import TrainState
from jaxsent.training import crops, loop, optim
from jaxsent.training.step import train_step
from tests.faults.test_locks import holder


@pytest.fixture
def config(tiny_config, tmp_path, prepared):
    tiny_config.model.freeze, tiny_config.data.crops = "backbone", 3
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "emoji_scenes").symlink_to(prepared / "emoji_scenes")
    tiny_config.data.dir = str(tmp_path / "data")
    return tiny_config


def made(config):
    task = experiment.make(config)
    return task, initial.random_variables(task)


def test_crops_are_those_of_the_augmentation_as_the_backbone_sees_them(config):
    task, variables = made(config)
    kept = crops.crops(task, variables)
    assert kept.outputs["features"].shape == (64, 3, 8, 8, 16)
    assert kept.outputs["embedding"].shape == (64, 3, 16)
    raw = records.source(task.builder, "train")[41]
    assert kept.columns["file"][41] == records.text(raw["file"])
    assert kept.columns["label"][41] == raw["label"]
    cut = TrainElement(32, (0.08, 1.0), (3 / 4, 4 / 3), 0.5, "bilinear", ())
    image = cut(raw, np.random.default_rng((3, 41, 2)))["image"]
    images = normalise(image[None], task.preprocessing.mean, task.preprocessing.std)
    expected = stored.outputs(task.model, variables, images)
    np.testing.assert_allclose(kept.outputs["features"][41, 2], expected["features"][0], atol=3e-3)
    np.testing.assert_allclose(
        kept.outputs["embedding"][41, 2], expected["embedding"][0], rtol=1e-4, atol=1e-6
    )


def test_crops_are_made_once_and_anew_where_another_augmentation_or_weights_ask(
    config, monkeypatch
):
    task, variables = made(config)
    first = crops.crops(task, variables)
    written = []
    write = crops._write
    monkeypatch.setattr(crops, "_write", lambda *a: (written.append(a[-1]), write(*a)))
    config.seed = 7  # seeds share them
    again = crops.crops(experiment.make(config), variables)
    assert not written
    np.testing.assert_array_equal(again.outputs["features"], first.outputs["features"])
    config.augment.scale = (0.5, 1.0)
    crops.crops(experiment.make(config), variables)
    assert len(written) == 1
    other = jax.tree.map(lambda x: x + 1, variables)
    crops.crops(experiment.make(config), other)
    assert len(set(written)) == 2


def test_batches_go_on_where_they_were_left_and_are_whole_epochs(config):
    kept = crops.crops(*made(config))
    first = list(itertools.islice(crops.train_batches(kept, batch_size=16, seed=1), 8))
    for epoch in (first[:4], first[4:]):
        files = np.concatenate([batch["file"] for batch in epoch])
        assert sorted(files) == sorted(kept.columns["file"])
    later = next(crops.train_batches(kept, batch_size=16, seed=1, start_step=5))
    chex.assert_trees_all_equal(
        {k: v for k, v in later.items() if k != "file"},
        {k: v for k, v in first[5].items() if k != "file"},
    )
    assert list(later["file"]) == list(first[5]["file"])
    other = next(crops.train_batches(kept, batch_size=16, seed=2))
    assert list(other["file"]) != list(first[0]["file"])
    row = list(kept.columns["file"]).index(first[0]["file"][3])
    assert any((first[0]["features"][3] == crop).all() for crop in kept.outputs["features"][row])


def test_a_step_on_stored_outputs_is_the_step_on_the_images(config):
    config.data.crops = 0
    task, variables = made(config)
    tx = optim.optimizer(config.optim, optim.schedule(config.optim, 4, 10), frozen=True)
    state = TrainState.create(variables, tx, ema=False)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 32, 32, 3), np.uint8)
    labels = np.arange(16, dtype=np.int32) % 8
    targets = {"label": labels, "polarity": labels % 2, "mask": np.ones(16, bool)}
    shown = normalise(images, task.preprocessing.mean, task.preprocessing.std)
    outputs = stored.outputs(task.model, variables, shown)

    def after(network, batch):
        step = train_step(
            network, tx, optim.schedule(config.optim, 4, 10), config, task.class_polarity,
            task.preprocessing,
        )  # fmt: skip
        return jax.jit(step)(state, batch | targets)

    expected, metrics = after(task.model, {"image": images})
    trained, others = after(stored.above(task.model), outputs)  # the same dropout
    chex.assert_trees_all_close(trained.params, expected.params, rtol=1e-5, atol=1e-7)
    chex.assert_trees_all_close(trained.batch_stats, expected.batch_stats)
    chex.assert_trees_all_close(others, metrics, rtol=1e-4)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), trained.params, state.params)
    assert moved["detector"]["conv"]["kernel"] > 0
    assert max(jax.tree.leaves(moved["backbone"])) == 0


def test_a_run_on_crops_resumes_bit_for_bit_and_is_evaluated_on_photographs(
    config, tmp_path, monkeypatch
):
    config.train.checkpoint_every = 2
    results = loop.train(config, tmp_path / "whole")
    assert results["count"] == 32
    batches = crops.train_batches

    def stopped(*args, **kwargs):
        yield from itertools.islice(batches(*args, **kwargs), 3)
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(crops, "train_batches", stopped)
        with pytest.raises(InterruptedError):
            loop.train(config, tmp_path / "parts")
    loop.train(config, tmp_path / "parts")
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    one, two = (read_run(tmp_path / run, device) for run in ("whole", "parts"))
    chex.assert_trees_all_equal(one, two)
    task, variables = made(config)
    chex.assert_trees_all_equal(one["params"]["backbone"], variables["params"]["backbone"])
    chex.assert_trees_all_equal(one["batch_stats"], variables["batch_stats"])


def test_a_trained_backbone_is_refused(config, tmp_path):
    config.model.freeze = "none"
    with pytest.raises(UserError, match="model.freeze=none"):
        loop.train(config, tmp_path / "run")


def test_a_second_process_waits_for_the_first_ones_crops(config, monkeypatch, capfd):
    task, variables = made(config)
    folder = crops._folder(task, variables, "train")
    written, write = [], crops._write
    monkeypatch.setattr(crops, "_write", lambda *a: (written.append(a[-1]), write(*a)))
    with holder(folder.with_name(f"{folder.name}.lock")) as first:

        def made_meanwhile(_):
            write(task, variables, "train", folder)
            first.kill()
            first.wait()

        monkeypatch.setattr("time.sleep", made_meanwhile)
        kept = crops.crops(task, variables)
    assert not written
    assert kept.outputs["embedding"].shape == (64, 3, 16)
    assert f"process {first.pid} on" in capfd.readouterr().err
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_many_processes_are_refused(config, monkeypatch):
    """Each would read the whole batch, and wait for the other's lock."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(UserError, match=r"data\.crops=3 is written and read by one process"):
        checks.check(config)
