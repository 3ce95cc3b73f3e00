"""One process at a time, told by name; a lock ends with whoever held it, however that ended."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from jaxsent import locks
from jaxsent.errors import UserError

HOLD = """
import os, sys, time
from pathlib import Path
from jaxsent import locks
with locks.held(Path(sys.argv[1]), "in use by {}"):
    {then}
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path, then="pass"):
    """A process that holds the lock `path`, after it did `then`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("{then}", then), path], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_is_refused_and_told_of_the_first(tmp_path):
    path = tmp_path / ".lock"
    with holder(path) as first:
        with (
            pytest.raises(UserError) as error,
            locks.held(path, "in use by {}; wait"),
        ):
            pass
        first.send_signal(signal.SIGKILL)
    assert str(error.value) == f"in use by process {first.pid} on {socket.gethostname()}; wait"
    with locks.held(path, "in use by {}"):  # what it left behind means nothing
        assert path.read_text() == f"{os.getpid()} {socket.gethostname()}\n"
    assert not list(tmp_path.iterdir())


def test_a_forked_child_does_not_keep_it(tmp_path):
    """As a worker that outlives a killed training."""
    path = tmp_path / ".lock"
    then = """came, gone = os.pipe()
    if not os.fork(): os.write(gone, b"."); time.sleep(60); os._exit(0)
    os.read(came, 1)"""
    with holder(path, then) as first:
        first.send_signal(signal.SIGKILL)
    with locks.held(path, "in use by {}"):
        pass


def test_who_waits_is_told_and_comes_next(tmp_path, capfd):
    path = tmp_path / ".lock"
    with holder(path) as first:
        began = time.monotonic()
        timer = subprocess.Popen(
            [sys.executable, "-c", f"import os, time; time.sleep(1); os.kill({first.pid}, 9)"]
        )
        with locks.held(path, "waiting for {}", wait=True):
            waited = time.monotonic() - began
        timer.wait()
    assert 0.5 < waited < 30
    assert capfd.readouterr().err.count(f"waiting for process {first.pid} on") == 1


def test_a_folder_that_takes_no_lock(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="cannot be written"),
        locks.held(tmp_path / "file" / ".lock", "{}"),
    ):
        pass
