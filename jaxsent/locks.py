"""Locks between processes, kept by the operating system: they end with whoever holds them."""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from jaxsent.console import console
from jaxsent.errors import UserError
from jaxsent.files import unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

UNKNOWN = "another process"
WITHOUT_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
EVERY = 0.2  # seconds between two tries
FAR = 1 << 30  # where Windows locks a byte, which nobody could read then

_descriptors: set[int] = set()


def _forget() -> None:
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()


if hasattr(os, "register_at_fork"):  # a forked child would hold the lock beyond its parent's end
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def held(path: Path, refusal: str, wait: bool = False) -> Iterator[None]:
    """Holds the lock `path`, a file that stays and says who has or had it.

    A file system without locks is told of, once, and nothing is kept apart there.

    Args:
      path: in a folder that is there.
      refusal: what to tell of whoever holds it, with {} in the place of "process 7 on host".
      wait: until it is free, instead of raising.

    Raises:
      UserError: another process holds it, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    _descriptors.add(descriptor)
    try:
        _take(descriptor, path, refusal, wait)
        yield
    finally:
        if descriptor in _descriptors:  # not of a forked child
            _descriptors.remove(descriptor)
            os.close(descriptor)


def _take(descriptor: int, path: Path, refusal: str, wait: bool) -> None:
    told = False
    while not _try(descriptor, path):
        text = refusal.format(_holder(path))
        if not wait:
            raise UserError(text)
        if not told:
            console.print(text, markup=False)
            told = True
        time.sleep(EVERY)
    with contextlib.suppress(OSError):  # of a full disk: it is locked all the same
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())


def _try(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours now."""
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(descriptor, FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            console.print(f"{path}: no locks there ({error.strerror}); see that nobody else "
                          "writes into this folder.", markup=False)  # fmt: skip
            return True
        if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise unwritable(path, error) from error
        return False
    return True


def _holder(path: Path) -> str:
    """Who wrote into a lock's file."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        process, _, host = path.read_text().strip().partition(" ")
        if process.isdigit() and host:
            return f"process {process} on {host}"
    return UNKNOWN
