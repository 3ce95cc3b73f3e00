"""The experiment's script on the tiny scenes: what it trains, leaves out, keeps and reports."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from benchmarks import experiment, experiment_features, experiment_measures, experiment_report
from benchmarks import experiment_studies as studies
from benchmarks import experiment_training as training


@pytest.fixture
def study(tiny_config, prepared, tmp_path):
    """Two networks, one seed, two settings; four folds train, the fifth is test."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "emoji_scenes").symlink_to(prepared / "emoji_scenes")
    tiny_config.data.dir = str(tmp_path / "data")
    tiny_config.model.freeze, tiny_config.model.tap = "backbone", "conv2"
    tiny_config.data.crops = 2
    variants = (
        studies.SCENE_WSCNET, studies.CAM, studies.variant(studies.CAM, "again")
    )  # fmt: skip
    grid = ((0.01, 0.0, 2.0), (0.1, 0.0, 3.0))
    return studies.Study("emoji_scenes", "tiny", tiny_config, variants, (5,), ((4, 5),), grid, 1)


def test_a_second_call_trains_nothing_and_the_tables_are_of_all(study, tmp_path):
    path = tmp_path / "out" / "results.jsonl"
    data = experiment_features.photographs(study, 48)
    assert {name: x.shape for name, x in data.crops.items()} == {
        "features": (48, 2, 8, 8, 16), "embedding": (48, 2, 16)
    }  # fmt: skip
    assert data.views["features"].shape == (48 + 32, 8, 8, 16)
    assert data.regions.shape == (80, 224, 224)
    # Two settings for each of two kinds; a test each of three variants.
    assert experiment.run(study, experiment.Results(path), lambda: data) == 2 * 2 + 3
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    tests = {line["variant"]: line for line in lines if line["kind"] == "test"}
    assert tests["CAM"]["class"] == tests["CAM, again"]["class"]
    assert np.shape(tests["WSCNet"]["detect"]) == (32, 8)
    assert np.shape(tests["CAM"]["region"]) == (32, 4)
    assert [len(line["scores"]) for line in lines if line["kind"] == "inner"] == [1] * 4

    # Its last line was cut off when it was stopped.
    path.write_text(path.read_text()[:-20])
    assert experiment.run(study, experiment.Results(path), lambda: data) == 1
    assert experiment.run(study, experiment.Results(path), None) == 0

    # Where other settings are chosen, what was tested by the first ones is tested again.
    results = experiment.Results(path)
    for line in results.lines.values():
        if line["variant"] == "CAM" and line["kind"] == "inner":
            line["scores"]["4"][0] *= -1
    assert experiment.run(study, results, lambda: data) == 2

    tables, plots = experiment_report.report(path.parent)
    assert [row.split(" | ")[0] for row in tables["scenes"].splitlines()[2:]] == [
        "| WSCNet", "| CAM", "| CAM, again"
    ]  # fmt: skip
    assert plots["maps"].count("<circle") == 3


class Recorded(training.Runs):
    """Runs whose training only tells what it was given."""

    def program(self, epochs):
        steps, _ = super().program(epochs)
        return steps, lambda images, targets, seed, lr, decay, rows, drawn, views: {
            "rows": np.resize(rows.ravel(), self.room), "drawn": np.resize(drawn, self.room),
            "views": views["features"],
        }  # fmt: skip


def test_training_sees_no_fold_that_is_left_out(study):
    folds, count = (1, 2, 3, 4, 5), 100
    study = dataclasses.replace(study, folds=folds, pairs=tuple(itertools.combinations(folds, 2)))
    fold = np.random.default_rng(0).integers(1, 6, count)
    columns = {"fold": fold, "label": fold, "polarity": fold}
    views = {"features": np.arange(count)}
    crops = {"features": np.zeros((count, 2))}
    data = experiment_features.Photographs(crops, views, columns, None)
    runs = Recorded(study, study.variants[1], data, {"crops": None, "targets": None})
    runs.room = 400
    assert [runs.program(epochs)[0] for epochs in (2, 3)] == [round(2 * 80 / 16), 3 * 80 // 16]
    for left_out, tested in (((2,), (2,)), ((1, 4), (1, 4))):
        out = runs(left_out, (0.1, 0.0, 2.0), 0, tested)
        assert not np.isin(fold[out["rows"]], left_out).any()
        np.testing.assert_array_equal(out["views"], np.flatnonzero(np.isin(fold, tested)))
        assert set(out["drawn"]) == {0, 1}


def test_settings_are_chosen_without_the_fold_that_is_tested(study, tmp_path):
    """Setting 0 is best on fold 1 alone, which may not choose where it is tested."""
    folds = (1, 2, 3)
    study = dataclasses.replace(study, folds=folds, pairs=tuple(itertools.combinations(folds, 2)))
    results = experiment.Results(tmp_path / "results.jsonl")
    for pair, setting in itertools.product(study.pairs, study.grid):
        losses = {j: (0.1 if j == 1 else 3.0) if setting == study.grid[0] else 1.0 for j in pair}
        key = {"kind": "inner", "set": study.name, "backbone": "tiny", "variant": "CAM"}
        scores = {str(j): [loss, 0.5, 10] for j, loss in losses.items()}
        results.add(key | {"pair": pair, "setting": setting}, {"scores": scores})
    results = experiment.Results(tmp_path / "results.jsonl")  # as read again
    assert experiment.chosen(study, results, "CAM", 1) == study.grid[1]  # 3 against 1
    # Of folds 1 and 3: (0.1 + 3) / 2 against 1.
    assert experiment.chosen(study, results, "CAM", 2) == study.grid[1]
    for line in results.lines.values():
        if line["setting"] == list(study.grid[0]) and "1" in line["scores"]:
            line["scores"]["1"][2] = 1000
    assert experiment.chosen(study, results, "CAM", 2) == study.grid[0]
    assert experiment.chosen(study, results, "CAM", 1) == study.grid[1]


def test_every_pair_may_choose_but_for_the_fold_that_is_only_test(study):
    assert studies.validated(study, (4, 5)) == (4,)
    both = dataclasses.replace(study, folds=(4, 5))
    assert studies.validated(both, (4, 5)) == (4, 5)


def test_an_order_is_of_whole_epochs():
    rows = np.array([3, 5, 7, 9, 11])
    order = training.order(rows, 4, 5, seed=0)
    assert order.shape == (4, 5)
    assert (np.sort(order, 1) == rows).all()
    assert (order != training.order(rows, 4, 5, seed=1)).any()


def test_measures_of_resamples_are_those_of_the_photographs_drawn():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    p = np.clip(np.round(0.3 * y + rng.random(60) * 0.7, 1), 0.05, 0.95)  # ties
    themes = np.array([f"theme {i // 4}" for i in range(60)])
    weights = experiment_measures.cluster_weights(themes, resamples=5)
    assert (weights.reshape(5, 15, 4) == weights.reshape(5, 15, 4)[..., :1]).all()
    assert (weights.sum(1) == 60).all()
    for r in range(5):
        drawn = np.repeat(np.arange(60), weights[r].astype(int))
        truth, chance = y[drawn], p[drawn]
        expected = {
            "accuracy": metrics.accuracy_score(truth, chance > 0.5),
            "balanced": metrics.balanced_accuracy_score(truth, chance > 0.5),
            "AUC": metrics.roc_auc_score(truth, chance),
            "log loss": metrics.log_loss(truth, chance),
        }
        for name, measure in experiment_measures.MEASURES.items():
            np.testing.assert_allclose(measure(weights, p, y)[r], expected[name], rtol=1e-12)


def test_differences_are_paired():
    """A row that is right on one photograph more is better in every resample that draws it."""
    y = np.tile([0, 1], 20)
    worse = np.where(np.arange(40) < 10, 1 - y, y).astype(float)
    better = worse.copy()
    better[:3] = y[:3]
    weights = experiment_measures.cluster_weights(np.arange(40))
    scores = [
        experiment_measures.scores(experiment_measures.accuracy, weights, p[None], y)
        for p in (worse, better)
    ]
    gap = scores[1].resampled - scores[0].resampled
    np.testing.assert_allclose(scores[1].mean - scores[0].mean, 3 / 40)
    assert (gap >= 0).all()
    assert experiment_measures.interval(gap)[1] < 0.2 < np.ptp(scores[0].resampled)


def test_tables_are_filled_in_between_their_marks():
    page = "a\n<!-- table: x -->\nold\n<!-- end -->\nb\n<!-- table: y -->\nkept\n<!-- end -->\n"
    filled = experiment_report.fill(page, {"x": "| new \\1 |"})
    assert filled == page.replace("old", "\n| new \\1 |\n")
    assert experiment_report.fill(filled, {"x": "| new \\1 |"}) == filled


def test_the_page_has_every_table_that_is_made(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")
    for name in (
        "oasis Lite0",
        "oasis Lite2",
        "detection Lite0",
        "detection Lite2",
        "backbones",
        "scenes",
    ):
        assert f"<!-- table: {name} -->" in page
    for plot in ("accuracy", "detection", "maps"):
        assert f"experiments_{plot}.svg" in page


def test_a_run_that_diverged_is_no_row_and_is_not_chosen(tmp_path):
    broken = {"class": np.full((2, 2), np.nan)}
    data = experiment_features.Photographs({}, {}, {"fold": np.array([1, 2, 2])}, None)
    key = {"kind": "test", "set": "oasis", "backbone": "b", "variant": "v", "fold": 2, "seed": 0}
    value = experiment._test(lambda *_: broken, data, key, (0.1, 0.0))
    assert value == {"diverged": True}
    assert training.log_loss(broken["class"], np.array([0, 1])) == float("inf")
    results = experiment.Results(tmp_path / "results.jsonl")
    results.add(key, value)
    results.add(key | {"seed": 1}, {"class": [[0.5, 0.5]] * 2})
    tests, _ = experiment_report.read(tmp_path)
    assert list(tests["oasis", "b", "v"]) == [(1, 2)]
