"""Commands: what a person types, turned into calls; errors for a person, turned into one line."""

import contextlib
import difflib
import runpy
import sys
import traceback
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxsent.errors import UserError
from jaxsent.startup import keep_programs

MODES = ("train", "eval", "tabulate")


def run(argv: list[str]) -> int:
    """`run.py`: trains, evaluates or describes what a config says.

    Returns:
      The exit status: 0 when all was done, 2 for bad input, 1 for a failed run, 128 + n when
      stopped by signal n.
    """
    from jaxsent.training.loop import Interrupted

    try:
        values = parse(argv)
        if values is None:
            return 0
        config, workdir = values.config, Path(values.workdir)
        _start(values)
        with _said_once():
            return _dispatch(values.mode, config, workdir)
    except UserError as error:
        return _fail(str(error), error.status)
    except Interrupted as stop:
        return _fail(str(stop), 128 + stop.signal)
    except KeyboardInterrupt:
        return _fail("Stopped.", 130)


def parse(argv: list[str]) -> flags.FlagValues | None:
    """Command line -> flags; None after `--help`.

    Raises:
      UserError: an unknown flag or key, a value of another type, a config that is not there.
    """
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        "config", None, "Config file, such as configs/wsidnet_oasis.py.", flag_values=values
    )
    flags.DEFINE_string(
        "workdir", None, "Folder of the run; default runs/<name of the config>, with _PART for "
        "CONFIG.py:PART.", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_enum("mode", "train", MODES, "What to do.", flag_values=values)
    flags.DEFINE_bool("distributed", False, "Many hosts: call jax.distributed.", flag_values=values)
    flags.DEFINE_bool("debug", False, "Show tracebacks.", flag_values=values)
    if {"--help", "-h", "-help"} & set(argv):
        print(__doc__.splitlines()[0], "\n\nusage: python run.py --config FILE [flags]\n")
        print(values.get_help().strip())
        print("\n  --config.KEY=VALUE: overrides a key; all keys are in configs/base.py")
        return None
    paths = [_value(argv, i) for i, arg in enumerate(argv) if arg.split("=")[0] == "--config"]
    if not paths:
        raise UserError("Expected --config FILE, such as --config configs/wsidnet_demo.py.")
    path = paths[-1]
    if not Path(path.split(":")[0]).is_file():
        raise UserError(f"--config {path}: there is no such file{_near(path)}.")
    try:
        unread = values(argv)[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(_explain(error, argv, path)) from error
    if unread:
        raise UserError(f"Unexpected argument {unread[0]!r}; flags start with --.")
    if values.workdir is None:
        file, _, part = path.partition(":")
        values.workdir = f"runs/{Path(file).stem}" + (f"_{part}" if part else "")
    return values


def _dispatch(mode: str, config: ConfigDict, workdir: Path) -> int:
    if mode == "tabulate":
        from jaxsent.models import tabulate
        from jaxsent.run import experiment

        print(tabulate(experiment.network(config.model), config.data.image_size))
        return 0
    from jaxsent.evaluation import evaluate
    from jaxsent.training import loop

    loop.train(config, workdir) if mode == "train" else evaluate.run(config, workdir)
    return 0


def _start(values) -> None:
    """Joins the other hosts and keeps compiled programs for the next call."""
    import jax

    if values.distributed:
        jax.distributed.initialize()
    keep_programs()


def _explain(error, argv, path) -> str:
    """What is wrong with the command line, from the exception that reading it raised."""
    known = _keys(path)
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


def _keys(path: str) -> list[str]:
    """All keys of a config file, by their paths; none where the file itself fails."""
    try:
        file, _, part = path.partition(":")
        config = runpy.run_path(file)["get_config"](*[part] * bool(part))
    except Exception:  # the file's own fault is what the caller reports
        return []
    return [key for key, _ in _flat(config)]


def _flat(config, prefix=""):
    for key in config:
        value = config.get_ref(key).get() if hasattr(config, "get_ref") else config[key]
        if isinstance(value, ConfigDict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _near(path: str) -> str:
    folder = Path(path).parent
    names = [p.name for p in folder.glob("*.py")] if folder.is_dir() else []
    close = difflib.get_close_matches(Path(path).name, names, 1)
    return f"; did you mean {folder / close[0]}?" if close else ""


def _value(argv, i) -> str:
    _, found, value = argv[i].partition("=")
    return value if found else (argv[i + 1] if i + 1 < len(argv) else "")


@contextlib.contextmanager
def _said_once():
    """Lets warnings of libraries that a user can do nothing about pass unseen."""
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)
    yield


def _fail(message: str, status: int) -> int:
    if "--debug" in sys.argv:
        traceback.print_exc()
    print(f"jaxsent: {message}", file=sys.stderr)
    return status
