"""What a run writes down of the calls that made it."""

import subprocess

import pytest

from jaxsent.run import history


def test_lines_are_appended_and_a_broken_one_is_left_out(tmp_path):
    assert history.read(tmp_path) == []
    history.record(tmp_path, "train", from_step=0)
    with (tmp_path / history.FILE).open("a") as file:
        file.write('{"call": "tra\n')
    history.record(tmp_path, "trained", seconds=2.5)
    lines = history.read(tmp_path)
    assert [line["call"] for line in lines] == ["train", "trained"]
    assert lines[1]["seconds"] == 2.5
    assert {"time", "command", "jaxsent", "jax", "python", "devices"} <= lines[0].keys()


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["run.py", "--config", "a b.py"], "python run.py --config 'a b.py'"),
        (["/home/me/.venv/bin/jaxsent", "eval", "runs/one"], "jaxsent eval runs/one"),
        (["/x/jaxsent/__main__.py", "eval"], "python -m jaxsent eval"),
    ],
)
def test_a_command_is_what_a_person_would_type(argv, command):
    assert history.command(argv) == command


def test_the_commit_is_of_jaxsent_and_of_no_repository_around_it(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    package = tmp_path / ".venv" / "site-packages" / "jaxsent"
    package.mkdir(parents=True)
    monkeypatch.setattr(history.jaxsent, "__file__", str(package / "__init__.py"))
    assert history.commit() == ""


def test_a_report_tells_of_training_and_of_its_own_command(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["run.py", "--config", "one.py"])
    history.record(tmp_path, "train", from_step=0, to_step=6, changes={})
    history.record(tmp_path, "trained", step=3, seconds=10.0)
    history.record(tmp_path, "train", from_step=3, to_step=6, changes={})
    history.record(tmp_path, "trained", step=6, seconds=5.0)
    monkeypatch.setattr("sys.argv", ["jaxsent", "eval", "runs/one"])
    facts = history.summary(tmp_path)
    assert facts["command"] == "python run.py --config one.py"
    assert facts["evaluated by"] == "jaxsent eval runs/one"
    assert facts["training"] == "15 s"
    assert facts["training calls"].startswith("2")
