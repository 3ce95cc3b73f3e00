"""Whether a step waits for its batch: what is counted, what is said, and that reading is ahead."""

import time
from types import SimpleNamespace

import jax
import pytest

from jaxsent.data import feed
from jaxsent.run import logbook, sharding
from jaxsent.training import loop
from jaxsent.training.waiting import Waiting, advice

PAUSE = 0.2


class Outputs:
    """What a step gives after `seconds`."""

    def __init__(self, seconds):
        self.ready = time.perf_counter() + seconds

    def block_until_ready(self):
        time.sleep(max(self.ready - time.perf_counter(), 0))


def waited(read, step, count=3):
    """Seconds that are counted where a batch takes `read` seconds and a step `step`."""

    def batches():
        for i in range(count):
            time.sleep(read)
            yield {"i": i}

    waiting = Waiting()
    for _ in waiting.over(batches()):
        waiting.stepped([Outputs(step)])
    waiting.close()
    return waiting.seconds


def test_a_step_that_is_done_waits_for_its_batch():
    assert waited(read=PAUSE, step=0) == pytest.approx(2 * PAUSE, rel=0.5)  # not for the first


def test_a_running_step_waits_for_nothing():
    assert waited(read=PAUSE, step=3 * PAUSE) == 0


def test_what_is_counted_is_the_rest_of_the_reading():
    assert waited(read=2 * PAUSE, step=PAUSE) == pytest.approx(2 * PAUSE, rel=0.5)


def test_what_to_set():
    assert advice(workers=0, count=16, accelerator=True) == "data.workers=4"
    assert advice(workers=6, count=16, accelerator=True) == "data.workers=12"
    assert advice(workers=12, count=16, accelerator=True) == "data.workers=15"
    assert "data.keep" in advice(workers=15, count=16, accelerator=True)
    assert "data.keep" in advice(workers=0, count=16, accelerator=False)


@pytest.mark.parametrize(
    ("backend", "workers", "images", "processes"),
    [
        ("cpu", -1, None, 0),
        ("cpu", 3, None, 3),
        ("gpu", -1, None, 14),
        ("gpu", 0, None, 0),
        ("gpu", -1, 100, 0),  # read before a process has started
        ("gpu", -1, 100_000, 14),
        ("gpu", 5, 100, 5),
    ],
)
def test_processes_where_they_win(backend, workers, images, processes, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    monkeypatch.setattr(sharding, "cores", lambda: 16)
    monkeypatch.setattr(feed, "shared_memory", lambda: 1e12)
    data = SimpleNamespace(workers=workers, image_size=224)
    assert sharding.workers(data, 128, images) == processes


def test_reading_is_ahead_and_what_it_costs_is_said(tiny_config, tmp_path, monkeypatch, capsys):
    """Batch 2 is on its way before step 1 is waited for; in the end all is closed."""
    calls = []
    read, put, settle = loop.train_batches, sharding.put, loop.Watch.settle

    class Slow:
        def __init__(self, batches):
            self.batches = batches

        def __iter__(self):
            return self

        def __next__(self):
            time.sleep(PAUSE)
            return next(self.batches)

        def close(self):
            calls.append("closed")
            self.batches.close()

    def recorded_put(batch, mesh):
        calls.append("put")
        return put(batch, mesh)

    def recorded_settle(watch):
        if watch.pending:
            calls.append(f"wait for {watch.pending[0]}")
        settle(watch)

    monkeypatch.setattr(loop, "train_batches", lambda *a, **k: Slow(read(*a, **k)))
    monkeypatch.setattr(sharding, "put", recorded_put)
    monkeypatch.setattr(loop.Watch, "settle", recorded_settle)
    monkeypatch.setattr(loop.evaluate, "evaluate", lambda *_: {})
    tiny_config.train.steps = 4
    loop.train(tiny_config, tmp_path)
    assert calls[:5] == ["put", "put", "wait for 1", "put", "wait for 2"]
    assert calls[-1] == "closed"
    lines = logbook.read(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [2, 4]
    assert 0.3 < lines[1]["waited"] <= 1
    assert "% of the time: a higher data.keep" in capsys.readouterr().err
