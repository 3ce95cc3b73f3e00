"""Time and memory that loading a ResNet-101 takes: `python benchmarks/loading.py`.

The peak is of the whole process's resident memory above what it held before, with the network's
random variables already in place.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def measure(path: str) -> None:
    """Loads once and prints seconds and the growth of the peak in MB."""
    sys.path.insert(0, str(ROOT))
    import jax
    import numpy as np

    from jaxsent import models, pretrained

    model = models.build("resnet101", 1000)
    images = np.zeros((1, 224, 224, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    variables = jax.tree.map(lambda x: np.ones(x.shape, x.dtype), shapes)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts from here
    before = _resident("VmRSS")
    began = time.perf_counter()
    loaded = pretrained.load(path, model, variables)
    seconds = time.perf_counter() - began
    assert loaded is not variables
    print(seconds, _resident("VmHWM") - before)


def _resident(key: str) -> float:
    """A line of /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def main() -> None:
    sys.path.insert(0, str(ROOT))
    import jax
    import numpy as np
    from safetensors.numpy import save_file

    from jaxsent import models, pretrained
    from jaxsent.pretrained import torch_writer

    model = models.build("resnet101", 1000)
    images = np.zeros((1, 224, 224, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda x: rng.random(x.shape, np.float32), shapes)
    state = pretrained.to_torch(model, variables)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "resnet101.safetensors", Path(folder) / "resnet101.pth"
        save_file(state, files[0])
        torch_writer.write(files[1], state)
        print(f"{'file':26s}{'MB':>8s}{'seconds':>10s}{'peak MB':>10s}{'of file':>10s}")
        for path in files:
            size = path.stat().st_size / 2**20
            command = [sys.executable, __file__, str(path)]
            runs = [
                tuple(map(float, subprocess.check_output(command, text=True).split()))
                for _ in range(5)
            ]
            seconds, peak = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"{path.name:26s}{size:8.0f}{seconds:10.2f}{peak:10.0f}{peak / size:10.2f}")


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
