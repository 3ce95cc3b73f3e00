"""Features and a support vector machine, the protocol of all rows that are not networks.

WSCNet (IV-B2) classifies features by LIBSVM, whose "default value" and "one v.s. all strategy" it
uses; WSIDNet (4.2) names LIBSVM for one of its rows. How either scaled its features is not stated;
`fit` says what was chosen.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from jaxsent import metrics
from jaxsent.baselines.histograms import gch, lch
from jaxsent.baselines.principles import principles
from jaxsent.data import augment, records
from jaxsent.data.batches import class_names, num_examples
from jaxsent.errors import UserError
from jaxsent.metrics.classification import MISSING

PENALTY = 1.0  # LIBSVM's default C
TARGETS = ("polarity", "label")
KERNELS = ("rbf", "linear")
FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gch": gch,
    "lch": lch,
    "principles": principles,
}
"""Features that an image alone tells: (H, W, 3) uint8 RGB -> (D,), by name."""
SCALED = ("principles",)
"""Those of them whose numbers have units of their own."""


def evaluate(
    builder,
    features: str | Callable[[str], np.ndarray],
    target: str = "polarity",
    kernel: str = "rbf",
    train: str = "train",
    test: str = "test",
) -> dict:
    """Fits an SVM to one split of a prepared set and scores it on another.

    Args:
      builder: a prepared set, of `prepare`.
      features: a name of FEATURES, or what gives (N, D) for the images of a split, in order.
      target: "polarity", or "label", the set's own classes.
      kernel: "rbf", LIBSVM's default, or "linear".
      train, test: names of splits. Images without a label are left out of training.

    Returns:
      `metrics.classification_scores` on the test split.

    Raises:
      UserError: a name that is not known, an empty split, or fewer than two classes to train on.
    """
    predicted, y = predict(builder, features, target, kernel, train, test)
    return metrics.classification_scores(predicted, y)


def predict(
    builder,
    features: str | Callable[[str], np.ndarray],
    target: str = "polarity",
    kernel: str = "rbf",
    train: str = "train",
    test: str = "test",
) -> tuple[np.ndarray, np.ndarray]:
    """As `evaluate` -> (N, K) float32, 1 for the class that each image is said to be of, and (N,)
    its true class, -1 where not known."""
    for name, value, known in (
        ("features", features, tuple(FEATURES)),
        ("target", target, TARGETS),
        ("kernel", kernel, KERNELS),
    ):
        if isinstance(value, str) and value not in known:
            raise UserError(f"{name}={value} is not known; choose from {', '.join(known)}.")
    scaled = features in SCALED
    if isinstance(features, str):
        features = partial(read, builder, features)
    classes = 2 if target == "polarity" else len(class_names(builder))
    y = targets(builder, train, target)
    machine = fit(features(train)[y != MISSING], y[y != MISSING], kernel, scaled)
    y = targets(builder, test, target)
    return np.eye(classes, dtype=np.float32)[machine.predict(features(test))], y


def targets(builder, split: str, target: str) -> np.ndarray:
    """(N,) int32, a split's labels or polarities in order, -1 where not known.

    Raises:
      UserError: the split is empty.
    """
    if num_examples(builder, split) == 0:
        raise UserError(f"{builder.info.full_name}: the split {split} is empty; choose another")
    return np.array([raw[target] for raw in records.source(builder, split)], np.int32)


def read(builder, feature: str, split: str) -> np.ndarray:
    """A feature of every image of a split, each at its own size -> (N, D) float32.

    Raises:
      UserError: the split is empty, or an image is too small; its file is named.
    """
    if num_examples(builder, split) == 0:
        raise UserError(f"{builder.info.full_name}: the split {split} is empty; choose another")
    source = records.source(builder, split)

    def of_example(i):
        raw = source[i]
        file = records.text(raw["file"])
        try:
            return FEATURES[feature](augment.decode(raw["image"], file))
        except ValueError as error:
            raise UserError(f"{file}: {error}; leave it out of the set") from error

    with ThreadPoolExecutor() as threads:
        return np.stack(list(threads.map(of_example, range(len(source)))))


def fit(x: np.ndarray, y: np.ndarray, kernel: str = "rbf", scaled: bool = False):
    """(N, D), (N,) -> LIBSVM's classifier, a machine for each class against all others.

    An image is of the class whose machine's decision value is the largest; two classes need one
    machine. LIBSVM's defaults: C = 1, kernel exp(-gamma |x - x'|^2) with gamma = 1 / D, of features
    divided by the one standard deviation of all their values, so that gamma = 1 / (D var(x)) of the
    features themselves. Undivided, gamma = 1 / D sees all histograms as alike, since their bins
    are shares of one. Where `scaled`, each feature lies in -1..1 over the training images instead,
    as LIBSVM's svm-scale does. The linear kernel reads either.

    Raises:
      UserError: there are not two classes to tell apart.
    """
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
    from sklearn.svm import SVC

    if len(np.unique(y)) < 2:
        raise UserError(
            f"Expected images of at least two classes to train on, found classes {np.unique(y)}."
        )
    if scaled:
        scaling = MinMaxScaler((-1, 1))
    else:
        scaling = FunctionTransformer(partial(np.multiply, 1 / (x.std() or 1)))
    machine = SVC(C=PENALTY, kernel=kernel, gamma=1 / x.shape[1])
    return make_pipeline(scaling, OneVsRestClassifier(machine)).fit(x, y)
