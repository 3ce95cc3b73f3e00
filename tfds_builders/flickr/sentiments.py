"""Read the sentiment values of adjective-noun pairs. No images here."""

import functools
import math
import re
from pathlib import Path

from jaxsent.errors import UserError

LIST = "3244ANPs.txt"
NAMES = (LIST, f"VSO/{LIST}", f"ANPs/{LIST}", "anps.txt", "anps.tsv", "anps.csv")

# The published list groups pairs below their adjective, whose own line has no [sentiment: ...]:
#     frail_hand [sentiment: -1.44] [#imgs: 358]
PUBLISHED = re.compile(r"\s*(\S+)\s+\[sentiment:\s*([^\]\s]+)\s*\]")
PLAIN = re.compile(r"\s*(.*?)\s*[\s,;]\s*([^\s,;]+)\s*")


def find(root: Path) -> Path:
    """Where the list of pairs lies. Raises UserError naming the places."""
    for name in NAMES:
        if (root / name).is_file():
            return root / name
    raise UserError(
        f"flickr: no list of the pairs' sentiment values in {root}; expected {LIST} of the Visual "
        "Sentiment Ontology, or lines of `adjective_noun value` in one of "
        f"{', '.join(n for n in NAMES if n != LIST)}"
    )


def read(path: Path) -> dict[str, float]:
    """{adjective_noun: value}, from the published list or plain lines of pair and value.

    The values of the published list are from -2 to 2. Plain lines may separate by tab, space,
    comma or semicolon, and the first may be a header.

    Raises UserError naming the line: no pair and value, or another value for the same pair.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    published = any(PUBLISHED.match(line) for line in lines)
    values: dict[str, float] = {}
    for number, line in enumerate(lines, 1):
        match = (PUBLISHED.match if published else PLAIN.fullmatch)(line)
        if not line.strip() or (published and not match):
            continue
        value = _number(match[2]) if match else math.nan
        if not math.isfinite(value):
            if number == 1 and not published:
                continue
            raise UserError(
                f"{path}, line {number}: expected a pair and its value, such as "
                f"`beautiful_flower 1.5`; found {line.strip()!r}"
            )
        pair = pair_of(match[1])
        if values.setdefault(pair, value) != value:
            raise UserError(
                f"{path}, line {number}: {pair} has the value {value:g}, and {values[pair]:g} in a "
                "line before; remove one of them"
            )
    return values


@functools.cache
def pair_of(name: str) -> str:
    """The pair that a folder or a line names: lower case, with underscores."""
    return re.sub(r"\s+", "_", name.strip().strip('"').lower())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
