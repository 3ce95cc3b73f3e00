"""A part of a split, by names; and the part that PCNN goes on with.

You, Luo, Jin & Yang, "Robust image sentiment analysis using progressively trained and domain
transferred deep networks", AAAI 2015.
"""

import csv
from pathlib import Path

import numpy as np

from jaxsent.data.records import text
from jaxsent.errors import UserError

PREDICTIONS = ["file", "label", "prediction"]
"""How a predictions.csv begins; the classes follow."""
LONGEST = 256  # bytes of a name in it


def removal_probability(scores) -> np.ndarray:
    """(N, K) class probabilities -> (N,): p_i = max(0, 2 − exp(|s_i0 − s_i1|)) (You et al. 2015).

    The chance that image i is removed: certain where a network cannot tell the classes apart,
    none from a difference of log 2 = 0.69 on. s_i0 and s_i1 are the two classes' scores there;
    of more than two classes here, the two highest.
    """
    highest = np.sort(np.asarray(scores, np.float64), axis=1)[:, ::-1]
    return np.maximum(0, 2 - np.exp(highest[:, 0] - highest[:, 1]))


def progressive_selection(scores, rng: np.random.Generator) -> np.ndarray:
    """(N, K) class probabilities -> (N,) bool, what is kept of a noisy set: a draw of its own each.

    Labels play no part: it is the network's doubt that counts.
    """
    removal = removal_probability(scores)
    return rng.random(len(removal)) >= removal


def kept_names(path: Path, seed: int) -> set[str]:
    """Names of images that a file keeps, of at most 256 bytes each.

    Args:
      path: names, a line each; or a run's predictions.csv, of which `progressive_selection` draws.
      seed: of the draw.

    Raises:
      UserError: there is no such file, it is damaged, or it keeps none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(
            f"data.subset={path}: expected a file of names, a line each, or a predictions.csv of "
            "`jaxsent eval RUN --split train`."
        ) from None
    if lines and lines[0].startswith(",".join(PREDICTIONS)):
        names = _drawn(path, list(csv.reader(lines)), seed)
    else:
        names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise UserError(f"data.subset={path}: it keeps no image.")
    return {_cut(name) for name in names}


def positions(source, names: set[str], path: Path) -> np.ndarray:
    """Places in a `records.Source` of the images called so, in the source's order.

    Raises:
      UserError: one of the names is of no image.
    """
    files = [_cut(text(example["file"])) for example in source]
    absent = sorted(names - set(files))
    if absent:
        raise UserError(
            f"data.subset={path}: {len(absent):,} of its {len(names):,} names are of no image in "
            f"data.train_split, such as {absent[0]}; expected names as data has them, such as "
            f"{files[0]}."
        )
    return np.flatnonzero([file in names for file in files])


def _drawn(path: Path, rows: list[list[str]], seed: int) -> list[str]:
    classes = len(rows[0]) - len(PREDICTIONS)
    try:
        scores = [[float(score) for score in row[len(PREDICTIONS) :]] for row in rows[1:]]
    except ValueError:
        scores = []
    if classes < 2 or not scores or {len(row) for row in scores} != {classes}:
        raise UserError(f"data.subset={path}: the probabilities in it are damaged.")
    kept = progressive_selection(scores, np.random.default_rng((seed, 2)))
    return [row[0] for row, keep in zip(rows[1:], kept, strict=True) if keep]


def _cut(name: str) -> str:
    return name.encode()[:LONGEST].decode(errors="replace")
