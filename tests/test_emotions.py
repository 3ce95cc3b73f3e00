"""The wheel and the graph against the table printed in the method's specification."""

import numpy as np
import pytest

from jaxsent import emotions

STEPS = """
amu 0 1 2 1 2 3 4 3
ang 1 0 3 2 1 4 3 2
awe 2 3 0 1 4 1 2 3
con 1 2 1 0 3 2 3 4
dis 2 1 4 3 0 3 2 1
exc 3 4 1 2 3 0 1 2
fea 4 3 2 3 2 1 0 1
sad 3 2 3 4 1 2 1 0
"""
STEPS = np.array([line.split()[1:] for line in STEPS.strip().splitlines()], int)


def test_steps_are_the_specifications_table():
    np.testing.assert_array_equal(emotions.wheel_steps(), STEPS)
    np.testing.assert_array_equal(emotions.mikels_distance(), STEPS + 1)


def test_polarity_of_mikels_emotions():
    assert emotions.polarity(emotions.MIKELS).tolist() == [1, 0, 1, 1, 0, 1, 0, 0]
    assert emotions.polarity(emotions.EMOTIONROI).tolist() == [0, 0, 0, 1, 0, 1]


@pytest.mark.parametrize("edges", emotions.EDGES)
@pytest.mark.parametrize("self_loops", emotions.SELF_LOOPS)
def test_graph_entry_by_entry(edges, self_loops):
    graph = emotions.sentiment_graph(edges, self_loops)
    positive = {"amusement", "awe", "contentment", "excitement"}
    for i, a in enumerate(emotions.MIKELS):
        for j, b in enumerate(emotions.MIKELS):
            same = (a in positive) == (b in positive)
            bonus = {"cross": not same, "same": same, "none": False}[edges]
            if self_loops == "distance":
                expected = 1 / (1 + STEPS[i, j]) + bonus
            else:
                expected = 1 if i == j else 1 / STEPS[i, j] + bonus
            assert graph[i, j] == pytest.approx(expected), (a, b)


@pytest.mark.parametrize("edges", emotions.EDGES)
def test_identity_self_loops_are_one(edges):
    for classes, wheel in (
        (emotions.MIKELS, emotions.WHEEL),
        (emotions.EMOTIONROI, emotions.EMOTIONROI_WHEEL),
    ):
        graph = emotions.sentiment_graph(edges, "identity", classes, wheel)
        np.testing.assert_array_equal(np.diag(graph), 1)


def test_cross_graph_is_regular_and_its_normalisation_doubly_stochastic():
    graph = emotions.sentiment_graph()
    np.testing.assert_allclose(graph.sum(1), 7.367, atol=5e-4)
    normal = emotions.normalize_adjacency(graph)
    np.testing.assert_allclose(normal.sum(0), 1, rtol=1e-6)
    np.testing.assert_allclose(normal.sum(1), 1, rtol=1e-6)


def test_normalisation_is_the_matrix_product():
    a = np.random.default_rng(0).uniform(0.1, 2, (5, 5))  # row sums, not those of columns
    d = np.linalg.inv(np.diag(np.sqrt(a.sum(1))))
    np.testing.assert_allclose(emotions.normalize_adjacency(a), d @ a @ d, rtol=1e-6)


def test_emotionroi_has_a_wheel_of_its_own():
    steps = emotions.wheel_steps(emotions.EMOTIONROI, emotions.EMOTIONROI_WHEEL)
    names = emotions.EMOTIONROI
    assert steps[names.index("fear"), names.index("sadness")] == 1  # round the end
    assert steps[names.index("fear"), names.index("anger")] == 3


def test_errors_say_what_exists():
    with pytest.raises(ValueError, match="cross"):
        emotions.sentiment_graph("crossed")
    with pytest.raises(ValueError, match="joy not on the wheel"):
        emotions.wheel_steps(("joy", "fear"))
