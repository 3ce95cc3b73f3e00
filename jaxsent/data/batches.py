"""From a prepared set to batches of NumPy arrays. Grain is used here and in feed.py alone.

Batches are a pure function of (set, seed, step): a resumed run asks for `start_step`, and no
iterator state is saved.
"""

import dataclasses
import functools
import sys

import grain
import numpy as np

from jaxsent.data import augment
from jaxsent.data.elements import EvalElement, TrainElement
from jaxsent.data.feed import Ahead
from jaxsent.data.records import CachedSource, Part, source
from jaxsent.errors import UserError


def class_names(builder) -> list[str]:
    """The names of the set's own classes, in label order."""
    return list(builder.info.features["label"].names)


def num_examples(builder, split: str) -> int:
    """How many images a split holds. Raises UserError for a split the set has not."""
    if split not in builder.info.splits:
        known = ", ".join(builder.info.splits)
        raise UserError(f"{builder.info.full_name} has no split {split}; it has {known}")
    return builder.info.splits[split].num_examples


def train_batches(
    builder,
    split,
    *,
    batch_size,
    image_size,
    seed,
    start_step=0,
    workers=0,
    process_index=0,
    process_count=1,
    scale=(0.08, 1.0),
    ratio=(3 / 4, 4 / 3),
    flip=0.5,
    enlarging="bilinear",
    maps=(),
    keep=0.0,
    crop="resized",
    resize=256,
    rows=None,
    ratings=(),
    randaugment=(),
):
    """An endless iterator of this process's part of each shuffled, augmented batch.

    Elements, with b = batch_size // process_count: image uint8 (b, S, S, 3), label and polarity
    int32 (b,), mask bool (b,) all True, file (b,) text, and each of `maps` (features of the set:
    region, fixation_map, fixations) uint8 (b, S, S), cut and mirrored with its image. `scale` and
    `ratio` bound the random crop (augment.random_crop_box); with `crop` "plain" it is a square of
    S from the image whose shorter side is `resize` (augment.plain_crop_box). `flip` is the
    probability of mirroring, `enlarging` the interpolation of augment.resize, `randaugment` the
    (N, M) of randaugment.py.

    Batches from `start_step` on equal those of an unbroken run; they do not depend on `workers`
    (processes that decode; 0: threads of this one), and all processes together yield the same
    augmented elements for any `process_count`. Close the iterator, which ends them. Up to `keep`
    GiB of decoded images stay in memory, over all workers, where later epochs find them. `rows`
    are the places in the split of the images that count, None for all.
    `ratings` are features of the set that are numbers, float32 (b,), NaN where unknown.
    """
    _local_batch(batch_size, process_count)
    if num_examples(builder, split) == 0:
        raise UserError(
            f"{builder.info.full_name}: the split {split} is empty; nothing to train on"
        )
    _check_maps(builder, (*maps, *ratings))
    _check_crop(crop, resize, image_size)
    cut = TrainElement(
        image_size, scale, ratio, flip, enlarging, maps, crop, resize, ratings, tuple(randaugment)
    )
    examples = source(builder, split)
    if rows is not None:
        examples = Part(examples, rows)
    cached = CachedSource(examples, int(keep * 2**30) // max(workers, 1))
    own = range(process_index, batch_size, process_count)
    batches = _TrainBatches(cached, cut, seed, batch_size, own)
    return Ahead(grain.MapDataset.source(batches)[start_step:], workers)


def eval_batches(
    builder,
    split,
    *,
    batch_size,
    image_size,
    resize,
    ten_crop=False,
    whole=False,
    maps=(),
    workers=0,
    process_index=0,
    process_count=1,
    enlarging="bilinear",
    ratings=(),
):
    """An iterator over each image once and in order, the same number of batches on every process.

    The image's shorter side becomes `resize` and its centre `image_size` = S is cut out. Elements,
    with b = batch_size // process_count: image uint8 (b, S, S, 3), or (b, 5, S, S, 3) with
    `ten_crop`: four corners and the centre last (mirror them on the device); label, polarity int32
    (b,); file (b,) text; mask bool (b,), False where the last batch is padded with zeros.
    With `whole` also the whole image squashed to `whole` (b, S, S, 3), and the photograph's file as
    bytes; each of `maps` (region, fixation_map, fixations) is the bytes of its file as well.
    `ratings` as of train_batches.
    Process p holds the p-th block of b rows of each global batch.
    """
    local = _local_batch(batch_size, process_count)
    if resize < image_size:
        raise UserError(f"resize={resize} is below image_size={image_size}; make it at least that")
    _check_maps(builder, (*maps, *ratings))
    count = num_examples(builder, split)
    rows = _Rows(source(builder, split) if count else None, count, batch_size, local, process_index)
    cut = EvalElement(image_size, resize, ten_crop, whole, maps, enlarging, ratings)
    elements = grain.MapDataset.source(rows).map(cut)
    return Ahead(elements.batch(local, batch_fn=_batched), workers)


def _local_batch(batch_size: int, process_count: int) -> int:
    if batch_size % process_count:
        down = batch_size - batch_size % process_count
        raise UserError(
            f"batch_size={batch_size} does not divide over {process_count} processes; try "
            f"{down or process_count} or {down + process_count}"
        )
    return batch_size // process_count


def _check_crop(crop: str, resize: int, image_size: int) -> None:
    if crop not in augment.CROPS:
        raise UserError(f"augment.crop={crop!r}: expected one of {', '.join(augment.CROPS)}.")
    if crop == "plain" and resize < image_size:
        raise UserError(
            f"augment.resize={resize} is below data.image_size={image_size}, so a plain crop does "
            "not fit; make it at least that."
        )


def _check_maps(builder, maps) -> None:
    for name in maps:
        if name not in builder.info.features:
            raise UserError(
                f"{builder.info.full_name} has no {name}; it has {list(builder.info.features)}"
            )


@dataclasses.dataclass(frozen=True)
class _Rows:
    """This process's rows of every global batch, in order; None past the end of `source`."""

    source: object
    count: int
    batch_size: int
    local: int
    process_index: int

    def __len__(self):
        return -(-self.count // self.batch_size) * self.local

    def __getitem__(self, i):
        batch, row = divmod(i, self.local)
        i = batch * self.batch_size + self.process_index * self.local + row
        # A tuple, because grain drops elements that are None.
        return (self.source[i] if i < self.count else None,)


@dataclasses.dataclass(frozen=True)
class _TrainBatches:
    """This process's rows of every global batch, of an endless sequence of epochs.

    A whole batch at a time: grain's own shuffling, randomness and batching of single elements take
    a third of a millisecond for each, as much as a resize.
    """

    source: CachedSource
    cut: TrainElement
    seed: int
    batch_size: int
    rows: range

    def __len__(self):
        return sys.maxsize // self.batch_size

    def __getitem__(self, step):
        first = step * self.batch_size
        return _stacked((self._element(first + row) for row in self.rows), len(self.rows))

    def _element(self, position):
        """The randomness hangs on the position in the whole sequence, whoever works it out."""
        epoch, i = divmod(position, len(self.source))
        raw = self.source[int(order(len(self.source), self.seed, epoch)[i])]
        return self.cut(raw, np.random.default_rng((self.seed, 1, position)))


def _stacked(elements, count: int) -> dict:
    """One batch of them, each copied at once, so that the next one finds its memory warm.

    Files, which are bytes, stay as they are: NumPy's own would lose the zeros at their ends.
    """
    batch = {}
    for i, element in enumerate(elements):
        for key, value in element.items():
            if i == 0:
                batch[key] = _column(value, count)
            batch[key][i] = value
    return {key: np.asarray(values) for key, values in batch.items()}


def _batched(elements) -> dict:
    return _stacked(elements, len(elements))


def _column(value, count: int):
    """Room for `count` of such values."""
    if isinstance(value, bytes):
        return np.empty(count, object)
    return np.empty((count, *value.shape), value.dtype) if value.ndim else [None] * count


@functools.lru_cache(maxsize=4)
def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """(count,) the order of an epoch, a permutation."""
    return np.random.default_rng((seed, 0, epoch)).permutation(count)
