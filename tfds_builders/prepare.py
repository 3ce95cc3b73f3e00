"""Build a set once and find it again."""

import contextlib
import os
import tempfile
from pathlib import Path

import tensorflow_datasets as tfds
from absl import logging

from jaxsent.errors import UserError
from tfds_builders import builder_class


def prepare(name, builder_config=None, data_dir=None, source=None, strict=False):
    """The builder of a set that is ready to be read, built from `source` if need be.

    `builder_config` is a configuration's name or object (None: the set's first). `data_dir` holds
    prepared sets (None: TFDS's default); one that is there is read as it is, so delete its folder
    to build it again. `source` is the user's folder as the set's authors ship it; `strict` makes
    missing or undecodable files an error. An interrupted build leaves at most a temporary folder
    that is never read. Not for several processes at once.

    Raises UserError: an unknown set or configuration, nothing to build from, another layout, a
    `data_dir` that cannot be written.
    """
    cls = builder_class(name)
    data_dir = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    try:
        builder = cls(data_dir=data_dir, config=builder_config, file_format="array_record")
    except ValueError:
        if not isinstance(builder_config, str) or builder_config in cls.builder_configs:
            raise
        known = ", ".join(cls.builder_configs)
        raise UserError(f"{name} has no configuration {builder_config}; it has {known}") from None
    if Path(builder.data_dir).is_dir() and builder.is_prepared():
        return builder

    instructions = cls.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions:
        _check_source(name, builder.data_dir, source, instructions)
    _check_writable(data_dir)
    builder.strict = strict
    logging.info("preparing %s in %s", name, builder.data_dir)
    with _quiet(), tempfile.TemporaryDirectory() as downloads:
        manual = Path(source).expanduser() if instructions else None
        builder.download_and_prepare(
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(manual_dir=manual),
        )
    return builder


def _check_source(name: str, prepared: str, source, instructions: str) -> None:
    get = f"expected {instructions} (`make demo` needs no data of yours.)"
    if source is None:
        raise UserError(
            f"{name}: not prepared in {prepared} and no source folder given (data.source); {get}"
        )
    source = Path(source).expanduser()
    if not source.is_dir():
        raise UserError(f"{name}: the source folder {source} is not there; {get}")
    if not any(source.iterdir()):
        raise UserError(f"{name}: the source folder {source} is empty; {get}")


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
def _quiet():
    """Without TFDS's printed banner and nested progress bars."""
    tfds.disable_progress_bar()
    try:
        with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
            yield
    finally:
        tfds.enable_progress_bar()
