"""Random crops of each photograph as a frozen backbone sees them, on disk: heads train in seconds.

With `data.crops` = N the backbone runs once over N augmented crops of every training photograph;
training then draws photographs as before and for each one of its crops.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import rich.progress

from jaxsent import locks
from jaxsent.console import console
from jaxsent.data import augment, batches
from jaxsent.data.elements import TrainElement
from jaxsent.data.records import Part, source, text
from jaxsent.models import stored
from jaxsent.models.inference import normalise
from jaxsent.models.precision import computed
from jaxsent.models.settled import compiled
from jaxsent.run import sharding

FORMAT = 1
"""Counts up when files or crops change, so that older ones are not read."""
SUFFIX, COLUMNS = ".npy", "columns"


class Crops(NamedTuple):
    """N crops of each of M photographs.

    Attributes:
      outputs: {"features": (M, N, h, w, n) float16, "embedding": (M, N, m) float32}, as files.
      columns: {"label", "polarity", "mask", "file" and the ratings: (M,)}.
    """

    outputs: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]


def crops(task, variables: dict, split: str | None = None) -> Crops:
    """`config.data.crops` crops of each photograph of a split, computed where they are not on disk.

    They lie in crops/ beside the prepared sets, in a folder named by the digest of all that they
    hang on: the set, the weights, the augmentation, the map. Runs of other seeds share them; of two
    at once the second waits.

    Args:
      task: the experiment.
      variables: {"params", "batch_stats"} of its network.
      split: None for the training split, of which data.subset counts.

    Raises:
      UserError: the backbone is not frozen, or has trainable layers behind its maps.
    """
    stored.check(task.model)
    config = task.config
    split = split or config.data.train_split
    folder = _folder(task, variables, split)
    if not folder.is_dir():
        waiting = f"{folder}: {{}} is writing these crops; waiting for its end."
        with locks.held(folder.with_name(f"{folder.name}.lock"), waiting, wait=True):
            if not folder.is_dir():  # else whoever was waited for wrote it
                _write(task, variables, split, folder)
    names = [name for name in stored.OUTPUTS if (folder / (name + SUFFIX)).is_file()]
    outputs = {name: np.load(folder / (name + SUFFIX), mmap_mode="r") for name in names}
    columns = {path.stem: np.load(path) for path in (folder / COLUMNS).iterdir()}
    return Crops(outputs, columns)


def train_batches(
    source: Crops, *, batch_size: int, seed: int, start_step: int = 0
) -> Iterator[dict[str, np.ndarray]]:
    """An endless iterator of batches: photographs in the order of data.batches, a crop of each.

    Elements: features (b, h, w, n) float16, embedding (b, m), label, polarity, mask, file and
    ratings. Those from `start_step` on equal those of an unbroken run.
    """
    count, drawn = len(source.columns["label"]), next(iter(source.outputs.values())).shape[1]
    step = start_step
    while True:
        positions = [divmod(step * batch_size + i, count) for i in range(batch_size)]
        rows = np.array([batches.order(count, seed, epoch)[i] for epoch, i in positions])
        crop = np.random.default_rng((seed, 2, step)).integers(drawn, size=batch_size)
        batch = {name: values[rows, crop] for name, values in source.outputs.items()}
        yield batch | {name: values[rows] for name, values in source.columns.items()}
        step += 1


def reader(task):
    """Makes `read(variables, image) -> outputs`, of images (B, S, S, 3) uint8, jitted."""

    def read(variables, image):
        images = normalise(image, task.preprocessing.mean, task.preprocessing.std)
        return stored.outputs(task.model, variables, images)

    return compiled(
        computed(read, task.config.model.precision), out_shardings=sharding.by_batch(task.mesh)
    )


def _folder(task, variables, split: str) -> Path:
    config = task.config
    info = task.builder.info
    settings = {
        "format": FORMAT,
        "set": info.full_name,
        "split": [split, info.splits[split].num_examples, int(info.splits[split].num_bytes)],
        "rows": None if task.rows is None else task.rows.tolist(),
        "backbone": config.model.backbone,
        "tap": task.model.tap,
        "embedding": task.model.READS_EMBEDDING,
        "last": task.model.reads_last,
        "dtype": config.model.dtype,
        **({"precision": "exact"} if config.model.precision == "exact" else {}),
        "input": task.preprocessing._asdict(),
        "augment": augment.of_an_image(config.augment),
        "ratings": list(task.ratings),
        "crops": config.data.crops,
    }
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for kind in sorted(variables):
        leaves = jax.tree_util.tree_leaves_with_path(variables[kind].get("backbone", {}))
        for path, leaf in leaves:
            digest.update(jax.tree_util.keystr(path).encode())
            digest.update(np.asarray(leaf).tobytes())
    return Path(config.data.dir).expanduser() / "crops" / digest.hexdigest()


def _write(task, variables, split: str, folder: Path) -> None:
    """All files, under another name until they are whole."""
    config = task.config
    examples = source(task.builder, split)
    if task.rows is not None and split == config.data.train_split:
        examples = Part(examples, task.rows)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    read, size, per_image = reader(task), config.eval.batch_size, config.data.crops
    elements = rich.progress.track(
        _elements(task, examples), f"crops of {split}", total=len(examples) * per_image,
        console=console, disable=not console.is_terminal,
    )  # fmt: skip
    columns, files, images, at = [], {}, [], 0

    def flush():
        nonlocal at
        # The last batch is filled up, so that one program reads all.
        full = np.stack(images + images[:1] * (size - len(images)))
        out = sharding.local(read(variables, **sharding.put({"image": full}, task.mesh)))
        for name, values in out.items():
            dtype = np.float16 if name == "features" else np.float32
            if name not in files:
                shape = (len(examples), per_image, *values.shape[1:])
                files[name] = np.lib.format.open_memmap(part / (name + SUFFIX), "w+", dtype, shape)
            flat = files[name].reshape(-1, *values.shape[1:])
            flat[at : at + len(images)] = values[: len(images)]
        at += len(images)
        images.clear()

    for i, element in enumerate(elements):
        images.append(element.pop("image"))
        if i % per_image == 0:
            columns.append(element)
        if len(images) == size:
            flush()
    if images:
        flush()
    for file in files.values():
        file.flush()
    (part / COLUMNS).mkdir()
    for name in columns[0]:
        np.save(part / COLUMNS / (name + SUFFIX), np.stack([column[name] for column in columns]))
    part.replace(folder)


def _elements(task, examples) -> Iterator[dict]:
    """Every crop of every photograph, in order; a crop's randomness hangs on its place alone."""
    config = task.config
    a = config.augment
    cut = TrainElement(
        config.data.image_size, a.scale, a.ratio, a.flip, task.preprocessing.interpolation, (),
        a.crop, a.resize, task.ratings, a.randaugment,
    )  # fmt: skip
    for i in range(len(examples)):
        raw = examples[i]
        raw["pixels"] = augment.decode(raw["image"], text(raw["file"]))
        for j in range(config.data.crops):
            yield cut(raw, np.random.default_rng((3, i, j)))
