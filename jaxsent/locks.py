"""Locks between processes, kept by the operating system: they end with whoever holds them.

A lock's file is deleted by who held it. After a crash it stays, and means nothing.
"""

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
    """Holds the lock `path`, a file that says who has it; its folder is made where it is not there.

    A file system without locks is told of, once, and nothing is kept apart there.

    Args:
      path: the file; nothing else may be kept in it.
      refusal: what to tell of whoever holds it, with {} in the place of "process 7 on host".
      wait: until it is free, instead of raising.

    Raises:
      UserError: another process holds it, or it cannot be written.
    """
    told = False
    while (descriptor := _taken(path)) is None:
        text = refusal.format(_holder(path))
        if not wait:
            raise UserError(text)
        if not told:
            console.print(text, markup=False)
            told = True
        time.sleep(EVERY)
    try:
        with contextlib.suppress(OSError):  # of a full disk: it is locked all the same
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
        yield
    finally:
        if descriptor in _descriptors:  # not of a forked child
            with contextlib.suppress(OSError):  # Windows deletes no open file
                path.unlink()
            _close(descriptor)


def _taken(path: Path) -> int | None:
    """The descriptor of the lock's file, which is ours now; None where it is another's."""
    while True:
        descriptor = _opened(path)
        _descriptors.add(descriptor)
        ours = False
        try:
            ours = _try(descriptor, path)
            if not ours:
                return None
            # Who had it may have deleted this file meanwhile, and a third made another.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
            ours = False
        finally:
            if not ours:
                _close(descriptor)


def _opened(path: Path) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # whoever failed there deleted the folder
                return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise unwritable(path.parent, error) from error


def _close(descriptor: int) -> None:
    _descriptors.remove(descriptor)
    os.close(descriptor)


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
