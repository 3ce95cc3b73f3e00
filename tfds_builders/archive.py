"""Unpack a .zip of photographs, trusting nothing that it says."""

import contextlib
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from jaxsent.errors import UserError

# Photographs hardly compress and tables by ten or twenty; bombs by a thousand and more.
EXPANSION = 100
SMALL = 1 << 26  # bytes up to which any expansion is harmless


@contextlib.contextmanager
def unpacked(archive: Path, beside: Path, track: Callable) -> Iterator[Path]:
    """A folder with the archive's files, inside the folder `beside`, deleted at the end.

    Where all of them are in one folder, it is that one. Raises UserError before anything is
    written: no zip, a member that would land elsewhere or is a link, encryption, an expansion that
    is no photographs', or more than the disk can hold; and for a damaged member.
    """
    try:
        with (
            zipfile.ZipFile(archive) as file,
            tempfile.TemporaryDirectory(prefix="unpacked.", dir=beside) as folder,
        ):
            members = file.infolist()
            _check(archive, members, shutil.disk_usage(beside).free)
            for member in track(members, f"unpacking {archive.name}", len(members)):
                file.extract(member, folder)
            yield _only_folder(Path(folder))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise UserError(f"{archive}: expected a zip file that is whole; {error}") from None


def _check(archive: Path, members: list[zipfile.ZipInfo], free: int) -> None:
    for member in members:
        name = member.filename
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
            raise UserError(f"{archive}: refused, its member {name} has an absolute path")
        if ".." in PureWindowsPath(name).parts:
            raise UserError(f"{archive}: refused, its member {name} leads out of the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(f"{archive}: refused, its member {name} is a symbolic link")
        if member.flag_bits & 1:
            raise UserError(f"{archive}: its member {name} is encrypted; unpack it yourself")
    packed = sum(member.compress_size for member in members)
    size = sum(member.file_size for member in members)
    if size > max(EXPANSION * packed, SMALL):
        raise UserError(
            f"{archive}: refused, {packed} bytes would become {size}; unpack it if you trust it"
        )
    if size > free:
        raise UserError(f"{archive}: {size} bytes to unpack, {free} are free in data.dir's disk")


def _only_folder(folder: Path) -> Path:
    while True:
        inside = [p for p in folder.iterdir() if p.name != "__MACOSX"]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]
