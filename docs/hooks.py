"""What the site makes as it is built: equations, and the help of every command."""

import argparse
import html
import os
import sys
from pathlib import Path

from latex2mathml import converter

ROOT = Path(__file__).parents[1]
HELP = "<!-- help of every command -->"


def on_config(config):
    """```math fences become MathML; as on GitHub they are LaTeX."""
    options = config.mdx_configs.setdefault("pymdownx.superfences", {})
    options["custom_fences"] = [{"name": "math", "class": "equation", "format": equation}]
    return config


def on_page_markdown(markdown, page, config, files):
    return markdown.replace(HELP, commands()) if HELP in markdown else markdown


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
