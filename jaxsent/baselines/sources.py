"""Where a row's features come from, by what a person types."""

import functools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxsent.baselines import caffenet, feature_file, network_features, svm
from jaxsent.data import records
from jaxsent.data.batches import num_examples
from jaxsent.errors import UserError
from jaxsent.models import BACKBONES
from jaxsent.paper.table import DETECTORS


class Source(NamedTuple):
    """Features of a set.

    Attributes:
      name: of the row.
      features: as svm.evaluate takes them: a name of its own, or split -> (N, D).
    """

    name: str
    features: str | Callable[[str], np.ndarray]


def name_of(source: str) -> str:
    """What a network's features are called: imagenet_vgg16, or wscnet_fi_svm of a run's folder."""
    backbone = source.partition("=")[0]
    return f"imagenet_{backbone}" if backbone in BACKBONES else f"{Path(source).resolve().name}_svm"


def open_source(source: str, builder, data: str, branch: str = "both") -> Source:
    """Features of a prepared set.

    Args:
      source: gch, lch or principles; sentibank=FILE or deepsentibank=FILE; a file of features; or
        what network_features.open_model takes, with `branch`. A folder in place of a file of
        features holds one named as the set.
      builder: the set, of `prepare`.
      data: its name.

    Raises:
      UserError: there is no such source, or it does not fit the set.
    """
    name, _, path = source.partition("=")
    if source in svm.FEATURES:
        return Source(source, source)
    if name in DETECTORS:
        if not path:
            raise UserError(
                f"{name}: say where its {DETECTORS[name]:,} numbers an image are: "
                f"{name}=FILE, of {', '.join(feature_file.SUFFIXES)} (docs/baselines.md)."
            )
        return Source(name, _of_detector(name, Path(path).expanduser(), builder, data))
    file = Path(source).expanduser()
    if file.suffix in feature_file.SUFFIXES and "=" not in source:
        return Source(file.stem, _of_file(file, None, builder))
    if not path and name not in BACKBONES and not file.is_dir():
        raise UserError(
            f"There are no features {source!r}; expected {', '.join(svm.FEATURES)}, "
            f"{', '.join(f'{detector}=FILE' for detector in DETECTORS)}, a file of "
            f"features ({', '.join(feature_file.SUFFIXES)}), a run's folder, or BACKBONE=FILE."
        )
    extractor = network_features.open_model(source, branch)
    return Source(name_of(source), _of_network(extractor, builder))


def _of_detector(name: str, path: Path, builder, data: str):
    width = DETECTORS[name]
    if name == "deepsentibank" and path.is_file() and _is_network(path):
        return _of_network(caffenet.open_weights(path, width), builder)
    return _of_file(feature_file.locate(path, data), width, builder)


def _is_network(path: Path) -> bool:
    """Whether a file holds weights: any that is no table, as the authors' has no suffix at all."""
    if path.suffix == ".npz" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            return "conv1.weight.npy" in file.namelist()
    return path.suffix not in feature_file.SUFFIXES


def _of_file(path: Path, width: int | None, builder):
    table = feature_file.read(path, width)

    @functools.cache
    def by_split():
        files = {
            split: records.names(builder, split)
            for split in builder.info.splits
            if num_examples(builder, split)
        }
        found = feature_file.rows(table, sum(files.values(), []), path)
        ends = np.cumsum([len(names) for names in files.values()])
        return dict(zip(files, np.split(found, ends[:-1]), strict=True))

    return lambda split: by_split()[split]


def _of_network(extractor, builder):
    return functools.partial(_extracted, extractor, builder)


def _extracted(extractor, builder, split):
    return network_features.extract(extractor, builder, [split]).features
