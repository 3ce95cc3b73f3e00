"""Open every photograph that a layout names and keep those that can be used."""

import collections
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from jaxsent.data.photograph import ExtraNeeded
from jaxsent.errors import UserError
from tfds_builders import images
from tfds_builders.found import Item, readable
from tfds_builders.maps import Kind
from tfds_builders.parallel import ahead
from tfds_builders.survey import Survey


def sift(
    items: list[Item],
    root: Path,
    kinds: Mapping[str, Kind],
    survey: Survey,
    track: Callable,
) -> tuple[list[Item], dict[Path, images.Looked]]:
    """The items that can be used, once each, and what the looks at their files found.

    `kinds` are those of the items' maps by feature. Left out and told to `survey`: links out of
    `root`, what does not decode (a map as well as a photograph), and pictures with two labels,
    under one name or several.
    """
    looks, kept, lost = {}, [], {}
    results = ahead(lambda item: _look(item, root, kinds), items)
    for item, result in zip(items, track(results, "reading", len(items)), strict=True):
        if isinstance(result, images.Looked):
            looks[item.path] = result
            kept.append(item)
        else:
            kind, path = result
            lost[relative(path, root)] = kind
    survey.undecodable = [name for name, kind in lost.items() if kind == "undecodable"]
    survey.unread += [name for name, kind in lost.items() if kind == "unread"]
    survey.refused = [name for name, kind in lost.items() if kind == "refused"]
    kept = _consistent(kept, looks, root, survey)
    return kept, looks


def relative(path: Path, root: Path) -> str:
    """A file's name inside the user's folder, with slashes, as text."""
    return readable(Path(os.path.relpath(path, root)).as_posix())


def _look(item: Item, root: Path, kinds: Mapping[str, Kind]) -> images.Looked | tuple[str, Path]:
    """What the photograph holds, or why and which of its files cannot be used."""
    path = item.path
    try:
        look = images.look(path, root)
        for name, path in item.maps.items():
            kinds[name].read(path, root)
    except ExtraNeeded:
        return "unread", path
    except UserError:
        return ("undecodable" if images.inside(path, root) else "refused"), path
    return look


def _consistent(items: list[Item], looks: dict, root: Path, survey: Survey) -> list[Item]:
    """Without pictures of several labels and repeated lines; both and duplicates go to `survey`."""
    labels = collections.defaultdict(set)
    files = collections.defaultdict(dict)
    for item in items:
        digest = looks[item.path].digest
        labels[digest].add(item.label)
        files[digest][relative(item.path, root)] = None
    for digest, names in files.items():
        if len(labels[digest]) > 1:
            classes = ", ".join(sorted(labels[digest]))
            survey.contradictory.append(f"{' = '.join(names)} ({classes})")
        elif len(names) > 1:
            survey.duplicates.append(list(names))
    consistent = {
        (item.split, item.path): item for item in items if len(labels[looks[item.path].digest]) == 1
    }
    return list(consistent.values())
