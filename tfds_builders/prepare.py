"""Build a set once and find it again."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import tensorflow_datasets as tfds
from absl import logging

from jaxsent import files
from jaxsent.errors import UserError
from tfds_builders import again, builder_class, names, origin, progress, records
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
    force: bool = False,
    changed: Literal["error", "rebuild"] = "error",
    tell: Callable[[str], object] = logging.info,
):
    """The builder of a set that is ready to be read, built from `source` if need be.

    `builder_config` is a configuration's name or object (None: the set's first). `data_dir` holds
    prepared sets (None: TFDS's default). `source` is the user's folder as the set's authors ship
    it, or a .zip of it, which is unpacked inside `data_dir` meanwhile; `strict` makes files that
    are missing, do not decode, belong nowhere or contradict each other an error. `track` shows how
    far it is (progress.silent: not). `beam`: options of Apache Beam, for a set that is prepared
    through it ([]: the direct runner).

    A set that is there is read as it is while the names and sizes in `source` are those that it was
    prepared from, or no `source` is given. `changed` says what becomes of it where they are not:
    "error", since runs may have been trained on it, or "rebuild". `force` always builds it anew.
    The old set stays until the new one is whole. `tell` hears, in a line, what is done to a set
    that is there.

    `survey.load(builder.data_dir)` tells what was found, and the source's digest. An interrupted
    build leaves at most a temporary folder that is never read, and that the next deletes. Of
    several processes one builds a set and the others wait for it.

    Raises UserError: an unknown set or configuration, nothing to build from, another layout, one
    picture in two splits, a source that changed, a `data_dir` that cannot be written.
    """
    cls = builder_class(name)
    data_dir = _data_dir(data_dir)
    config = _config(name, cls, builder_config)
    instructions = cls.MANUAL_DOWNLOAD_INSTRUCTIONS
    source = Path(source).expanduser() if source and instructions else None
    if beam is not None and not hasattr(cls, "beam"):
        raise UserError(f"{name}: prepared by this machine alone; leave out beam")

    def made(place: Path):
        with _silenced():
            return cls(data_dir=place, config=config, file_format="array_record")

    builder = made(data_dir)
    folder = Path(builder.data_dir)
    full_name = f"{name}/{builder.builder_config.name}"
    tell = _once(tell)

    def kept(builder) -> bool:
        """Whether the set that is there is to be read as it is; tells it."""
        if force or not _is_there(builder):
            return False
        _check_classes(builder)
        if not source or (changed == "error" and not source.exists()):
            tell(again.kept(full_name, folder, source))
            return True
        _check_source(name, folder, source, instructions, True)
        return not again.outdated(full_name, folder, source, changed, tell)

    if not again.interrupted(folder):
        if kept(builder):
            return builder
        if instructions:
            _check_source(name, folder, source, instructions, _is_there(builder))
    _check_writable(data_dir)
    with again.alone(folder, full_name):
        again.restore(folder)
        builder = made(data_dir)
        if kept(builder):  # another process made it meanwhile
            return builder
        there = _is_there(builder)
        if instructions:
            _check_source(name, folder, source, instructions, there)
        if there and force:
            tell(f"{full_name} is there already; preparing it again, as you force it.")
        with again.replacing(folder) if there else contextlib.nullcontext(data_dir) as place:
            builder = made(place) if there else builder
            builder.strict, builder.track = strict, track
            if source:
                builder.source, builder.files = str(source), origin.files(source)
            if beam is not None:
                builder.beam = beam
            logging.info("preparing %s in %s", name, folder)
            _build(builder, source, folder.parent, track)
        return made(data_dir) if there else builder


def _is_there(builder) -> bool:
    return Path(builder.data_dir).is_dir() and builder.is_prepared()


def _once(tell: Callable[[str], object]) -> Callable[[str], None]:
    """Tells no line twice."""
    lines = set()

    def new(line: str) -> None:
        if line not in lines:
            lines.add(line)
            tell(line)

    return new


def _build(builder, source: Path | None, beside: Path, track: Callable) -> None:
    with (
        files.explained(beside),
        _folder(source, beside, track) as manual,
        _quiet(),
        records.uncompressed(),
        tempfile.TemporaryDirectory() as downloads,
    ):
        builder.download_and_prepare(
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(manual_dir=manual),
        )


def prepared(data_dir=None) -> list[Prepared]:
    """The sets that are prepared in `data_dir`, sorted; a set of several versions is named twice.

    Reads no builder: `tfds.builder_from_directory` and `survey.load` take the folders.
    """
    known = set(names())
    data_dir = _data_dir(data_dir)
    sets = []
    for info in sorted(data_dir.glob("*/*/*/dataset_info.json")):
        name, config, version = info.relative_to(data_dir).parts[:3]
        if name in known and not version.startswith(("incomplete.", again.OLD)):
            sets.append(Prepared(f"{name}/{config}", info.parent))
    return sets


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


def _check_source(
    name: str, prepared: Path, source: Path | None, instructions: str, there: bool
) -> None:
    get = f"expected {instructions} (`make demo` needs no data of yours.)"
    if source is None and there:
        raise UserError(
            f"{name}: to prepare it again, its source folder is needed; add --from FOLDER; {get}"
        )
    if source is None:
        raise UserError(
            f"{name}: not prepared in {prepared} and no source folder given (data.source); {get}"
        )
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
def _folder(source: Path | None, beside: Path, track: Callable) -> Iterator[Path | None]:
    """The user's folder, unpacked if it is a .zip; None for a set that needs none."""
    if source and _is_zip(source):
        with unpacked(source, beside, track) as folder:
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

    def no_custom_configuration(record) -> bool:
        return not str(record.msg).startswith("Using custom data configuration")

    logger = logging.get_absl_logger()
    logger.addFilter(no_custom_configuration)
    try:
        yield
    finally:
        logger.removeFilter(no_custom_configuration)


@contextlib.contextmanager
def _quiet():
    """Without TFDS's printed banner and nested progress bars."""
    tfds.disable_progress_bar()
    try:
        with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
            yield
    finally:
        tfds.enable_progress_bar()
