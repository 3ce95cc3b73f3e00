"""How much the images of each class weigh in the loss: as a config says, or all classes alike."""

import numpy as np

from jaxsent import losses
from jaxsent.data.records import Part, source
from jaxsent.errors import UserError

BALANCED = ("balanced",)
"""`loss.class_weights` that are counted; a word that the flag's parser makes a tuple of."""


def class_weights(builder, config, classes: tuple[str, ...], rows=None) -> np.ndarray | None:
    """`config.loss.class_weights` -> (K,) float32, None where all classes weigh alike.

    Args:
      builder: the prepared set.
      config: the whole config.
      classes: K names.
      rows: places in the training split of the images that count, None for all.

    Raises:
      UserError: they are not as many as the classes.
    """
    weights = tuple(config.loss.class_weights)
    if not weights:
        return None
    if weights == BALANCED:
        counts = _counts(builder, config.data, len(classes), rows)
        return losses.balanced_weights(counts).astype(np.float32)
    if len(weights) != len(classes):
        raise UserError(
            f"loss.class_weights={weights}: expected balanced or {len(classes)} numbers, one for "
            f"each of {', '.join(classes)}; found {len(weights)}."
        )
    return np.array(weights, np.float32)


def _counts(builder, data, classes: int, rows) -> np.ndarray:
    """(K,) images of each class in the training split."""
    examples = source(builder, data.train_split)
    examples = examples if rows is None else Part(examples, rows)
    labels = np.array([examples[i][data.class_target] for i in range(len(examples))], np.int64)
    return np.bincount(labels[labels >= 0], minlength=classes)
