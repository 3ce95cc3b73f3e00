"""Disks that take no more."""

import contextlib
import resource
import subprocess

import pytest


@contextlib.contextmanager
def limit(size: int):
    """No file may grow beyond `size` bytes, as on a full disk that stops in the middle of one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path):
    """Makes a disk of so many kB."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: int):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk needs root")
        return folder

    yield make
    subprocess.run(["umount", folder], capture_output=True, check=False)
