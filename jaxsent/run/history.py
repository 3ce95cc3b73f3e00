"""history.jsonl: every call that trained or evaluated a run, so that its numbers can be traced."""

import datetime
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import jax

import jaxsent
from jaxsent import files
from jaxsent.run import logbook

FILE = "history.jsonl"


def record(workdir: Path, call: str, **facts) -> None:
    """Appends a line: what was called ("train", "trained" or "stopped" at its end, "evaluate"),
    when, by which command and versions, and `facts`. Only the first host writes.

    Raises:
      UserError: it cannot be written.
    """
    if jax.process_index():
        return
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    line = {"call": call, "time": now, **facts, **environment()}
    files.append_line(workdir / FILE, json.dumps(line))


def read(workdir: Path) -> list[dict]:
    """All lines, none of a run of older versions; one cut short by a crash is left out."""
    return logbook.read(workdir / FILE)


def environment() -> dict[str, str]:
    """By which command, versions, commit (of a checkout) and devices this process computes."""
    device = jax.devices()[0]
    facts = {
        "command": command(sys.argv),
        "jaxsent": jaxsent.__version__,
        "commit": commit(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "devices": f"{jax.device_count()} × {device.device_kind} ({device.platform})",
    }
    return {name: fact for name, fact in facts.items() if fact}


def command(argv: list[str]) -> str:
    """sys.argv -> what a person would type."""
    script = Path(argv[0])
    program = ["python", script.name] if script.suffix == ".py" else [script.name]
    if script.name == "__main__.py":
        program = ["python", "-m", script.parent.name]
    return shlex.join([*program, *argv[1:]])


def commit() -> str:
    """The commit of jaxsent's own checkout, with "-dirty" where it was changed; "" of a wheel."""
    root = Path(jaxsent.__file__).parents[1]
    if not (root / ".git").exists():  # a wheel may lie in an environment inside another repository
        return ""
    described = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return described.stdout.strip()


def summary(workdir: Path) -> dict[str, str]:
    """How a run was trained, and by which command it is evaluated now, for its report."""
    lines = read(workdir)
    trained = [line for line in lines if line["call"] == "train"]
    ended = [line for line in lines if line["call"] in ("trained", "stopped")]
    facts = dict(trained[-1] if trained else environment())
    for name in ("call", "from_step", "to_step", "changes", "time"):
        facts.pop(name, None)
    if len(trained) > 1:
        facts["training calls"] = f"{len(trained)}, see {FILE}"
    if ended:
        facts["training"] = f"{sum(line['seconds'] for line in ended):.0f} s"
    now = environment()["command"]
    if now != facts["command"]:
        facts["evaluated by"] = now
    return facts
