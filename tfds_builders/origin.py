"""What lies in a user's folder or .zip: the names and sizes by which a change of it is noticed."""

import gzip
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from jaxsent.errors import UserError
from tfds_builders.found import readable
from tfds_builders.images import SUFFIXES

FILE = "source.json.gz"
TABLES = frozenset((".csv", ".tsv", ".txt", ".mat"))
LISTED = 3  # names of each kind of change

Files = dict[str, str]
"""By a file's name inside the folder, with slashes: its size, of a table its checksum too."""


def files(source: Path) -> Files:
    """Every file below a folder, or in a .zip of it, without those that systems put there.

    A folder and a .zip of it agree. Links to folders are followed unless they lead in a circle. No
    file is opened but the tables, where an edit may well keep the size.

    Raises UserError for a folder that cannot be read and a file that is no zip.
    """
    if source.is_dir():
        return {name: _sign(entry) for name, entry in _walk(source)}
    try:
        with zipfile.ZipFile(source) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise UserError(f"{source}: expected a zip file that is whole; {error}") from None
    parts = {PurePosixPath(m.filename).parts: m for m in members}
    parts = {names: m for names, m in parts.items() if not any(map(_of_a_system, names))}
    # As archive.unpacked gives the only folder, so do the names begin below it.
    depth = len(os.path.commonprefix([names[:-1] for names in parts]))
    return {
        "/".join(names[depth:]): _signature(names[-1], m.file_size, lambda m=m: m.CRC)
        for names, m in parts.items()
    }


def names(folder: Path) -> Iterator[str]:
    """The names of `files` alone, in the order of the folders."""
    return (name for name, _ in _walk(folder))


def digest(files: Files) -> str:
    """Of the names and sizes, whatever their order."""
    lines = (f"{name}\0{files[name]}\n" for name in sorted(files))
    return hashlib.blake2b(os.fsencode("".join(lines)), digest_size=16).hexdigest()


def changes(before: Files, now: Files) -> str:
    """What differs, in words: `2 files new (a, b), 1 gone (c), 1 of other content (d)`."""
    kinds = {
        "new": now.keys() - before.keys(),
        "gone": before.keys() - now.keys(),
        "of other content": {n for n in now.keys() & before.keys() if now[n] != before[n]},
    }
    parts = [
        f"{len(names):,} {kind} ({', '.join(map(readable, sorted(names)[:LISTED]))}"
        f"{', ...' if len(names) > LISTED else ''})"
        for kind, names in kinds.items()
        if names
    ]
    return ", ".join(parts)


def save(files: Files, folder: Path) -> None:
    """Beside a prepared set."""
    text = json.dumps(files, ensure_ascii=True)
    (Path(folder) / FILE).write_bytes(gzip.compress(text.encode(), 5, mtime=0))


def load(folder: Path) -> Files | None:
    """What was saved; None where nothing was, as by older versions."""
    path = Path(folder) / FILE
    return json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else None


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry]]:
    """(name, entry) of each file in and below a folder, in the order of names."""
    folders = [("", os.fspath(root), (os.path.realpath(root),))]
    while folders:
        inside, folder, above = folders.pop()
        try:
            with os.scandir(folder) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"{folder}: cannot be read ({error.strerror})") from None
        below = []
        for entry in entries:
            name = inside + entry.name
            if _of_a_system(entry.name):
                continue
            # What has a photograph's name is told of as one that is none.
            if not _is_folder(entry) or os.path.splitext(name)[1].lower() in SUFFIXES:
                yield name, entry
            else:
                place = os.path.realpath(entry.path) if entry.is_symlink() else None
                if place not in above:
                    real = place or os.path.join(above[-1], entry.name)
                    below.append((f"{name}/", entry.path, (*above, real)))
        folders += below[::-1]


def _of_a_system(name: str) -> bool:
    """What macOS, Windows and version control leave in folders."""
    return name.startswith(".") or name.lower() in ("__macosx", "thumbs.db", "desktop.ini")


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _sign(entry: os.DirEntry) -> str:
    try:
        if entry.is_file():  # a pipe would never end
            size = entry.stat().st_size
            return _signature(entry.name, size, lambda: zlib.crc32(Path(entry.path).read_bytes()))
    except OSError:  # told of where it is read
        pass
    return "0"


def _signature(name: str, size: int, checksum: Callable[[], int]) -> str:
    if os.path.splitext(name)[1].lower() in TABLES:
        return f"{size} {checksum():08x}"
    return str(size)
