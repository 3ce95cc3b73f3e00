"""What the site makes as it is built: equations, the help of every command, every config key."""

import argparse
import html
import os
import re
import sys
from pathlib import Path

from latex2mathml import converter

ROOT = Path(__file__).parents[1]
HELP = "<!-- help of every command -->"
KEYS = "<!-- every key -->"
_SECTION = re.compile(r"    c\.(\w+) = (?:\w+ = )?ConfigDict\(\)")
_KEY = re.compile(r"    (?:c\.(seed)|(\w+)\.(\w+)) = (.+?)(?:  # (.*))?")
_MORE = re.compile(r"    # (.*)")


def on_config(config):
    """```math fences become MathML; as on GitHub they are LaTeX."""
    options = config.mdx_configs.setdefault("pymdownx.superfences", {})
    options["custom_fences"] = [{"name": "math", "class": "equation", "format": equation}]
    return config


def on_page_markdown(markdown, page, config, files):
    for mark, make in ((HELP, commands), (KEYS, keys)):
        if mark in markdown:
            markdown = markdown.replace(mark, make())
    return markdown


def equation(source, language, css_class, options, md, **_) -> str:
    r"""What \qquad parts may stand below each other on a narrow screen."""
    parts = [converter.convert(part, display="block") for part in source.split(r"\qquad")]
    return f'<div class="{css_class}">{"".join(parts)}</div>'


def commands() -> str:
    """A section with the help of `run.py`, `jaxsent` and each of its commands."""
    sys.path[:0] = [str(ROOT)]
    os.environ["COLUMNS"] = "88"
    from jaxsent.commands import parser

    return "\n\n".join(
        f"## {name}\n\n```text\n{html.unescape(one.format_help()).strip()}\n```"
        for name, one in _parsers(parser())
    )


def _parsers(parser):
    yield parser.prog, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _parsers(child)


def keys() -> str:
    """A table a section of configs/base.py: key, default, values that are allowed, meaning."""
    sys.path[:0] = [str(ROOT)]
    from jaxsent.models import CHOICES
    from jaxsent.run import checks, ranges

    words = {f"model.{name}": values for name, values in CHOICES.items()} | checks.CHOICES
    lines = []
    for section, rows in _rows((ROOT / "configs" / "base.py").read_text("utf-8")).items():
        if section:
            lines += ["", f"### {section}", ""]
        lines += ["| key | default | values | meaning |", "|---|---|---|---|"]
        for name, default, meaning in rows:
            key = f"{section}.{name}" if section else name
            allowed = words.get(key) or (ranges.RANGES.get(key, ""),)
            values = ", ".join(map(str, allowed))
            cells = [f"`{key}`", default, values, meaning.replace("|", "\\|")]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rows(text: str) -> dict[str, list[list[str]]]:
    """Section -> [key, default, meaning] of each key; comments that go on are joined."""
    sections = {"": []}
    section = ""
    for line in text.splitlines():
        if started := _SECTION.match(line):
            section = started[1]
            sections[section] = []
        elif key := _KEY.fullmatch(line):
            seed, _, name, value, meaning = key.groups()
            unset = value.startswith("config_dict.placeholder")
            default = "unset" if unset else f"`{value}`"
            sections["" if seed else section].append([seed or name, default, meaning or ""])
        elif (more := _MORE.fullmatch(line)) and sections[section]:
            sections[section][-1][2] += " " + more[1]
    return sections
