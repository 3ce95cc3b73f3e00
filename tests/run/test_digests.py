"""A checkpoint with one wrong bit is never used: the one before is, and a person is told."""

import json

import jax
import numpy as np
import pytest

from jaxsent.errors import UserError
from jaxsent.run import digests, experiment, initial
from jaxsent.run.checkpoint import Checkpoints, read_run
from jaxsent.training import loop


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    """A run with checkpoints of steps 3 and 6."""
    tiny_config.train.checkpoint_every = 3
    return trained(tiny_config, tmp_path)


def arrays(run) -> list[np.ndarray]:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return [np.asarray(x) for x in jax.tree.leaves(read_run(run, sharding))]


def flip_a_bit(path, rng) -> None:
    data = bytearray(path.read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    path.write_bytes(data)


def files(folder):
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size]


def test_whatever_bit_is_wrong_the_checkpoint_before_is_used(run, capfd):
    rng = np.random.default_rng(0)
    newest = run / "checkpoints" / "6"
    whole = arrays(run)
    changed = files(newest)
    assert len(changed) > 10
    for path in changed:
        before = path.read_bytes()
        flip_a_bit(path, rng)
        with Checkpoints(run / "checkpoints") as checkpoints:
            assert checkpoints.last() == checkpoints.best() == 3
        name = path.relative_to(newest) if path.name != digests.FILE else ""
        told = " ".join(capfd.readouterr().err.split())
        assert f"6: damaged, its file {name}" in told
        path.write_bytes(before)
    path.unlink()
    with Checkpoints(run / "checkpoints") as checkpoints:
        assert checkpoints.last() == 3
    path.write_bytes(before)
    for one, other in zip(arrays(run), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_where_all_are_damaged_nothing_is_answered(run):
    rng = np.random.default_rng(1)
    for step in ("3", "6"):
        largest = max(files(run / "checkpoints" / step), key=lambda p: p.stat().st_size)
        flip_a_bit(largest, rng)
    with pytest.raises(UserError, match="every checkpoint is damaged"):
        arrays(run)


def test_training_goes_on_from_the_one_before(run, tiny_config):
    expected = arrays(run)
    largest = max(files(run / "checkpoints" / "6"), key=lambda p: p.stat().st_size)
    flip_a_bit(largest, np.random.default_rng(2))
    loop.train(tiny_config, run)
    for one, other in zip(arrays(run), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    calls = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [c["from_step"] for c in calls if c["call"] == "train"] == [0, 3]


def test_checkpoints_of_older_versions_have_no_digests(run, tiny_config):
    for step in ("3", "6"):
        (run / "checkpoints" / step / digests.FILE).unlink()
    task = experiment.make(tiny_config)
    with Checkpoints(run / "checkpoints") as checkpoints:
        assert checkpoints.last() == 6
        checkpoints.variables(6, initial.random_variables(task))
