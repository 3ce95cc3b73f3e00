"""A trained network to the hub and back: weights, exports and a model card, and no code."""

import importlib.util
import json
import tempfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxsent.errors import UserError
from jaxsent.files import make_folder, write_text

INSTALL = "pip install 'jaxsent[weights]'"
WEIGHTS, ONNX = "model.safetensors", "model.onnx"
PATHS = {"data": ("dir", "source"), "init": ("weights", "checkpoint")}
"""Values of a config that tell of the machine it ran on."""


def push(run: Path, name: str, private: bool = False, report: Callable = print) -> str:
    """Puts a run on the hub as the model OWNER/NAME, which is made if need be. -> its address.

    The token is huggingface_hub's: HF_TOKEN, or `hf auth login`.

    Raises:
      UserError: no run, no token, no network, or the hub refuses.
    """
    _check_name(name)
    with _explained(f"push {name}"):
        from huggingface_hub import HfApi

        api = HfApi(library_name="jaxsent")
        api.whoami()  # before minutes of work
        with tempfile.TemporaryDirectory() as folder:
            write_folder(run, name, Path(folder), report)
            address = api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=name, folder_path=folder, commit_message="Upload by jaxsent push"
            )
    return str(address)


def write_folder(run: Path, name: str, folder: Path, report: Callable = print) -> list[Path]:
    """Writes what `push` would upload; `jaxsent.load` takes the folder as it is. -> its files.

    ONNX is left out, and `report` told of it, where jax2onnx is not installed.

    Raises:
      UserError: no run, or the folder cannot be written.
    """
    from jaxsent.export import FORMATS, export
    from jaxsent.export.model_card import model_card
    from jaxsent.run.folder import read_config

    _check_name(name)
    forms = ["safetensors", "stablehlo", "onnx"]
    if not importlib.util.find_spec("jax2onnx"):
        forms.remove("onnx")
        report("Without model.onnx, which needs: pip install 'jaxsent[onnx]'")
    config = public(read_config(run))
    make_folder(folder)
    files = [export(run, form, folder / f"model{FORMATS[form][0]}") for form in forms]
    card = model_card(run, name, tuple(file.name for file in files))
    for file, text in (("README.md", card), ("config.json", json.dumps(config, indent=2))):
        write_text(folder / file, text)
        files.append(folder / file)
    return files


def public(config: dict) -> dict:
    """config.json without the paths of the machine: only their last part stays."""
    shown = json.loads(json.dumps(config))
    for section, keys in PATHS.items():
        for key in keys:
            if shown.get(section, {}).get(key):
                shown[section][key] = Path(shown[section][key]).name
    return shown


def fetch(name: str, engine: str) -> Path:
    """The folder of the model OWNER/NAME in the hub's cache, downloaded if need be.

    Args:
      name: OWNER/NAME.
      engine: of engines.CHOICES; only what it needs is fetched.

    Raises:
      UserError: there is no such model of jaxsent's, or no way to it.
    """
    _check_name(name)
    with _explained(f"hf:{name}"):
        from huggingface_hub import errors, hf_hub_download

        def download(file: str) -> Path:
            return Path(hf_hub_download(name, file, library_name="jaxsent"))

        if engine == "onnx":
            return download(ONNX).parent
        folder = download(WEIGHTS).parent
        if engine == "auto" and importlib.util.find_spec("onnxruntime"):
            with suppress(errors.EntryNotFoundError, errors.LocalEntryNotFoundError):
                download(ONNX)
        return folder


def _check_name(name: str) -> None:
    owner, _, rest = name.partition("/")
    if not owner or not rest or "/" in rest:
        raise UserError(f"{name}: expected OWNER/NAME, such as mary/wsidnet-fi.")


@contextmanager
def _explained(what: str):
    """One line for what the hub and the way to it make huggingface_hub raise."""
    try:
        from huggingface_hub import errors
    except ImportError:
        raise UserError(f"{what} needs huggingface_hub: {INSTALL}") from None
    try:
        yield
    except errors.LocalTokenNotFoundError:
        raise UserError(
            f"{what}: no token; make one at https://huggingface.co/settings/tokens and set "
            "HF_TOKEN, or run `hf auth login`."
        ) from None
    except errors.HFValidationError as error:
        raise UserError(f"{what}: no name for the hub ({error}).") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise UserError(
            f"{what}: neither in the hub's cache nor reachable ({type(error).__name__}). Where "
            "there is a network, download the model's files into a folder, and pass that."
        ) from None
    except (errors.RepositoryNotFoundError, errors.EntryNotFoundError) as error:
        raise UserError(
            f"{what}: no such model, or none of jaxsent's ({type(error).__name__}); a private one "
            "needs HF_TOKEN."
        ) from None
    except errors.HfHubHTTPError as error:
        raise UserError(f"{what}: the hub refused ({' '.join(str(error).split())}).") from None
    except errors.HTTPError as error:
        raise UserError(f"{what}: the hub cannot be reached ({type(error).__name__}).") from None
