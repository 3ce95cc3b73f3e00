"""Classification metrics against scikit-learn and known answers."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as oracle

from jaxsent import metrics

K, N = 8, 500


@pytest.fixture
def labelled():
    """(N, K) probabilities that favour the truth, (N,) labels."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, K, N)
    logits = rng.normal(size=(N, K)) + 1.5 * np.eye(K)[labels]
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels


def test_agrees_with_scikit_learn(labelled):
    probabilities, labels = labelled
    predictions = probabilities.argmax(1)
    confusion = metrics.confusion_matrix(predictions, labels, K)
    np.testing.assert_array_equal(confusion, oracle.confusion_matrix(labels, predictions))
    assert metrics.accuracy(predictions, labels) == oracle.accuracy_score(labels, predictions)
    np.testing.assert_allclose(
        metrics.per_class_recall(confusion),
        oracle.recall_score(labels, predictions, average=None),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        metrics.macro_f1(confusion), oracle.f1_score(labels, predictions, average="macro")
    )


def test_absent_classes_have_no_recall_and_no_part_in_macro_f1():
    labels, predictions = np.array([0, 0, 2, 2]), np.array([0, 2, 2, 1])
    confusion = metrics.confusion_matrix(predictions, labels, 5)
    np.testing.assert_array_equal(
        metrics.per_class_recall(confusion), [0.5, np.nan, 0.5, np.nan, np.nan]
    )
    expected = oracle.f1_score(labels, predictions, average="macro", zero_division=0)
    np.testing.assert_allclose(metrics.macro_f1(confusion), expected)
    assert np.isnan(metrics.macro_f1(np.zeros((3, 3))))


def test_missing_labels_are_left_out_and_counted(labelled):
    probabilities, labels = labelled
    whole = metrics.classification_scores(probabilities[:400], labels[:400])
    partly = metrics.classification_scores(probabilities, np.r_[labels[:400], np.full(100, -1)])
    assert partly == whole | {"missing": 100}
    assert sum(map(sum, partly["confusion"])) == partly["count"] == 400


def test_polarity_is_that_of_the_predicted_class():
    probabilities = [[0.4, 0.3, 0.3], [0.1, 0.5, 0.4], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
    scores = metrics.classification_scores(
        probabilities, np.array([0, 2, 0, -1]), polarities=[1, 0, 0]
    )
    # Image 0 counts although its negative classes hold 0.6 together.
    assert scores["polarity_accuracy"] == pytest.approx(2 / 3)
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert metrics.polarity_accuracy(np.array([0, 1]), np.array([0, 2]), [1, 0, 0]) == 1


def test_scores_are_json_without_nan(labelled):
    json.dumps(metrics.classification_scores(*labelled), allow_nan=False)
    nothing = metrics.classification_scores(np.zeros((3, 2)), np.full(3, -1), polarities=[0, 1])
    json.dumps(nothing, allow_nan=False)
    assert nothing["count"] == 0 and nothing["missing"] == 3 and nothing["accuracy"] is None


@pytest.mark.parametrize("count", [1, 2, 7, 100, 3000])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_intervals_of_proportions_are_scipys_wilson(count, share, level):
    right = round(count * share)
    expected = binomtest(right, count).proportion_ci(level, method="wilson")
    low, high = metrics.wilson_interval(right, count, level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= right / count <= high <= 1 and low < high


def test_the_ends_are_exact():
    counts = np.arange(1, 2000)
    low, high = metrics.wilson_interval(counts, counts)
    assert (high == 1).all() and (low < 1).all()
    low, high = metrics.wilson_interval(0 * counts, counts)
    assert (low == 0).all() and (high > 0).all()


def test_no_interval_is_a_point_at_0_or_1():
    labels = np.repeat([0, 1, 2], 12)
    always = metrics.classification_scores(np.eye(4)[labels], labels, polarities=[1, 0, 0, 0])
    expected = list(binomtest(36, 36).proportion_ci(method="wilson"))
    assert expected[0] < 0.91 and expected[1] == 1
    assert always["accuracy"] == always["polarity_accuracy"] == 1
    assert always["accuracy_interval"] == pytest.approx(expected)
    assert always["polarity_accuracy_interval"] == pytest.approx(expected)
    per_class = list(binomtest(12, 12).proportion_ci(method="wilson"))
    assert always["recall_interval"][0] == pytest.approx(per_class)
    assert always["recall_interval"][3] == [None, None]  # it has no image
    never = metrics.classification_scores(np.eye(4)[(labels + 1) % 3], labels)
    assert never["accuracy_interval"] == pytest.approx([1 - v for v in reversed(expected)])
    assert never["accuracy_interval"][0] == never["recall_interval"][0][0] == 0


def test_recalls_and_macro_f1_have_intervals(labelled):
    probabilities, labels = labelled
    scores = metrics.classification_scores(probabilities, labels)
    for k, interval in enumerate(scores["recall_interval"]):
        hits = (probabilities.argmax(1) == k)[labels == k]
        expected = binomtest(int(hits.sum()), hits.size).proportion_ci(method="wilson")
        assert interval == pytest.approx(list(expected))
    # The bootstrap over images, one by one.
    rng = np.random.default_rng(5)
    draws = [rng.integers(N, size=N) for _ in range(1000)]
    f1 = [oracle.f1_score(labels[i], probabilities[i].argmax(1), average="macro") for i in draws]
    expected = np.quantile(f1, [0.025, 0.975])
    assert scores["macro_f1_interval"] == pytest.approx(list(expected), abs=0.01)
    low, high = scores["macro_f1_interval"]
    assert low < scores["macro_f1"] < high
    again = metrics.classification_scores(probabilities, labels, seed=1)["macro_f1_interval"]
    assert again != scores["macro_f1_interval"]


def test_bootstrap_interval_does_not_know_the_order():
    values = np.random.default_rng(1).random(600)
    interval = metrics.bootstrap_interval(values)
    assert interval == metrics.bootstrap_interval(values[::-1])
    assert metrics.bootstrap_interval(values, seed=1) != interval
    assert np.isnan(metrics.bootstrap_interval([])).all()


def test_bootstrap_interval_of_real_values_has_the_standard_error():
    values = np.random.default_rng(0).normal(size=3000)
    low, high = metrics.bootstrap_interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(3000), rel=0.06)
    assert low < values.mean() < high


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.ones((3, 2)), np.zeros(2, int), r"found \(3, 2\) and \(2,\)"),
        (np.ones((3, 2)), np.full(3, 2), r"labels must lie in 0\.\.1 .* found 2\.\.2"),
        (np.full((3, 2), np.nan), np.zeros(3, int), "NaN"),
    ],
)
def test_errors_say_what_was_found(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        metrics.classification_scores(probabilities, labels)
