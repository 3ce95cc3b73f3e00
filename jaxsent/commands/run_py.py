"""`run.py`, `jaxsent train` and `jaxsent eval`: what a person types, turned into calls."""

import contextlib
import difflib
import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxsent.commands import disk_errors
from jaxsent.errors import UserError
from jaxsent.run import config_files, hosts
from jaxsent.startup import keep_programs

MODES = ("train", "eval", "tabulate")


def run(argv: list[str]) -> int:
    """`run.py`: trains, evaluates or describes what a config says.

    Args:
      argv: sys.argv.

    Returns:
      The exit status, see `status`.
    """

    def call() -> None:
        values = parse(argv)
        if values is None:
            return
        config, workdir = values.config, Path(values.workdir)
        if values.mode == "tabulate":
            tabulate(config)
        elif values.mode == "eval":
            evaluate(config, workdir, values.distributed)
        else:
            train(config, workdir, values.distributed, values.accept_changes, values.seeds)

    return status(call, debug="--debug" in argv)


def train(
    config,
    workdir: Path,
    distributed: bool = False,
    accept_changes: bool = False,
    count: int | None = None,
) -> None:
    """Trains and tests what a config says in a run's folder, see loop.train; with a `count` of
    seeds each of them in a folder of its own, see seeds.train.
    """
    from jaxsent.paper.seeds import folders

    if not count and folders(workdir):
        raise UserError(
            f"{workdir} has runs of several seeds; go on with --seeds {len(folders(workdir))}, or "
            "take another --workdir."
        )
    _start(distributed)
    from jaxsent.training import loop, seeds

    if count:
        seeds.train(config, workdir, count, accept_changes)
    else:
        loop.train(config, workdir, accept_changes)


def evaluate(config, workdir: Path, distributed: bool = False) -> None:
    """Evaluates a run with its own config, see evaluate.run."""
    _start(distributed)
    from jaxsent.evaluation import evaluate

    evaluate.run(config, workdir)


def tabulate(config) -> None:
    """Prints the network's shapes and numbers of parameters."""
    from jaxsent import models
    from jaxsent.run import experiment

    config.model.num_classes = config.model.num_classes or experiment.class_count(config.data)
    print(models.tabulate(experiment.network(config.model), config.data.image_size or 224))


def status(call: Callable[[], None], debug: bool = False) -> int:
    """Calls; 0 when all was done, 2 for bad input, 1 for a failed run, 128 + n when stopped by
    signal n. What went wrong is told in a line on stderr, with `debug` after the traceback.
    """
    from jaxsent.training.loop import Interrupted

    try:
        with _quiet(), disk_errors():
            call()
        return 0
    except UserError as error:
        message, number = str(error), error.status
    except Interrupted as stop:
        message, number = str(stop), 128 + stop.signal
    except KeyboardInterrupt:
        message, number = "Stopped.", 130
    if debug:
        traceback.print_exc()
    print(f"jaxsent: {message}", file=sys.stderr)
    if number < 128:  # of a signal all hosts know
        hosts.leave(number)
    return number


def parse(argv: list[str]) -> flags.FlagValues | None:
    """Command line -> flags; None after `--help`.

    Raises:
      UserError: an unknown flag or key, a value of another type, a config that is not there.
    """
    values = flags.FlagValues()
    flags.DEFINE_string(
        "workdir", None, "Folder of the run; default runs/<name of the config>, with _PART for "
        "CONFIG.py:PART.", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_enum("mode", "train", MODES, "What to do.", flag_values=values)
    flags.DEFINE_bool("distributed", False, "Many hosts: call jax.distributed.", flag_values=values)
    flags.DEFINE_bool(
        "accept_changes", False, "Go on with a run though values of training differ; they are "
        "recorded.", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_integer(
        "seeds", None, "Train so many runs, of config.seed on, in seed0, seed1, … of the workdir, "
        "and tell mean ± sd.", lower_bound=1, flag_values=values,
    )  # fmt: skip
    flags.DEFINE_bool("debug", False, "Show tracebacks.", flag_values=values)
    if {"--help", "-h", "-help"} & set(argv):
        print("Trains and evaluates.\n\nusage: python run.py --config FILE [flags]\n")
        print(values.get_help().strip())
        print("\n  --config.KEY=VALUE: overrides a key; all keys are in configs/base.py")
        return None
    path, argv = _config_path(argv)
    config_files.bind(path)

    def define() -> None:
        config_flags.DEFINE_config_file(
            "config", None, "Config file.", flag_values=values, sys_argv=argv
        )

    _read(values, define, argv, lambda: config_files.load(path))
    if values.workdir is None:
        file, _, part = path.partition(":")
        part = part.replace(":", "_")
        values.workdir = f"runs/{Path(file).stem}" + (f"_{part}" if part else "")
    return values


def override(config: ConfigDict, overrides: list[str]) -> ConfigDict:
    """`--config.KEY=VALUE` … applied to a config. Raises UserError as `parse` does."""
    values, argv = flags.FlagValues(), ["jaxsent", *overrides]

    def define() -> None:
        config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)

    _read(values, define, argv, lambda: config)
    return config


def _config_path(argv: list[str]) -> tuple[str, list[str]]:
    """The config's file, and the command line with that in the place of its name."""
    argv = ["--accept_changes" if arg == "--accept-changes" else arg for arg in argv]
    places = [i for i, arg in enumerate(argv) if arg.split("=")[0] == "--config"]
    if not places:
        raise UserError("Expected --config FILE, such as --config configs/wsidnet_demo.py.")
    at = places[-1]
    name = argv[at].partition("=")[2] or "".join(argv[at + 1 : at + 2])
    path = config_files.locate(name)
    rest = argv[at + 1 :] if "=" in argv[at] else argv[at + 2 :]
    return path, [*argv[:at], f"--config={path}", *rest]


def _read(values: flags.FlagValues, define: Callable, argv: list[str], config: Callable) -> None:
    """Sets the flags, the config's among them. Raises UserError."""
    try:
        define()
        unread = values(argv)[1:]
    except (
        flags.Error,
        AttributeError,
        ImportError,
        KeyError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        raise UserError(_explain(error, argv, config)) from error
    if unread:
        raise UserError(f"Unexpected argument {unread[0]!r}; flags start with --.")


def _start(distributed: bool) -> None:
    """Joins the other hosts and keeps compiled programs for the next call."""
    if distributed:
        hosts.join()
    keep_programs()


def _explain(error, argv, config) -> str:
    """What is wrong with the command line, from the exception that reading it raised."""
    known = _keys(config)
    for arg in argv:
        if arg.startswith("--config.") and known:
            key = arg.removeprefix("--config.").split("=")[0]
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                leaf = [k for k in known if k.rpartition(".")[2] == key.rpartition(".")[2]]
                best = (close or leaf or [None])[0]
                hint = f"did you mean {best}?" if best else "all keys are in configs/base.py."
                return f"There is no config key {key!r}; {hint}"
    return " ".join(str(error).split())


def _keys(config: Callable) -> list[str]:
    """All keys of a config, by their paths; none where it cannot be made."""
    try:
        return [key for key, _ in _flat(config())]
    except Exception:  # the file's own fault is what the caller reports
        return []


def _flat(config, prefix=""):
    for key in config:
        value = config.get_ref(key).get() if hasattr(config, "get_ref") else config[key]
        if isinstance(value, ConfigDict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@contextlib.contextmanager
def _quiet():
    """Lets warnings of libraries that a user can do nothing about pass unseen."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    yield
