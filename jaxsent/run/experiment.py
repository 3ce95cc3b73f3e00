"""From a config to data, network and initial variables: what train and eval share."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

import tfds_builders
from jaxsent import emotions, models, pretrained
from jaxsent.data import selection
from jaxsent.data.batches import class_names, num_examples
from jaxsent.data.elements import rated
from jaxsent.data.records import Part, source
from jaxsent.errors import UserError
from jaxsent.run import sharding
from jaxsent.run.checks import check, check_start
from jaxsent.run.class_weights import class_weights
from jaxsent.run.folder import begun, network
from tfds_builders.prepare import prepare


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What a config describes, made.

    Attributes:
      builder: the prepared data set.
      model: the network.
      mesh: the devices.
      classes: names of the classification branch's classes, K of them.
      detect_classes: names of the detection branch's classes, C of them.
      preprocessing: what the weights expect of an image.
      rows: places in the training split of the images that data.subset keeps, None for all.
    """

    config: Any
    builder: Any
    model: Any
    mesh: Mesh
    classes: tuple[str, ...]
    detect_classes: tuple[str, ...]
    preprocessing: pretrained.Preprocessing
    rows: np.ndarray | None = None

    @property
    def train_count(self) -> int:
        """How many images it trains on."""
        if self.rows is not None:
            return len(self.rows)
        return num_examples(self.builder, self.config.data.train_split)

    @property
    def map_classes(self) -> tuple[str, ...]:
        """Names of the class maps: the detection branch's, or the classes where there is none."""
        return self.detect_classes or self.classes

    @property
    def class_polarity(self) -> np.ndarray:
        """(C,) int32 polarity of each class of the detection branch."""
        return emotions.polarity(self.detect_classes)

    @property
    def votes(self) -> bool:
        """Whether the raters' votes are learnt beside the labels."""
        loss = self.config.loss
        return bool(loss.distribution_weight) and loss.distribution_over == "votes"

    @property
    def ratings(self) -> tuple[str, ...]:
        """Numbers of the set that training reads beside image and labels."""
        return (*self.config.model.regress, *(("votes",) if self.votes else ()))

    @property
    def distributions(self) -> np.ndarray | None:
        """(K, K) what each label stands for as a distribution, None where none is learnt."""
        loss = self.config.loss
        if not loss.distribution_weight or self.votes:
            return None
        return emotions.label_distributions(
            self.classes, loss.distribution_sigma, loss.distribution_over
        )

    @functools.cached_property
    def class_weights(self) -> np.ndarray | None:
        """(K,) of the classes in the classification branch's loss, None where all are alike."""
        return class_weights(self.builder, self.config, self.classes, self.rows)


def make(config, workdir: Path | None = None, training: bool = True) -> Experiment:
    """Finds or prepares the data and builds the network; `config` gets what follows from both.

    A run that began in `workdir` keeps the preprocessing that it began with. What only `training`
    needs is not asked of an evaluation.

    Raises:
      UserError: the data is not there, or the config contradicts itself or the data.
    """
    preprocessing = input_of(config, workdir)
    config.data.image_size = config.data.image_size or preprocessing.size
    check(config, training)
    if training and not (workdir and begun(workdir)):
        check_start(config.init)
    builder = _prepared(config.data)
    for split in (config.data.train_split, config.data.validation_split, config.data.test_split):
        if split:
            num_examples(builder, split)
    own = class_names(builder)
    names = {"label": tuple(own), "polarity": emotions.POLARITY}
    classes = names[config.data.class_target]
    if config.model.num_classes is None:
        config.model.num_classes = len(classes)
    if config.model.num_classes != len(classes):
        raise UserError(
            f"model.num_classes={config.model.num_classes}, but {config.data.name} has "
            f"{len(classes)} classes as data.class_target={config.data.class_target} "
            f"({', '.join(classes)}); set model.num_classes={len(classes)}."
        )
    detect_classes = _detect_classes(config, names[config.data.detect_target])
    rows = _kept(builder, config) if training else None
    _scale_of_ratings(builder, config, rows)
    experiment = Experiment(
        config, builder, network(config.model), sharding.mesh(), classes, detect_classes,
        preprocessing._replace(size=config.data.image_size), rows,
    )  # fmt: skip
    if training:
        if experiment.votes and "votes" not in builder.info.features:
            raise UserError(
                f"loss.distribution_over=votes: {config.data.name} has no votes; it has "
                f"{', '.join(builder.info.features)}. Choose polarity or wheel."
            )
        # Said now, not after an hour: classes on no wheel, weights of other classes.
        _ = experiment.distributions, experiment.class_weights
    return experiment


def class_count(config) -> int:
    """`config.data` -> K, as far as it is known before the set is prepared.

    Raises:
      UserError: the classes are those of the user's folders.
    """
    name = config.name.partition("/")[0]
    classes = {
        "polarity": emotions.POLARITY, "label": tfds_builders.builder_class(name).CARD.classes
    }[config.class_target]  # fmt: skip
    if not classes:
        raise UserError(
            f"{config.name}: the classes are those of its folders; set model.num_classes."
        )
    return len(classes)


def input_of(config, workdir: Path | None) -> pretrained.Preprocessing:
    """The preprocessing that `config.input` sets, or else the run's, or else the weights' own."""
    if workdir and begun(workdir):
        source = workdir
    else:
        source = config.init.weights or config.init.checkpoint
    expected = pretrained.preprocessing(source, config.model.backbone)
    chosen = {key: value for key, value in config.input.items() if value is not None}
    if chosen.get("interpolation", "bilinear") not in ("bilinear", "bicubic"):
        raise UserError(f"input.interpolation={chosen['interpolation']!r}: bilinear or bicubic.")
    return expected._replace(**chosen)


def _prepared(config):
    """`config.data` -> builder of the prepared set; the first host prepares, the others wait."""
    name, _, variant = config.name.partition("/")
    arguments = (name, variant or None, Path(config.dir).expanduser())
    source = Path(config.source).expanduser() if config.source else None
    if jax.process_count() == 1:
        return prepare(*arguments, source, config.strict)
    from jax.experimental import multihost_utils

    builder = prepare(*arguments, source, config.strict) if jax.process_index() == 0 else None
    multihost_utils.sync_global_devices("data prepared")
    return builder or prepare(*arguments, None, config.strict)


def _kept(builder, config) -> np.ndarray | None:
    """Places in the training split of what data.subset keeps."""
    if not config.data.subset:
        return None
    path = Path(config.data.subset).expanduser()
    names = selection.kept_names(path, config.seed)
    return selection.positions(source(builder, config.data.train_split), names, path)


def _scale_of_ratings(builder, config, rows) -> None:
    """Mean and standard deviation of the ratings in training, where `config` has none yet.

    Raises:
      UserError: the set has no such ratings, or they are all alike.
    """
    names = tuple(config.model.regress)
    if absent := [name for name in names if name not in builder.info.features]:
        raise UserError(
            f"model.regress: {config.data.name} has no {', '.join(absent)}; it has "
            f"{', '.join(builder.info.features)}."
        )
    if not names or config.model.regress_std is not None:
        return
    examples = source(builder, config.data.train_split)
    examples = examples if rows is None else Part(examples, rows)
    values = np.array(
        [list(rated(examples[i], names).values()) for i in range(len(examples))], np.float64
    )
    known = np.isfinite(values).any(0)
    std = np.array([np.nanstd(column) if k else 0 for column, k in zip(values.T, known)])
    if not (std > 0).all():
        raise UserError(
            f"model.regress: {', '.join(n for n, s in zip(names, std) if not s > 0)} of "
            f"{config.data.name} are all alike or unknown in {config.data.train_split}."
        )
    config.model.regress_mean = tuple(np.nanmean(values, 0).tolist())
    config.model.regress_std = tuple(std.tolist())


def _detect_classes(config, target_names) -> tuple[str, ...]:
    """Names of the detection branch's classes, checked against what it learns from."""
    if "detect_classes" not in models.options(config.model.name):
        return ()
    if config.model.detect_classes is None:
        wsidnet = config.model.name == "wsidnet"  # its graph is of Mikels' emotions
        config.model.detect_classes = len(emotions.MIKELS if wsidnet else target_names)
    count = config.model.detect_classes
    if config.loss.detect == "polarity":
        graphs = {len(g): g for g in (emotions.MIKELS, emotions.EMOTIONROI, emotions.POLARITY)}
        if count in graphs:
            return graphs[count]
        raise UserError(
            f"model.detect_classes={count}: the polarity loss knows the classes of "
            f"{', '.join(map(str, graphs))} nodes only."
        )
    if count != len(target_names) and config.loss.detect_weight:
        raise UserError(
            f"model.detect_classes={count}, but the detection branch learns from "
            f"{len(target_names)} classes (data.detect_target={config.data.detect_target} of "
            f"{config.data.name}: {', '.join(target_names)}); set model.detect_classes="
            f"{len(target_names)}, or loss.detect=polarity with data.detect_target=polarity."
        )
    return tuple(target_names)


def described(experiment: Experiment) -> dict:
    """What config.json holds: the config with the preprocessing, the classes, and the data's size.

    "prepared" has (examples, bytes) of each split, by which other data of the same name are known,
    and how many are kept of the training split where some are left out.
    """
    rows = experiment.rows
    kept = {} if rows is None else {"kept": len(rows)}
    splits = experiment.builder.info.splits
    return experiment.config.to_dict() | {
        "input": experiment.preprocessing._asdict(),
        "labels": {"classes": experiment.classes, "emotions": experiment.detect_classes},
        "prepared": {name: (s.num_examples, int(s.num_bytes)) for name, s in sorted(splits.items())}
        | kept,
    }
