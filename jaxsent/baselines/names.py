"""Which entry of a file that came from outside is of which image: found by the image's name."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import eq
from pathlib import PurePosixPath

from jaxsent.errors import UserError

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".heic", ".avif", ".npy",
    ".npz",
)  # fmt: skip
FEW = 3  # names that a message lists


def places(names: Sequence[str], files: list[str], source, entry: str = "row") -> list[int]:
    """N names of entries, names of n images -> the place among the N of each image's entry.

    An entry is an image's if it has the same path, or if it is the only one whose path, suffix
    aside, ends as the image's does or the other way round: `x.jpg` and `/data/awe/x.png` are the
    entry of `awe/x.jpg`, `fear/x.jpg` is not.

    Raises:
      UserError: images have no entry, or two have one; some are named. `source` and `entry` are
        what the message calls the whole and one of it.
    """
    exact = {name: i for i, name in enumerate(names)}
    by_stem = defaultdict(list)
    for i, name in enumerate(names):
        parts = _parts(name)
        by_stem[parts[0]].append((i, parts))
    chosen = []
    for file in files:
        parts = _parts(file)
        ends = [i for i, other in by_stem[parts[0]] if all(map(eq, parts, other))]
        chosen.append(exact.get(file, ends[0] if len(ends) == 1 else None))
    missing = [file for file, place in zip(files, chosen, strict=True) if place is None]
    if missing:
        raise UserError(
            f"{source}: expected a {entry} for every image of the set; {few(missing)} not in it. "
            f"{entry.capitalize()}s are called {', '.join(names[:FEW])}, …"
        )
    count = Counter(chosen)
    shared = [file for file, place in zip(files, chosen, strict=True) if count[place] > 1]
    if shared:
        raise UserError(
            f"{source}: {few(shared)} of one {entry}, {names[count.most_common(1)[0][0]]}; "
            f"name {entry}s by the images' paths in the set."
        )
    return chosen


def few(names) -> str:
    """Names -> the first of them, how many more there are, and "is" or "are"."""
    names = list(names)
    rest = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return f"{', '.join(names[:FEW])}{rest} {'are' if len(names) > 1 else 'is'}"


def _parts(name: str) -> list[str]:
    """A path's parts from its end, without the suffix of an image or a map."""
    path = PurePosixPath(name.replace("\\", "/"))
    path = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    return [part for part in reversed(path.parts) if part != path.anchor] or [""]
