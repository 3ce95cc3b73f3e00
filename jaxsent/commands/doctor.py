"""`jaxsent doctor`: what works on this machine, what is found, and what to do about the rest."""

import json
import os
from pathlib import Path

from jaxsent.commands.data import LOOKED_IN


def add(parser) -> None:
    parser.add_argument(
        "--data-dir", type=Path, action="append", metavar="DIR",
        help=f"prepared sets, as often as you like (default {' and '.join(LOOKED_IN)})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--check", action="store_true",
        help="also compare what the device computes with PyTorch's outputs that come along",
    )  # fmt: skip


def run(options) -> int:
    from jaxsent.commands import examine

    folders = options.data_dir or map(Path, LOOKED_IN)
    examination = examine.examine([folder.expanduser() for folder in folders], options.check)
    if options.json:
        print(json.dumps(examination, indent=1, ensure_ascii=False))
    else:
        print(text(examination))
    return 0 if examination["ok"] else 1


def text(examination: dict) -> str:
    """An examination for a person; the home folder shows as ~."""
    parts = {
        "core": _core, "devices": _devices, "check": _check, "extras": _extras, "data": _data,
        "weights": _weights, "cache": _cache, "folders": _folders, "system": _system,
    }  # fmt: skip
    lines = [f"jaxsent {examination['jaxsent']}, Python {examination['core'].get('python', '?')}"]
    for name, tell in parts.items():
        if name not in examination:
            continue
        lines += ["", name]
        part = examination[name]
        lines += [f"  not examined: {part['error']}"] if "error" in part else list(tell(part))
    lines += ["", "what to do"]
    lines += [f"  {advice}" for advice in examination["advice"]] or ["  Nothing."]
    home = os.path.expanduser("~")
    return "\n".join(lines).replace(f"{home}/", "~/")


def _core(part):
    for name, version in part["packages"].items():
        yield f"  {name:28} {version or 'missing'}"
    for name, why in part["failed"].items():
        yield f"  import {name}: {why}"


def _devices(part):
    if not part["found"]:
        yield "  none"
    for device in part["found"]:
        memory = f", {_size(device['memory'])}" if device["memory"] else ""
        yield f"  {device['platform']}:{device['id']} {device['kind']}{memory}"


def _check(part):
    yield f"  relative errors on {part['device']}, against PyTorch's outputs"
    for row in part["rows"]:
        if row["allowed"] is None:
            verdict = "what model.precision=fast costs"
        else:
            verdict = "agrees" if row["error"] < row["allowed"] else "DOES NOT AGREE"
            verdict += f", {row['allowed']:.0e} allowed"
        name = f"{row['network']} {row['output']}"
        yield f"  {name:36} {row['precision']:6} {row['error']:.1e}  {verdict}"


def _extras(part):
    for name, extra in part["found"].items():
        state = f"lacks {', '.join(extra['missing'])}" if extra["missing"] else "installed"
        yield f"  {name:8} {state}"
        yield f"  {'':8} for {extra['for'] or 'see pyproject.toml'}"
    if any(extra["missing"] for extra in part["found"].values()):
        yield "  one is added by: pip install -c constraints.txt -e '.[NAME]'"


def _data(part):
    for one in part["prepared"]:
        yield f"  {one['name']:28} {_size(one['bytes'])} in {one['in']}"
    if part["not_prepared"]:
        yield f"  not prepared: {', '.join(part['not_prepared'])} (jaxsent data list)"


def _weights(part):
    for one in part["found"] or [{"weights": "none", "from": part["hub_cache"]}]:
        yield f"  {one['weights']} ({one['from']})"


def _cache(part):
    if part["folder"] is None:
        yield "  none"
    else:
        yield f"  {part['files']} programs, {_size(part['bytes'])} in {part['folder']}"


def _folders(part):
    for one in part["found"]:
        state = f"{_size(one['free'])} free" if one["writable"] else "cannot be written"
        yield f"  {one['folder']}: {state}"


def _system(part):
    memory = f", {_size(part['memory'])} of memory" if part["memory"] else ""
    yield f"  {part['platform']}, {part['cores']} cores{memory}"
    yield f"  {part['libc'] or 'no glibc'}, huge pages: {part['huge_pages'] or 'unknown'}"


def _size(count: float) -> str:
    units = iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while count >= 1000 and unit != "GB":
        count, unit = count / 1000, next(units)
    return f"{count:.1f} GB" if unit == "GB" else f"{count:.0f} {unit}"
