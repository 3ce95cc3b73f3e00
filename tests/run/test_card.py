"""What a model says of itself is checked where it is read: it may come from a stranger."""

import copy
import json
from pathlib import Path

import pytest

from jaxsent.errors import UserError
from jaxsent.run.card import card_of

METADATA = {
    "labels": {"classes": ["positive", "négatif 2"], "emotions": ["awe"]},
    "eval": {"resize": 256},
    "data": {"image_size": 224},
    "input": {"mean": [1.0, 2.0, 3.0], "std": [1.0, 2.0, 3.0], "interpolation": "bilinear"},
}


def test_what_is_whole():
    card = card_of(METADATA, Path("config.json"))
    assert card[:5] == (("positive", "négatif 2"), ("awe",), 256, 224, "bilinear")


@pytest.mark.parametrize(
    "name",
    ["../../escaped", "/etc/passwd", "a/b", "a\\b", "C:", "..", ".hidden", "~", "", "a\0b", "a\nb",
     "\x1b[31mred", "\u202eabc", "\ud800", "n" * 101],
)  # fmt: skip
@pytest.mark.parametrize("branch", ["classes", "emotions"])
def test_names_that_would_lead_somewhere_else(name, branch):
    metadata = copy.deepcopy(METADATA)
    metadata["labels"][branch][-1] = name
    with pytest.raises(UserError, match=r"^config.json: .*damaged \(.*the name '") as refusal:
        card_of(metadata, Path("config.json"))
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("input", "std"), [1.0, 0.0, 1.0]),
        (("input", "std"), [1.0, 1.0]),
        (("input", "mean"), [float("nan")] * 3),
        (("input", "mean"), 5),
        (("input", "mean"), ["1", "2", "3"]),
        (("input",), None),
        (("input", "interpolation"), "none"),
        (("eval", "resize"), 200),
        (("data", "image_size"), 10**9),
        (("labels", "classes"), ["a", "a"]),
        (("labels", "classes"), []),
        (("labels", "classes"), [1, 2]),
        (("labels", "emotions"), "awe"),
    ],
)
def test_numbers_that_no_network_was_trained_with(place, value):
    metadata = copy.deepcopy(METADATA)
    part = metadata
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(UserError, match=r"^config.json: "):
        card_of(json.loads(json.dumps(metadata)), Path("config.json"))
