"""Configs by name and by file, from anywhere."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jaxsent.errors import UserError
from jaxsent.run import config_files, folder

ROOT = Path(__file__).parents[2]
TINY = (
    "--config.data.name=emoji_scenes/tiny", "--config.model.backbone=resnet18",
    "--config.init.weights=", "--config.data.image_size=32", "--config.eval.resize=32",
    "--config.train.steps=2", "--config.train.batch_size=8", "--config.eval.examples=1",
)  # fmt: skip


def test_a_config_is_found_by_name_and_by_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packaged = str(ROOT / "configs" / "wsidnet_fi.py")
    assert config_files.locate("wsidnet_fi") == packaged
    assert config_files.locate("configs/wsidnet_fi.py") == packaged
    assert config_files.locate("wsidnet_twitter1:agree4_fold2").endswith(".py:agree4_fold2")
    (tmp_path / "wsidnet_fi.py").write_text("")
    assert config_files.locate("wsidnet_fi.py") == "wsidnet_fi.py"
    with pytest.raises(UserError, match="elsewhere/wsidnet_fi.py: there is no such file"):
        config_files.locate("elsewhere/wsidnet_fi.py")
    with pytest.raises(UserError, match=r"did you mean wsidnet_fi\?"):
        config_files.locate("wsidnet_fii")


def test_the_config_of_a_run_is_what_its_json_says(tmp_path):
    config = config_files.load("wscnet_fi")
    config.optim.lr, config.model.gcn_widths = 0.125, (3, 4)
    folder.write_config(tmp_path, config.to_dict() | {"labels": {}, "older": {"key": 1}})
    again = config_files.of_run(tmp_path)
    assert again.to_dict() == config.to_dict()
    stored = json.loads((tmp_path / "config.json").read_text())
    del stored["optim"]["clip"]
    stored["optim"]["gone"] = 1
    folder.write_config(tmp_path, stored)
    assert config_files.of_run(tmp_path).optim.clip == config_files.load("base").optim.clip


def call(place: Path, packages: Path, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "jaxsent", *map(str, arguments)],
        cwd=place, env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True, text=True, check=False, timeout=600, **options,
    )  # fmt: skip


@pytest.mark.slow
def test_train_and_eval_from_a_wheel_anywhere(tmp_path):
    """Built from what git knows; the configs of a stranger's project do not get in the way."""
    source, packages, place = (tmp_path / name for name in ("source", "packages", "place"))
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                           capture_output=True, text=True, check=True).stdout  # fmt: skip
    for name in files.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "-w", tmp_path, source], check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(packages)
    (place / "configs").mkdir(parents=True)
    (place / "configs" / "base.py").write_text("raise RuntimeError('a stranger')")
    (place / "mine.py").write_text(
        "from configs import wsidnet_demo\n\n\ndef get_config():\n"
        "    c = wsidnet_demo.get_config()\n    c.optim.lr = 0.01\n    return c\n"
    )
    done = call(place, packages, "train", "mine.py", "--workdir", "one", *TINY)
    assert done.returncode == 0, done.stderr
    config = json.loads((place / "one" / "config.json").read_text())
    assert (config["optim"]["lr"], config["model"]["num_classes"]) == (0.01, 8)
    history = (place / "one" / "history.jsonl").read_text().splitlines()
    assert "commit" not in json.loads(history[0])
    (place / "mine.py").unlink()
    done = call(place, packages, "eval", "one", "--split", "train")
    assert done.returncode == 0, done.stderr
    assert json.loads((place / "one/report/train/results.json").read_text())["count"] == 64
    assert json.loads((place / "one/report/results.json").read_text())["count"] == 32
