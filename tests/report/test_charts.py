"""Charts and words of the report: round ticks, honest sentences."""

import numpy as np
import pytest

from jaxsent.emotions import MIKELS
from jaxsent.report.charts import line_chart, thin, ticks
from jaxsent.report.words import THIN, duration, summary


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(1.0, [0, 0.25, 0.5, 0.75, 1]), (4000, [0, 1000, 2000, 3000, 4000]), (0.0, [0, 1])],
)
def test_ticks_are_round_and_reach_the_largest(largest, expected):
    np.testing.assert_allclose(ticks(largest, 4), expected)


def test_ticks_cover_any_scale():
    for largest in 10 ** np.random.default_rng(0).uniform(-6, 7, 200):
        marks = ticks(float(largest), 4)
        assert marks[-1] >= largest * (1 - 1e-9) and 2 <= len(marks) <= 6


def test_charts_keep_the_last_value_and_skip_what_is_not_finite():
    points = [(float(i), float(i)) for i in range(10_000)]
    assert len(thin(points)) <= 240 and thin(points)[-1] == points[-1]
    assert line_chart({"train": [(1, float("nan"))]}, "x") == ""
    svg = line_chart({"train": [(0, 0.0)], "test": [(0, 0.0)]}, "a < b")
    assert "NaN" not in svg and "a &lt; b" in svg


def test_summary_speaks_of_the_split_and_the_chance():
    results = {"model": "wsidnet", "accuracy": 0.912, "accuracy_interval": [0.887, 0.933],
               "count": 600, "classes": list(MIKELS), "split": "test"}  # fmt: skip
    assert summary(results).replace(THIN, " ") == (
        "WSIDNet names the right one of 8 emotions for 91.2 % of 600 test images it has never seen "
        "(95 % interval 88.7–93.3 %; guessing gives 12.5 %)."
    )
    both = {
        "accuracy": 0.8,
        "classes": ["negative", "positive"],
        "majority": 0.65,
        "split": "train",
    }
    text = summary(both)
    assert "tells positive from negative" in text and "never seen" not in text
    assert "always naming the most frequent class gives 65.0" in text
    assert [duration(s) for s in (4.2, 75, 3725)] == ["4.2 s", "1 min", "1 h 2 min"]
