"""The card's command for a user who has FI: folder and weights as they are published."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from jaxsent import emotions, models
from tests import recipe

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_wsidnet_on_fi_from_folder_and_weights_to_report(tmp_path):
    rng = np.random.default_rng(0)
    for name in emotions.MIKELS:
        folder = tmp_path / "fi" / "emotion_dataset" / name
        folder.mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 256, (60, 80, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.jpg")
    vgg = models.build("vgg16", 1000)
    shapes = jax.eval_shape(vgg.init, jax.random.key(0), np.zeros((1, 224, 224, 3), np.float32))
    save_file(recipe.state_dict(vgg, shapes), tmp_path / "vgg16.safetensors")
    command = [
        sys.executable, "run.py", "--config", "configs/wsidnet_fi.py",
        f"--workdir={tmp_path / 'run'}", f"--config.data.source={tmp_path / 'fi'}",
        f"--config.data.dir={tmp_path / 'prepared'}",
        f"--config.init.weights={tmp_path / 'vgg16.safetensors'}",
        "--config.train.steps=2", "--config.train.batch_size=4", "--config.eval.batch_size=4",
        "--config.eval.ten_crop=False", "--config.train.log_every=1",
        "--config.optim.lr=1e-5", "--config.optim.backbone_lr=1e-5",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "report" / "results.json").read_text())
    assert results["classes"] == list(emotions.POLARITY)
    assert results["detect_classes"] == list(emotions.MIKELS)
    assert results["count"] == 24  # 15 % of 20 images a class
