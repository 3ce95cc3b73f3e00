"""The photographs that a person names: files, folders and patterns."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from jaxsent.data.photograph import SUFFIXES


def shown(path: Path) -> str:
    """A path as text that may be printed: what is no UTF-8, or would steer a terminal, as \\xNN."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def files(patterns: Iterable[str]) -> Iterator[Path]:
    """Files as they are; the photographs below a folder, sorted; what a pattern matches.

    What is not there comes too: it is for the reader to say so.
    """
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                photographs = (n for n in sorted(names) if Path(n).suffix.lower() in SUFFIXES)
                yield from (Path(folder) / name for name in photographs)
        elif path.exists():
            yield path
        else:
            yield from map(Path, sorted(glob.glob(str(path), recursive=True)) or [path])
