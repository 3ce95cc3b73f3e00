"""Calibration against scikit-learn, a loop and known answers."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from jaxsent import metrics


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def claims():
    rng = np.random.default_rng(0)
    return softmax(3 * rng.normal(size=(500, 4))), rng.integers(4, size=500)


def test_diagram_agrees_with_scikit_learn(claims):
    probabilities, labels = claims
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(correct, confidence, n_bins=10)
    diagram = metrics.reliability(*claims, bins=10)
    filled = diagram["count"] > 0
    np.testing.assert_allclose(diagram["accuracy"][filled], accuracy)
    np.testing.assert_allclose(diagram["confidence"][filled], mean)
    assert np.isnan(diagram["accuracy"][~filled]).all() and (~filled).any()
    assert diagram["count"].sum() == 500 and diagram["edges"].shape == (11,)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_error_is_the_papers_sum(claims, bins):
    probabilities, labels = claims
    expected = 0.0
    for m in range(bins):
        gap = [
            float(p.argmax() == label) - p.max()
            for p, label in zip(probabilities, labels, strict=True)
            if m / bins < p.max() <= (m + 1) / bins
        ]
        expected += abs(sum(gap)) / len(labels)
    assert metrics.expected_calibration_error(*claims, bins=bins) == pytest.approx(expected)


def test_known_answers():
    sure = np.eye(2)[[0, 0, 1, 1]]
    assert metrics.expected_calibration_error(sure, [0, 0, 1, 1]) == 0
    assert metrics.expected_calibration_error(sure, [1, 1, 0, 0]) == 1
    # Right in three of four cases, and claims 0.75.
    modest = np.tile([0.75, 0.25], (4, 1))
    assert metrics.expected_calibration_error(modest, [0, 0, 0, 1]) == 0
    assert metrics.expected_calibration_error(modest, [0, 0, 1, 1]) == pytest.approx(0.25)


def test_bins_hold_their_upper_edge():
    diagram = metrics.reliability([[0.5, 0.5], [0.51, 0.49], [1.0, 0.0]], [0, 0, 0], bins=2)
    assert diagram["count"].tolist() == [1, 2]


def test_unknown_labels_are_left_out(claims):
    probabilities, labels = claims
    labels = np.where(np.arange(500) % 2, labels, -1)
    odd = probabilities[1::2], labels[1::2]
    error = metrics.expected_calibration_error
    assert error(probabilities, labels) == pytest.approx(error(*odd))
    assert np.isnan(error(probabilities, np.full(500, -1)))
    assert np.isnan(error(np.zeros((0, 4)), np.zeros(0, int)))


def test_float32_softmax_is_accepted():
    above_one = np.float32([[1 + 1e-7, 0]])
    assert metrics.expected_calibration_error(above_one, [0]) == 0


@pytest.mark.parametrize("bad", [3.0, -0.5, np.nan])
def test_logits_are_refused(bad):
    with pytest.raises(ValueError, match="softmax"):
        metrics.expected_calibration_error([[bad, 0.5]], [0])


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"found \(2, 3\) and \(3,\)"):
        metrics.reliability(np.ones((2, 3)) / 3, [0, 1, 2])
