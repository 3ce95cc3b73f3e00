"""Which images a report shows where their label is not known."""

import cv2
import numpy as np
import pytest

from jaxsent.evaluation.examples import Examples

PHOTOGRAPH = cv2.imencode(".png", np.zeros((4, 6, 3), np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("out", "shown"),
    [
        ({}, {("0.jpg", ""), ("1.jpg", "b")}),
        ({"class_probabilities": np.full((3, 2), 0.5)}, {("1.jpg", "b")}),
    ],
)
def test_an_image_without_a_label_is_shown_where_no_class_is_named(out, shown):
    """A network's map is all that there is to see of it; a class that is named needs the truth."""
    batch = {
        "photograph": [PHOTOGRAPH] * 3,
        "file": np.array(["0.jpg", "1.jpg", "2.jpg"]),
        "mask": np.array([True, True, False]),
    }
    examples = Examples(("a", "b"), 6, seed=0)
    examples.offer(batch, out | {"truth": np.array([-1, 1, -1])})
    drawn = [example for example in examples.chosen() if example.kind == "random"]
    assert {(example.file, example.label) for example in drawn} == shown
