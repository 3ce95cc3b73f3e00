"""The program itself, before any of its commands."""

import io

import pytest
import rich.console

import jaxsent
from jaxsent import commands, console


def test_version(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["jaxsent", "--version"])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"jaxsent {jaxsent.__version__}\n"


def test_without_arguments_it_says_what_it_can(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["jaxsent"])
    assert commands.main() == 0
    out, err = capsys.readouterr()
    assert not err
    assert all(f"\n    {name}" in out for name in commands.COMMANDS)


def test_lines_of_a_log_are_not_wrapped(monkeypatch):
    """What is piped into a file has no terminal's width, and a search finds whole messages."""
    file = io.StringIO()
    piped = rich.console.Console(file=file, highlight=False, width=console.console.width)
    piped.print("word " * 200)
    assert file.getvalue().count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_there_is_not(port, monkeypatch, capsys):
    pytest.importorskip("gradio", reason="needs jaxsent[app]")
    monkeypatch.setattr("sys.argv", ["jaxsent", "serve", "runs/none", "--port", port])
    assert commands.main() == 2
    assert f"--port {port}: expected 0 to 65535" in capsys.readouterr().err
