"""What is written is whole or as it was, whatever the disk says."""

import errno
import os

import pytest

from jaxsent import files
from jaxsent.errors import UserError
from tests.faults.conftest import limit

LIMIT = 1000


@pytest.fixture
def limited():
    with limit(LIMIT):
        yield


def test_a_file_too_large_leaves_the_one_before(tmp_path, limited):
    path = tmp_path / "page.html"
    files.write_text(path, "good")
    with pytest.raises(UserError, match=r"page.html cannot be written \(File too large\); raise"):
        files.write_text(path, "x" * (LIMIT + 1))
    assert path.read_text() == "good"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_full_disk_leaves_the_file_before(small_disk):
    disk = small_disk(64)
    path = disk / "numbers.json"
    files.write_text(path, "good")
    with pytest.raises(UserError, match=r"\(No space left on device\); make room there"):
        files.write_bytes(path, bytes(1 << 17), durable=True)
    assert path.read_text() == "good"
    assert os.listdir(disk) == ["numbers.json"]


def test_a_line_is_added_whole_or_not(tmp_path, limited):
    path = tmp_path / "lines"
    files.append_line(path, "a" * (LIMIT - 10))
    before = path.read_bytes()
    with pytest.raises(UserError, match="lines cannot be written"):
        files.append_line(path, "b" * 20)
    assert path.read_bytes() == before
    files.append_line(path, "c")
    assert path.read_text().splitlines()[1:] == ["c"]


def test_a_line_that_a_crash_cut_spoils_no_other(tmp_path):
    path = tmp_path / "lines"
    path.write_text('{"step": 1}\n{"st')
    files.append_line(path, '{"step": 2}')
    assert path.read_text().splitlines() == ['{"step": 1}', '{"st', '{"step": 2}']


def test_what_fails_elsewhere_is_no_fault_of_the_disk(tmp_path):
    (tmp_path / "file").write_text("good")

    def half(path):
        with files.replacing(path) as part:
            part.write_text("half")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        half(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "good"
    for number in files.REFUSED:
        error = files.unwritable("place", OSError(number, os.strerror(number)))
        assert len(str(error).splitlines()) == 1
    assert errno.ENOSPC in files.REFUSED
