"""Which values a call may change in a run that is there."""

import pytest

from jaxsent.errors import UserError
from jaxsent.run import changes

RUN = {
    "seed": 0,
    "model": {
        "name": "wsidnet",
        "gcn_widths": [512, 2048],
        "dtype": "float32",
        "precision": "fast",
    },
    "data": {"name": "fi", "dir": "/a", "workers": 0, "image_size": 224},
    "init": {"weights": "vgg16.pth"},
    "input": {"mean": [1.0, 2.0, 3.0]},
    "labels": {"classes": ["negative", "positive"]},
    "prepared": {"train": [10, 1000]},
    "train": {"steps": 100, "log_every": 10},
    "optim": {"lr": 0.1},
    "eval": {"resize": 256},
}


def with_value(key: str, value) -> dict:
    section, _, name = key.rpartition(".")
    return RUN | ({section: RUN[section] | {name: value}} if section else {name: value})


def check(current, accept=False, step=50):
    return changes.check("run", RUN, current, accept=accept, step=step, total=100)


def test_the_same_values_as_json_and_as_python_hold_them():
    current = with_value("model.gcn_widths", (512, 2048)) | {"input": {"mean": (1.0, 2.0, 3.0)}}
    assert check(current) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [("data.dir", "/b"), ("data.workers", 8), ("eval.resize", 448), ("train.log_every", 1)],
)
def test_what_changes_no_weights_is_free(key, value):
    assert check(with_value(key, value), step=100) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.name", "wscnet"), ("model.gcn_widths", (16, 16)), ("data.name", "flickr"),
        ("data.image_size", 448), ("init.weights", "other.pth"), ("input.mean", (0.0, 0.0, 0.0)),
        ("labels.classes", ("a", "b")), ("prepared.train", (10, 1001)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", [False, True])
def test_another_model_data_or_start_is_refused_always(key, value, accept):
    with pytest.raises(UserError, match="another model, data or initial weights") as error:
        check(with_value(key, value), accept)
    before, now = changes.flat(RUN)[key], changes.flat(with_value(key, value))[key]
    row = next(line for line in str(error.value).splitlines() if line.split()[0] == key)
    assert row.split(maxsplit=1)[1].split("  ")[0] == str(before)
    assert row.endswith(str(now))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optim.lr", 0.2),
        ("train.steps", 200),
        ("seed", 1),
        ("model.dtype", "bfloat16"),
        ("model.precision", "exact"),
    ],
)
def test_values_of_training_change_on_request_only(key, value):
    with pytest.raises(UserError, match=r"(?s)up to step 50 with other values.*--accept_changes"):
        check(with_value(key, value))
    before = changes.flat(RUN)[key]
    assert check(with_value(key, value), accept=True) == {key: (before, value)}
    with pytest.raises(UserError, match="finished at step 100; nothing would be trained"):
        check(with_value(key, value), accept=True, step=100)


def test_a_key_that_the_runs_version_had_not_is_no_change():
    assert check(with_value("optim.new", 3)) == {}
