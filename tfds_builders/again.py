"""What becomes of a set that is there already: kept, refused or replaced."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from jaxsent import locks
from jaxsent.errors import UserError
from tfds_builders import origin, survey

OLD = "replaced."  # before the name of a set's folder, for the moment until the new one is there
LEFT_BEHIND = ("incomplete.*", "unpacked.*")


def kept(name: str, folder: Path, source: Path | None) -> str:
    """What to tell of a set that is read without a look at its source."""
    known = survey.load(folder)
    where = f", prepared from {known.source}" if known and known.source else ""
    gone = f"; {source} is not there any more" if source else ""
    return f"{name} is there already{where}{gone}."


def outdated(
    name: str,
    folder: Path,
    source: Path,
    changed: Literal["error", "rebuild"],
    tell: Callable[[str], object],
) -> bool:
    """Whether to build the set in `folder` anew, since the source has changed; tells it.

    Raises UserError where it has and `changed` is "error".
    """
    known = survey.load(folder)
    if known is None or not known.digest:
        tell(
            f"{name} is there already, by a version of jaxsent that did not note what it was "
            "prepared from; it is kept as it is, and --force prepares it again."
        )
        return False
    files = origin.files(source)
    if known.digest == origin.digest(files):
        tell(f"{name} is there already, prepared from {known.source}; {source} is unchanged.")
        return False
    differences = origin.changes(origin.load(folder) or {}, files)
    if changed == "error":
        raise UserError(
            f"{name}: {source} has changed since the set was prepared in {folder}: {differences}; "
            f"prepare it again with `jaxsent data prepare {name} --from {source} --data-dir "
            f"{folder.parents[2]}`, or leave out the source (data.source) to use the set as it is"
        )
    tell(f"{name} is there already, but {source} has changed: {differences}; preparing it again.")
    return True


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A data_dir to prepare a set in, which at the end takes the place of that in `folder`."""
    with tempfile.TemporaryDirectory(prefix="incomplete.", dir=folder.parent) as place:
        yield Path(place)
        old = folder.with_name(OLD + folder.name)
        folder.rename(old)
        Path(place, *folder.parts[-3:]).rename(folder)
        shutil.rmtree(old)


def interrupted(folder: Path) -> bool:
    """Whether a set is being replaced, or was when its process was killed."""
    return folder.with_name(OLD + folder.name).is_dir()


@contextlib.contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Keeps other processes from preparing a set while this one does; they wait.

    They are not refused, since what they want is what this one makes: afterwards they read it. What
    processes that were killed have left of this set is deleted.

    Raises UserError where it cannot be written.
    """
    waiting = f"{name}: {{}} is preparing it; waiting for its end."
    try:
        with locks.held(folder.with_name(".preparing.lock"), waiting, wait=True):
            for left in (path for kind in LEFT_BEHIND for path in folder.parent.glob(kind)):
                shutil.rmtree(left, ignore_errors=True)
            yield
    finally:
        with contextlib.suppress(OSError):  # unless something is in them
            folder.parent.rmdir()
            folder.parents[1].rmdir()


def restore(folder: Path) -> bool:
    """Put back a set whose replacement was cut off in the middle -> whether it was."""
    old = folder.with_name(OLD + folder.name)
    if not old.is_dir():
        return False
    if folder.is_dir():
        shutil.rmtree(old)
        return False
    old.rename(folder)
    return True
