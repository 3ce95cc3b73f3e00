"""What a frozen backbone makes of every photograph of a study of benchmarks/experiment.py."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from benchmarks.experiment_studies import Study
from jaxsent.data import augment, records
from jaxsent.data.batches import eval_batches
from jaxsent.models import stored
from jaxsent.run import experiment, initial, sharding
from jaxsent.training import crops


@dataclasses.dataclass(frozen=True)
class Photographs:
    """N photographs, the training ones first.

    Attributes:
      crops, views: {"features", "embedding"} of M ≤ N photographs' crops (M, CROPS, …), and of all
        photographs' centres (N, …).
      columns: {"label", "polarity", "fold", "theme", …: (N,)}.
      regions: (N, H, W) uint8, None where the set has none.
    """

    crops: dict
    views: dict
    columns: dict[str, np.ndarray]
    regions: np.ndarray | None


def photographs(study: Study, most: int | None = None) -> Photographs:
    """All features of a study, from disk where they are there. `most`: training photographs."""
    task = experiment.make(study.config)
    if most:
        task = dataclasses.replace(task, rows=np.arange(most))
    variables = initial.initial_variables(task)
    folds = len(study.folds) > 1
    splits = ("train", "test") if folds else ("train",)
    parts = [crops.crops(task, variables, split) for split in splits]
    outputs = {
        name: np.concatenate([part.outputs[name] for part in parts]) for name in parts[0].outputs
    }
    file = Path(parts[0].outputs["features"].filename).with_name("views.npz")
    if not file.is_file():
        np.savez(file, **_views(task, variables, most))
    with np.load(file) as views:
        kept = dict(views)
    seen = {name: kept.pop(name) for name in stored.OUTPUTS if name in kept}
    regions = kept.pop("region", None)
    return Photographs(outputs, seen, kept, regions)


def _views(task, variables, most) -> dict[str, np.ndarray]:
    """Outputs and columns of the centre views of both splits, of the training one `most`."""
    config, read = task.config, crops.reader(task)
    maps = ("region",) if "region" in task.builder.info.features else ()
    views, columns, regions = [], [], []
    for split in ("train", "test"):
        examples = records.source(task.builder, split)
        count = min(most or len(examples), len(examples)) if split == "train" else len(examples)
        batches = eval_batches(
            task.builder, split, batch_size=config.eval.batch_size,
            image_size=config.data.image_size, resize=config.eval.resize,
            enlarging=task.preprocessing.interpolation,
        )  # fmt: skip
        for batch in itertools.islice(batches, -(-count // config.eval.batch_size)):
            out = sharding.local(
                read(variables, **sharding.put({"image": batch["image"]}, task.mesh))
            )
            views.append({name: values[batch["mask"]] for name, values in out.items()})
        for i in range(count):
            raw = examples[i]
            own = {"fold": 5 if split == "test" else 1 + i // 8 % 4, "theme": str(i)}
            columns.append(
                {name: raw.get(name, own.get(name, 0)) for name in ("fold", "theme", "valence")}
                | {name: raw[name] for name in ("label", "polarity")}
            )
            for name in maps:
                regions.append(augment.decode_region(raw[name]))
        surplus = sum(len(v["features"]) for v in views) - len(columns)
        if surplus:
            views[-1] = {name: values[:-surplus] for name, values in views[-1].items()}
    joined = {
        name: np.concatenate([v[name] for v in views]).astype(
            np.float16 if name == "features" else np.float32
        )
        for name in views[0]
    }
    columns = {name: np.array([c[name] for c in columns]) for name in columns[0]}
    return joined | columns | ({"region": np.stack(regions)} if regions else {})
