"""Data sets in TFDS's convention, one folder each, found by the folder's name."""

import difflib
import importlib
import pkgutil

from jaxsent.errors import UserError


def names() -> list[str]:
    """The sets that have a builder, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def builder_class(name: str) -> type:
    """The TFDS builder class of a set. Raises UserError for a name that has none."""
    if name in names():
        return importlib.import_module(f"{__name__}.{name}.{name}_dataset_builder").Builder
    there = f"there are {', '.join(names())}"
    close = difflib.get_close_matches(name, names(), 1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UserError(f"data set {name}: no such set; {hint}{there}")
