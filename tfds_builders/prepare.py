"""Build a set once and find it again."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow_datasets as tfds
from absl import logging

from jaxsent.errors import UserError
from tfds_builders import builder_class, names, progress
from tfds_builders.archive import unpacked


class Prepared(NamedTuple):
    """A prepared set: its name as data.name takes it, and its folder."""

    name: str
    folder: Path


def prepare(
    name,
    builder_config=None,
    data_dir=None,
    source=None,
    strict=False,
    track: Callable = progress.bar,
    beam: list[str] | None = None,
):
    """The builder of a set that is ready to be read, built from `source` if need be.

    `builder_config` is a configuration's name or object (None: the set's first). `data_dir` holds
    prepared sets (None: TFDS's default); one that is there is read as it is, so delete its folder
    to build it again. `source` is the user's folder as the set's authors ship it, or a .zip of it,
    which is unpacked inside `data_dir` meanwhile; `strict` makes files that are missing, do not
    decode or contradict each other an error. `track` shows how far it is (progress.silent: not).
    `beam`: options of Apache Beam, for a set that is prepared through it ([]: the direct runner).

    `survey.load(builder.data_dir)` tells what was found. An interrupted build leaves at most a
    temporary folder that is never read. Not for several processes at once.

    Raises UserError: an unknown set or configuration, nothing to build from, another layout, one
    picture in two splits, a `data_dir` that cannot be written.
    """
    cls = builder_class(name)
    data_dir = _data_dir(data_dir)
    with _silenced():
        builder = cls(
            data_dir=data_dir, config=_config(name, cls, builder_config), file_format="array_record"
        )
    if Path(builder.data_dir).is_dir() and builder.is_prepared():
        _check_classes(builder)
        return builder

    instructions = cls.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions:
        _check_source(name, builder.data_dir, source, instructions)
    _check_writable(data_dir)
    builder.strict, builder.track = strict, track
    builder.source = str(source or "")
    if beam is not None:
        if not hasattr(cls, "beam"):
            raise UserError(f"{name}: prepared by this machine alone; leave out beam")
        builder.beam = beam
    logging.info("preparing %s in %s", name, builder.data_dir)
    with (
        _folder(source if instructions else None, data_dir, track) as manual,
        _quiet(),
        tempfile.TemporaryDirectory() as downloads,
    ):
        builder.download_and_prepare(
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(manual_dir=manual),
        )
    return builder


def prepared(data_dir=None) -> list[Prepared]:
    """The sets that are prepared in `data_dir`, sorted; a set of several versions is named twice.

    Reads no builder: `tfds.builder_from_directory` and `survey.load` take the folders.
    """
    known = set(names())
    data_dir = _data_dir(data_dir)
    found = []
    for info in sorted(data_dir.glob("*/*/*/dataset_info.json")):
        name, config, version = info.relative_to(data_dir).parts[:3]
        if name in known and not version.startswith("incomplete."):
            found.append(Prepared(f"{name}/{config}", info.parent))
    return found


def _data_dir(data_dir) -> Path:
    return Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()


def _config(name: str, cls: type, config):
    """A configuration that the class has, or makes by a name as `folder` does."""
    if not isinstance(config, str) or config in cls.builder_configs:
        return config
    if hasattr(cls, "config_named"):
        return cls.config_named(config)
    known = ", ".join(cls.builder_configs)
    raise UserError(f"{name} has no configuration {config}; it has {known}")


def _check_classes(builder) -> None:
    """A configuration of one's own could give the stored labels other names."""
    stored = (Path(builder.data_dir) / "label.labels.txt").read_text(encoding="utf-8").splitlines()
    if stored != builder.info.features["label"].names:
        raise UserError(
            f"{builder.info.full_name}: prepared in {builder.data_dir} with the classes "
            f"{', '.join(stored)}; choose another name, or delete that folder to build it again"
        )


def _check_source(name: str, prepared: str, source, instructions: str) -> None:
    get = f"expected {instructions} (`make demo` needs no data of yours.)"
    if source is None:
        raise UserError(
            f"{name}: not prepared in {prepared} and no source folder given (data.source); {get}"
        )
    source = Path(source).expanduser()
    if _is_zip(source):
        return
    if source.is_file():
        raise UserError(f"{name}: {source} is neither a folder nor a .zip; unpack it; {get}")
    if not source.is_dir():
        raise UserError(f"{name}: the source folder {source} is not there; {get}")
    if not any(source.iterdir()):
        raise UserError(f"{name}: the source folder {source} is empty; {get}")


def _is_zip(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".zip"


@contextlib.contextmanager
def _folder(source, data_dir: Path, track: Callable) -> Iterator[Path | None]:
    """The user's folder, unpacked if it is a .zip; None for a set that needs none."""
    source = source and Path(source).expanduser()
    if source and _is_zip(source):
        with unpacked(source, data_dir, track) as folder:
            yield folder
    else:
        yield source


def _check_writable(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UserError(
            f"data.dir={data_dir}: cannot write there ({reason}); choose another"
        ) from None


@contextlib.contextmanager
def _silenced():
    """Without TFDS's warning that a configuration is of one's own."""

    def wanted(record) -> bool:
        return not str(record.msg).startswith("Using custom data configuration")

    logger = logging.get_absl_logger()
    logger.addFilter(wanted)
    try:
        yield
    finally:
        logger.removeFilter(wanted)


@contextlib.contextmanager
def _quiet():
    """Without TFDS's printed banner and nested progress bars."""
    tfds.disable_progress_bar()
    try:
        with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
            yield
    finally:
        tfds.enable_progress_bar()
