"""Boxes of a detector: both files are read alike, a map has the highest score, faults are told."""

import json

import numpy as np
import pytest

from jaxsent.baselines import boxes
from jaxsent.errors import UserError

HEAD = "file,x0,y0,x1,y1,score\n"
ROWS = {"a/one.jpg": [[1, 2, 5, 8, 0.5], [3.5, 0, 9, 4, 0.25]], "b/two.jpg": []}


def csv_of(path, text):
    path.write_text(HEAD + text)
    return path


def test_csv_and_coco_say_the_same(tmp_path):
    text = "a/one.jpg,1,2,5,8,0.5\n\na/one.jpg,3.5,0,9,4,0.25\nb/two.jpg,,,,,\n"
    detections = [
        {"image_id": 7, "bbox": [1, 2, 4, 6], "score": 0.5, "category_id": 3},
        {"image_id": 7, "bbox": [3.5, 0, 5.5, 4], "score": 0.25},
    ]
    images = [{"id": 7, "file_name": "a/one.jpg"}, {"id": 8, "file_name": "b/two.jpg"}]
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps({"images": images, "annotations": detections}))
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps([d | {"image_id": "a/one.jpg"} for d in detections]))
    for path in (csv_of(tmp_path / "x.csv", text), whole, plain):
        table = boxes.read(path)
        expected = {k: v for k, v in ROWS.items() if v or path != plain}
        assert {name: values.tolist() for name, values in table.items()} == expected
    assert table["a/one.jpg"].shape == (2, 5)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_highest_score_over_a_pixels_centre(best):
    rng = np.random.default_rng(0)
    corners = rng.uniform(-3, 12, (6, 2))
    drawn = np.hstack([corners, corners + rng.uniform(4, 9, (6, 2)), rng.random((6, 1)) + 0.1])
    drawn = drawn[(drawn[:, 2:4] > 0).all(1) & (drawn[:, 0] < 14) & (drawn[:, 1] < 11)]
    assert len(drawn) > 3
    kept = sorted(drawn, key=lambda box: -box[4])[: best or None]
    expected = np.zeros((11, 14), np.float32)
    for y in range(11):
        for x in range(14):
            over = [s for x0, y0, x1, y1, s in kept if x0 <= x + 0.5 < x1 and y0 <= y + 0.5 < y1]
            expected[y, x] = max(over, default=0)
    np.testing.assert_array_equal(boxes.rasterise(drawn, (11, 14, 3), "N", best), expected)
    assert not boxes.rasterise(np.zeros((0, 5)), (4, 4), "N").any()


@pytest.mark.parametrize("box", [[14, 0, 20, 5], [0, 11, 3, 15], [-5, 2, 0, 6], [2, -4, 6, 0]])
def test_a_box_outside_the_photograph(box):
    with pytest.raises(UserError, match="N: the box .* outside the photograph of 14 × 11 pixels"):
        boxes.rasterise(np.array([[*box, 0.5]]), (11, 14), "N")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,1,2,3\n", "line 2: expected a box of four numbers and a score"),
        ("a.jpg,1,2,3,x,1\n", "line 2: expected a box of four numbers and a score"),
        ("a.jpg,1,2,3,nan,1\n", "a.jpg is there with boxes that are not all finite"),
        ("a.jpg,1,2,1,4,1\n", "a.jpg is there with boxes that are without an area"),
        ("a.jpg,1,2,3,4,0\n", "of a score of 0 or less"),
        ("a.jpg,0.1,0.2,0.3,0.4,1\n", "expected pixels of the photograph, no shares"),
        ("", "expected boxes of images, found none"),
    ],
)
def test_boxes_that_are_none(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        boxes.read(csv_of(tmp_path / "x.csv", text))


def test_files_that_are_none(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    with pytest.raises(UserError, match="there is no such file"):
        boxes.read(path)
    path.write_text("image,x,y\n")
    with pytest.raises(UserError, match="expected the head file,x0,y0,x1,y1,score, found"):
        boxes.read(path)
    path.write_text(HEAD + "a" * 200_000)
    with pytest.raises(UserError, match="damaged, or no .csv file"):
        boxes.read(path)
    path = tmp_path / "x.json"
    for text, message in (
        ("[", "damaged, or no JSON"),
        ("3", "expected COCO's detections"),
        ('[{"bbox": [1, 2, 3, 4], "score": 1}]', "expected COCO's detections.*image_id"),
        ('[{"image_id": 7, "bbox": [1, 2, 3, 4], "score": 1}]', "name images by numbers, as 7"),
        ('[{"image_id": "a", "bbox": [1, 2, 3], "score": 1}]', "detection 1: expected a box"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            boxes.read(path)
    monkeypatch.setattr(boxes, "LARGEST", 10)
    with pytest.raises(UserError, match="expected at most"):
        boxes.read(path)
