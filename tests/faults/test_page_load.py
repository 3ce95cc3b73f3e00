"""A crowd at the page, in short; benchmarks/page_load.py in full is docs/reliability.md's."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "page_load.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_crowd_is_answered_as_predict_answers():
    """And SIGTERM ends it, and nothing is on disk: the program's status says so."""
    command = [sys.executable, str(PROGRAM), "--minutes", "0.1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| lost, or answered otherwise than by jaxsent predict | 0 |" in done.stdout
