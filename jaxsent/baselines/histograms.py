"""Colour histograms and a support vector machine: GCH and LCH of WSIDNet's Table 1.

Siersdorfer et al., "Analyzing and predicting sentiment of images on the social web", ACM
Multimedia 2010: colours alone tell something of the mood of a photograph.

The protocol. A histogram is of all pixels of a photograph, at its own size: no crop, no scaling.
WSIDNet (4.2) states 64 bins and 16 blocks, and LIBSVM for another feature of the same table; WSCNet
(IV-B2) uses LIBSVM with "the default value" and "the one v.s. all strategy". So it is here. How
either scaled its features is not stated; `fit` says what was chosen.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from jaxsent import metrics
from jaxsent.data import augment, records
from jaxsent.data.batches import class_names, num_examples
from jaxsent.errors import UserError
from jaxsent.metrics.classification import MISSING

LEVELS = 4  # of each of red, green and blue: 64 bins
BLOCKS = 4  # on each side: 16 blocks
PENALTY = 1.0  # LIBSVM's default C


def gch(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (64,) float32 of sum 1: the global colour histogram.

    Bin 16 r + 4 g + b, each channel in quarters of 0..255.
    """
    r, g, b = np.moveaxis(image // (256 // LEVELS), -1, 0).astype(np.int64)
    bins = (r * LEVELS + g) * LEVELS + b
    counts = np.bincount(bins.ravel(), minlength=LEVELS**3)
    return (counts / bins.size).astype(np.float32)


def lch(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (1024,) float32: `gch` of each of 16 blocks, row by row.

    Raises:
      ValueError: the image is smaller than 4 x 4.
    """
    if min(image.shape[:2]) < BLOCKS:
        raise ValueError(f"expected an image of at least {BLOCKS} x {BLOCKS}, found {image.shape}")
    rows = np.array_split(image, BLOCKS, axis=0)
    return np.concatenate([gch(b) for row in rows for b in np.array_split(row, BLOCKS, axis=1)])


FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"gch": gch, "lch": lch}


def evaluate(builder, feature: str, target="polarity", train="train", test="test") -> dict:
    """Fits an SVM to one split of a prepared set and scores it on another.

    Args:
      builder: a prepared set, of `prepare`.
      feature: "gch" or "lch".
      target: "polarity", as in the paper, or "label", the set's own classes.
      train, test: names of splits. Images without a label are left out of training.

    Returns:
      `metrics.classification_scores` on the test split.

    Raises:
      UserError: a name that is not known, an empty split, or fewer than two classes to train on.
    """
    for name, value, known in (
        ("feature", feature, tuple(FEATURES)),
        ("target", target, ("polarity", "label")),
    ):
        if value not in known:
            raise UserError(f"{name}={value} is not known; choose from {', '.join(known)}.")
    classes = 2 if target == "polarity" else len(class_names(builder))
    x, y = read(builder, train, feature, target)
    machine = fit(x[y != MISSING], y[y != MISSING])
    x, y = read(builder, test, feature, target)
    predicted = machine.predict(x)
    return metrics.classification_scores(np.eye(classes, dtype=np.float32)[predicted], y)


def read(builder, split: str, feature: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Every image of a split -> features (N, D) float32 and labels (N,), -1 where not known."""
    if num_examples(builder, split) == 0:
        raise UserError(f"{builder.info.full_name}: the split {split} is empty; choose another")
    source = records.source(builder, split)

    def example(i):
        raw = source[i]
        file = records.text(raw["file"])
        try:
            return FEATURES[feature](augment.decode(raw["image"], file)), raw[target]
        except ValueError as error:
            raise UserError(f"{file}: {error}; leave it out of the set") from error

    with ThreadPoolExecutor() as threads:
        x, y = zip(*threads.map(example, range(len(source))))
    return np.stack(x), np.array(y, np.int32)


def fit(x: np.ndarray, y: np.ndarray):
    """(N, D), (N,) -> LIBSVM's classifier, a machine for each class against all others.

    An image is of the class whose machine's decision value is the largest; two classes need one
    machine. LIBSVM's defaults: C = 1, kernel exp(-gamma |x - x'|^2) with gamma = 1 / D, of features
    divided by the one standard deviation of all their values, so that gamma = 1 / (D var(x)) of the
    histograms themselves. Undivided, gamma = 1 / D sees all histograms as alike, since their bins
    are shares of one. Raises UserError unless there are two classes to tell apart.
    """
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC

    if len(np.unique(y)) < 2:
        raise UserError(
            f"Expected images of at least two classes to train on, found classes {np.unique(y)}."
        )
    return OneVsRestClassifier(SVC(C=PENALTY, kernel="rbf", gamma="scale")).fit(x, y)
