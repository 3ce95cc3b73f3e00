"""What `eval.compare` names: maps that are made here, and NAME=PATH of those made elsewhere."""

from collections.abc import Callable
from pathlib import Path

from jaxsent.baselines.outside_maps import MapOf, open_maps
from jaxsent.errors import UserError
from jaxsent.evaluation.maps import COMPARED, OWN


def check(compare) -> tuple[str, ...]:
    """`eval.compare` -> the names in it, NAME of a NAME=PATH; no path is looked at.

    Raises:
      UserError: there is no such map, or a NAME is none, is one of COMPARED or comes twice.
    """
    names = tuple(entry.partition("=")[0] for entry in compare)
    for name, entry in zip(names, compare, strict=True):
        if "=" not in entry and name not in COMPARED:
            raise UserError(
                f"eval.compare: there is no map {name!r}; expected some of {', '.join(COMPARED)}, "
                "or NAME=PATH, a folder of maps or a file of boxes."
            )
        if "=" in entry and (not name.isidentifier() or name in (OWN, *COMPARED)):
            raise UserError(
                f"eval.compare: {entry!r}: expected NAME=PATH with a NAME of letters, digits and _ "
                "that no map has."
            )
        if names.count(name) > 1:
            raise UserError(f"eval.compare: the map {name!r} is there twice.")
    return names


def outside_paths(compare) -> dict[str, Path]:
    """`eval.compare` -> {NAME: PATH} of the maps that were made elsewhere. Raises UserError."""
    check(compare)
    pairs = (entry.partition("=")[::2] for entry in compare if "=" in entry)
    paths = {name: Path(path).expanduser() for name, path in pairs}
    for name, path in paths.items():
        if not path.exists():
            raise UserError(
                f"eval.compare: {name}={path}: there is no such folder of maps or file of boxes; "
                "name it anew, or leave it out, by --config.eval.compare."
            )
    return paths


def open_outside(compare, files: Callable[[], list[str]], best: int = 0) -> dict[str, MapOf]:
    """The maps of `eval.compare` that were made elsewhere, by name.

    Args:
      compare: names, and NAME=PATH.
      files: gives the names of the images that need a map.
      best: of boxes only so many of an image; 0: all.

    Raises:
      UserError: as outside_maps.open_maps.
    """
    paths = outside_paths(compare)
    names = files() if paths else []
    return {name: open_maps(name, path, names, best) for name, path in paths.items()}
