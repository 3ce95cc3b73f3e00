"""PCNN's removal against its equation in Python's numbers, and a run on the part that is kept."""

import csv
import json
import math
import pickle

import numpy as np
import pytest

from jaxsent.data import records, selection
from jaxsent.data.batches import train_batches
from jaxsent.errors import UserError
from jaxsent.evaluation import evaluate
from jaxsent.run import experiment
from jaxsent.training import loop
from tfds_builders.prepare import prepare

SURE = math.log(2)


def test_removal_is_the_equation():
    """AAAI 2015: 1 where the scores are equal, 0 from a difference of log 2."""
    rng = np.random.default_rng(0)
    scores = rng.dirichlet((1, 1), 200)
    ours = selection.removal_probability(scores)
    for (first, second), p in zip(scores.tolist(), ours, strict=True):
        assert p == pytest.approx(max(0.0, 2.0 - math.exp(abs(first - second))))
    assert selection.removal_probability([[0.5, 0.5]]) == [1]
    assert selection.removal_probability([[(1 + SURE) / 2, (1 - SURE) / 2]])[0] < 1e-12
    of_three = selection.removal_probability([[0.2, 0.5, 0.3], [0.05, 0.05, 0.9]])
    np.testing.assert_allclose(of_three, [2 - math.exp(0.2), 0])


def test_what_is_kept_are_the_sure_ones():
    scores = np.repeat([[0.9, 0.1], [0.5, 0.5], [0.35, 0.65]], 4000, axis=0)
    kept = selection.progressive_selection(scores, np.random.default_rng(0)).reshape(3, -1)
    assert kept[0].all()
    assert not kept[1].any()
    assert kept[2].mean() == pytest.approx(math.exp(0.3) - 1, abs=0.03)


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "prediction", "negative", "positive"])
        writer.writerows((name, "", "", *scores) for name, scores in rows)


def test_names_of_a_list_and_of_predictions(tmp_path):
    (tmp_path / "names.txt").write_text("a/1.jpg\n\n b, c.jpg \n" + "x" * 300 + "\n")
    assert selection.kept_names(tmp_path / "names.txt", 0) == {"a/1.jpg", "b, c.jpg", "x" * 256}
    table = tmp_path / "predictions.csv"
    write(table, [("sure, 1.jpg", (0.95, 0.05)), ("even.jpg", (0.5, 0.5))])
    assert selection.kept_names(table, 0) == {"sure, 1.jpg"}
    write(table, [(f"{i}.jpg", (0.4, 0.6)) for i in range(100)])
    one, again, other = (selection.kept_names(table, seed) for seed in (0, 0, 1))
    assert one == again != other
    write(table, [("even.jpg", (0.5, 0.5))])
    with pytest.raises(UserError, match="it keeps no image"):
        selection.kept_names(table, 0)
    write(table, [("even.jpg", ("x", 0.5))])
    with pytest.raises(UserError, match="probabilities in it are damaged"):
        selection.kept_names(table, 0)
    with pytest.raises(UserError, match="expected a file of names"):
        selection.kept_names(tmp_path / "none", 0)


def test_batches_of_a_part(prepared):
    builder = prepare("emoji_scenes", "tiny", prepared)
    files = [records.text(e["file"]) for e in records.source(builder, "train")]
    names = set(files[3:20:4])
    rows = selection.positions(records.source(builder, "train"), names, "list")
    np.testing.assert_array_equal(rows, range(3, 20, 4))
    batches = train_batches(builder, "train", batch_size=4, image_size=32, seed=0, rows=rows)
    seen = [file for _ in range(5) for file in next(batches)["file"]]
    assert sorted(seen) == sorted(4 * list(names))
    part = records.Part(records.source(builder, "train"), rows)
    assert pickle.loads(pickle.dumps(part.rows)).tolist() == rows.tolist()
    with pytest.raises(UserError, match=r"1 of its 6 names are of no image .* such as nowhere.jpg"):
        selection.positions(records.source(builder, "train"), {*names, "nowhere.jpg"}, "list")


def test_pcnn_from_its_noisy_set_to_the_part_that_it_is_sure_of(tiny_config, tmp_path):
    """As configs/pcnn.py says: train, predict the training split, go on with what is kept."""
    first, second = tmp_path / "first", tmp_path / "second"
    tiny_config.model.name, tiny_config.model.holistic = "classifier", "embedding"
    tiny_config.data.class_target, tiny_config.model.num_classes = "polarity", 2
    tiny_config.train.steps = 30
    tiny_config.optim.lr = tiny_config.optim.backbone_lr = 0.1
    loop.train(tiny_config, first)
    tiny_config.data.test_split = "train"
    whole = evaluate.run(tiny_config, first)["count"]
    table = first / "report" / "train" / "predictions.csv"

    tiny_config.data.test_split, tiny_config.data.subset = "test", str(table)
    tiny_config.init.checkpoint = str(first)
    task = experiment.make(tiny_config)
    scores = np.loadtxt(table, delimiter=",", skiprows=1, usecols=(3, 4))
    apart = np.abs(scores[:, 0] - scores[:, 1])
    kept = np.isin(np.arange(whole), task.rows)
    assert kept[apart > SURE].all()
    assert 0 < kept.sum() < whole
    loop.train(tiny_config, second)
    stored = json.loads((second / "config.json").read_text())
    assert stored["prepared"]["kept"] == kept.sum() == task.train_count
    tiny_config.data.subset = ""
    with pytest.raises(UserError, match="data.subset"):
        loop.train(tiny_config, second)
