"""What is installed and whether it runs: `jaxsent doctor` on packages and devices."""

import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PROBE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
answer = {"failed": failed}
try:
    import jax
    from jaxsent.startup import keep_programs
    keep_programs()
    answer["cache"] = jax.config.jax_compilation_cache_dir
    answer["sum"] = float(jax.jit(lambda x: x @ x)(jax.numpy.ones((2, 2))).sum())
    answer["devices"] = [
        {"id": d.id, "platform": d.platform, "kind": d.device_kind,
         "memory": (d.memory_stats() or {}).get("bytes_limit")} for d in jax.local_devices()
    ]
except BaseException as error:
    answer["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
print("\\n" + json.dumps(answer))
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
    "parquet": "features as .parquet",
    "weights": "hf:OWNER/NAME, jaxsent push, and Keras's .h5",
    "saliency": "jaxsent.prediction.pysaliency_model: pysaliency's metrics on our maps",
    "wandb": "log.to=wandb: a run's numbers on Weights & Biases",
    "mlflow": "log.to=mlflow: a run's numbers on an MLflow server or in a folder",
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

SECONDS = 120  # for a device to answer
GPU_FILES, TPU_FILES = ("/dev/nvidiactl",), ("/dev/accel0", "/dev/vfio/0")


def probe() -> dict:
    """Imports what is needed and computes 2 × 2 numbers, in another process."""
    command = [sys.executable, "-c", PROBE, *CORE]
    try:
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"JAX did not answer within {SECONDS} s"}
    try:
        return json.loads(process.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (process.stderr.strip().splitlines() or ["nothing said"])[-1][:300]
        return {"error": f"Python ended with status {process.returncode} ({last})"}


def core(probed: dict) -> dict:
    """Packages by their versions, and modules that do not import."""
    versions = {}
    for requirement in metadata.requires("jaxsent") or []:
        if "extra ==" not in requirement:
            versions |= _version(requirement)
    missing = [name for name, version in versions.items() if version is None]
    failed = probed.get("failed", {})
    advice = []
    if missing or failed:
        unusable = ", ".join([*missing, *(f"{name} ({why})" for name, why in failed.items())])
        advice.append(f"Not usable: {unusable}. Install again: pip install -c constraints.txt -e .")
    ok = not missing and not failed and "error" not in probed
    return {"ok": ok, "python": platform.python_version(), "packages": versions, "failed": failed,
            "advice": advice}  # fmt: skip


def _version(requirement: str) -> dict[str, str | None]:
    """{name: installed version or None} of one line of a package's requirements."""
    name = re.match(r"[\w.-]+", requirement)[0]
    try:
        return {name: metadata.version(name)}
    except metadata.PackageNotFoundError:
        return {name: None}


def devices(probed: dict) -> dict:
    """What JAX computes on, and accelerators that it does not see."""
    local_devices = probed.get("devices", [])
    advice = []
    if "error" in probed:
        advice.append(f"JAX does not compute here: {probed['error']}. Try JAX_PLATFORMS=cpu.")
    elif all(device["platform"] == "cpu" for device in local_devices):
        for files, kind, extra in (
            (GPU_FILES, "an NVIDIA GPU", "gpu"),
            (TPU_FILES, "a TPU", "tpu"),
        ):
            if any(Path(file).exists() for file in files):
                advice.append(
                    f"There is {kind} that JAX does not use: pip install -e '.[{extra}]', and "
                    "unset JAX_PLATFORMS."
                )
    return {"ok": bool(local_devices), "found": local_devices, "advice": advice}


def extras() -> dict:
    """Each optional part: complete or what it lacks, and what it is for."""
    lines = metadata.requires("jaxsent") or []
    states = {}
    for extra in metadata.metadata("jaxsent").get_all("Provides-Extra") or []:
        own = [line for line in lines if re.search(rf"extra == ['\"]{extra}['\"]", line)]
        names = [re.match(r"[\w.-]+", line)[0] for line in own]
        missing = [n for n in names if n != "jaxsent" and _version(n)[n] is None]
        # jax[cuda13] is more than jax.
        if extra in ("gpu", "tpu") and not _plugin(extra):
            missing = [f"jax[{'cuda13' if extra == 'gpu' else 'tpu'}]"]
        states[extra] = {"for": EXTRAS.get(extra, ""), "missing": missing}
    return {"found": states}


def _plugin(extra: str) -> bool:
    if extra == "tpu":
        return importlib.util.find_spec("libtpu") is not None
    return any(p.metadata["Name"].startswith("jax-cuda") for p in metadata.distributions())
