"""Files that are written whole or stay as they were, and what a person is told of a full disk."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from jaxsent.errors import UserError

ADVICE = {
    errno.ENOSPC: "make room there, or choose a place on another disk",
    errno.EDQUOT: "make room there, or choose a place on another disk",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EROFS: "choose another place",
    errno.EACCES: "choose another place, or ask its owner",
    errno.EPERM: "choose another place, or ask its owner",
    errno.EIO: "the disk may be failing",
    errno.ENOENT: "its folder is not there",
    errno.ENOTDIR: "what it lies in is no folder",
    errno.EISDIR: "it is a folder",
}
"""What to do, by the reason why a file cannot be written."""
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""What a disk refuses, wherever it happens: no fault of the program."""


def unwritable(place: Path | str, error: OSError) -> UserError:
    """What to raise where `place` cannot be written."""
    advice = ADVICE.get(error.errno, "choose another place")
    return UserError(f"{place} cannot be written ({error.strerror or error}); {advice}.")


@contextlib.contextmanager
def explained(place: Path | str) -> Iterator[None]:
    """Raises UserError where a disk refuses what a library writes into `place`.

    Libraries in C++ raise what they like: tensorstore a ValueError with the error's number in its
    text, array_record a RuntimeError with the system's words.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        for number in (*REFUSED, errno.EIO):
            words = os.strerror(number)
            if getattr(error, "errno", None) == number or words in str(error):
                raise unwritable(place, OSError(number, words)) from error
        raise


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name to write a file under, which becomes `path` once it is whole.

    Where that fails, or the program ends, `path` stays what it was; what was half written is
    deleted, or overwritten by the next.

    Raises:
      UserError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, durable: bool = False) -> None:
    """Writes a file, see `replacing`; a `durable` one is on the disk before it has its name."""
    with replacing(path) as part, part.open("wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Writes a file in UTF-8, see `replacing`."""
    write_bytes(path, text.encode())


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file in UTF-8, all of it or nothing; an end that a crash cut is ended.

    Raises:
      UserError: it cannot be written.
    """
    try:
        with path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"
            data = f"{line}\n".encode()
            try:
                while data:
                    data = data[file.write(data) :]
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise unwritable(path, error) from error


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it. Raises UserError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
