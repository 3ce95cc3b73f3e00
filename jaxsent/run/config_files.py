"""Config files: where they are, and how they find each other, in a checkout as in a wheel."""

import difflib
import runpy
import sys
import types
from pathlib import Path

from ml_collections import ConfigDict

import jaxsent
from jaxsent.errors import UserError
from jaxsent.run.folder import read_config


def folder() -> Path:
    """The configs that come with jaxsent: in the package of a wheel, beside that of a checkout."""
    package = Path(jaxsent.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def locate(config: str) -> str:
    """What a person calls a config -> its file, with the part after a colon as it was.

    Args:
      config: a file (`configs/wsidnet_fi.py`, `mine.py:part`), or the name of one that comes with
        jaxsent (`wsidnet_fi`, `wsidnet_twitter1:agree4_fold2`).

    Raises:
      UserError: there is none.
    """
    name, colon, part = config.partition(":")
    packaged = folder() / f"{Path(name).stem}.py"
    for path in (Path(name), packaged if Path(name).parent.name in ("", "configs") else None):
        if path is not None and path.is_file():
            return f"{path}{colon}{part}"
    raise UserError(f"--config {config}: there is no such file{_near(name)}")


def load(config: str) -> ConfigDict:
    """The ConfigDict of a config as `locate` takes it. Raises UserError where there is none."""
    bind(config)
    file, _, part = locate(config).partition(":")
    return runpy.run_path(file)["get_config"](*[part] * bool(part))


def of_run(run: Path) -> ConfigDict:
    """The config that a run was trained with; keys that its version had not, at their defaults.

    Raises:
      UserError: there is no run.
    """
    stored = read_config(run)
    config = load("base")
    for section, values in stored.items():
        if section in config and isinstance(values, dict):
            values = {key: value for key, value in values.items() if key in config[section]}
            config[section].update(
                {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            )
    config.seed = stored["seed"]
    return config


def bind(config: str = "") -> None:
    """Lets config files say `from configs import base`, wherever they and jaxsent's own are.

    Args:
      config: a file whose neighbours can be imported likewise.
    """
    package = types.ModuleType("configs")
    package.__path__ = [str(folder()), str(Path(config.partition(":")[0]).absolute().parent)]
    sys.modules.setdefault("configs", package)


def _near(name: str) -> str:
    parent = Path(name).parent
    places = (parent, folder()) if parent.name in ("", "configs") else (parent,)
    names = {path.name for place in places for path in place.glob("*.py")}
    close = difflib.get_close_matches(f"{Path(name).stem}.py", sorted(names), 1)
    if not close:
        return "."
    return f"; did you mean {parent / close[0] if name.endswith('.py') else Path(close[0]).stem}?"
