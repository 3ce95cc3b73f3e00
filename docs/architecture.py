"""Draws architecture.svg, the figure of architecture.md: `python docs/architecture.py`.

The layers are those of import-linter's contract in pyproject.toml, and every stop of the two ways
carries the number of its layer; a stop outside the contract is an error.
"""

import textwrap
import tomllib
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_suffix(".svg")

# In the figure's units; a telephone shows one as 0.94 pixels, a wide screen as SCALE.
WIDTH, SCALE = 380, 1.35
LEFT, RIGHT, MIDDLE = 24, 356, 190  # edges of the cards, and where the two columns part
GUTTER = 7  # between a column and the middle
CARRY = 146  # where the weights go down from the training to the test
RAIL = 11  # how far from the edge a way passes by the training
ROW, LINE, GAP, LEAD = 25, 14.5, 20, 46  # heights: a layer, a line of text, cards apart, a heading
LETTERS = {"half": 24, "whole": 50}  # in a line of a card

INK, SOFT, PAPER, CARD, EDGE = "#1f2433", "#5b6275", "#f7f6f2", "#ffffff", "#c9ccd6"
PHOTOGRAPH, LABEL, WEIGHTS = "#2563c9", "#c2570c", "#6b7280"
TINTS = ("#e9eefb", "#b9c8ee")  # of the uppermost and the lowest layer


class Stop(NamedTuple):
    """A card: a module without `jaxsent.`, or a place that is none, and what happens there.

    `photograph` and `label` are what it does with either; the card is as wide as both columns if it
    does something with both, or with neither: then it is about the weights.
    """

    module: str
    photograph: str = ""
    label: str = ""
    weights: str = ""

    def whole(self) -> bool:
        return bool(self.photograph) == bool(self.label)


class Part(NamedTuple):
    """A stretch of the ways under a heading: rows of one card, or of two side by side."""

    heading: str
    rows: list[list[Stop]]


BEGIN = Stop("", "awe/lake.jpg", "its folder's name, or a line of a list")
PARTS = [
    Part(
        "Prepared, once",
        [
            [Stop("tfds_builders.found", "Item.path", "Item.label, Item.split")],
            [
                Stop("tfds_builders.images", photograph="opened and hashed; if need be encoded"),
                Stop("tfds_builders.survey", label="counted, against what was expected"),
            ],
            [
                Stop(
                    "tfds_builders.base",
                    "record: image, the bytes of its file",
                    "record: label, polarity (awe is positive)",
                )
            ],
        ],
    ),
    Part(
        "Read, every batch",
        [
            [
                Stop(
                    "data.records", "bytes, or pixels kept from an earlier epoch", "label, polarity"
                )
            ],
            [Stop("data.augment", photograph="decoded inside a box, resized, mirrored")],
            [
                Stop(
                    "data.elements",
                    "one element: (S, S, 3) and maps cut like it",
                    "label, polarity",
                )
            ],
            [Stop("data.batches", "image (b, S, S, 3) uint8", "label, polarity (b,)")],
        ],
    ),
    Part(
        "Training split",
        [
            [
                Stop(
                    "training.step",
                    "normalised to float32",
                    "as class_target, and as detect_target",
                )
            ],
            [Stop("models", photograph="class_logits (B, K), detect_logits (B, C)")],
            [Stop("losses", "joint_loss of logits …", "… and targets: (B,)")],
            [Stop("run.checkpoint", weights="the weights, moved along the loss's gradient")],
        ],
    ),
    Part(
        "Test split",
        [
            [
                Stop("models.inference", photograph="predict_step: probabilities and maps"),
                Stop("evaluation.evaluate", label="truth (N,), of every image once"),
            ],
            [Stop("evaluation.scoring", "probabilities (N, K)", "truth (N,)")],
            [Stop("metrics", "of its maps: MAE, F, …", "accuracy, calibration")],
            [Stop("report.page", "index.html, with maps", "beside the prediction")],
        ],
    ),
]


def layers() -> list[list[str]]:
    """The contract's lines from the top, each the modules on it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [line.split(" | ") for line in contract["layers"]]


def stops() -> list[Stop]:
    """All that name a module."""
    return [stop for part in PARTS for row in part.rows for stop in row]


def full_name(stop: Stop) -> str:
    """The module as it is imported."""
    return stop.module if stop.module.startswith("tfds_builders") else f"jaxsent.{stop.module}"


def layer_of(module: str) -> int:
    """Its line in the contract, from 1 at the top.

    Raises:
      LookupError: the contract has none for it.
    """
    for number, line in enumerate(layers(), 1):
        if any(f"{module}.".startswith(f"{name}.") for name in line):
            return number
    raise LookupError(f"{module} is in no layer of pyproject.toml's contract")


def svg() -> str:
    """The whole figure."""
    drawn, end = _layers(48)
    ways, end = _ways(end + 46)
    body = [
        _text(LEFT - 10, 32, "Layers: imports go downwards only", "h"),
        *drawn,
        *ways,
    ]
    height = round(end + 22)
    style = (
        "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;"
        f"font-size:11.5px;fill:{INK}}}"
        ".h{font-size:15px;font-weight:650}.s{font-weight:650;font-size:12.5px}"
        ".m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "font-size:11.5px;font-weight:600}"
        f".n{{font-size:10px;fill:{SOFT};text-anchor:middle;font-weight:600}}"
        f".soft{{fill:{SOFT}}}.w{{fill:#fff}}"
    )
    about = "The layers of jaxsent, and the way of a photograph and of its label through them"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH * SCALE:g}" height="{height * SCALE:g}" role="img">',
            f"<title>{about}</title>",
            f"<style>{style}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{PAPER}"/>',
            *body,
            "</svg>\n",
        ]
    )


def _layers(y: float) -> tuple[list[str], float]:
    """Rows from `y` down, each with a dot for every way that passes it; and where they end."""
    through = {
        colour: {layer_of(full_name(stop)) for stop in stops() if getattr(stop, name)}
        for name, colour in (("photograph", PHOTOGRAPH), ("label", LABEL))
    }
    lines = layers()
    drawn = []
    for number, line in enumerate(lines, 1):
        middle = y + ROW / 2 - 2
        drawn += [
            _rect(LEFT + 12, y, RIGHT - LEFT - 8, ROW - 4, _tint((number - 1) / (len(lines) - 1))),
            _text(LEFT, middle + 3.5, str(number), "n"),
            _text(LEFT + 22, middle + 4, "   ".join(n.removeprefix("jaxsent.") for n in line), "m"),
        ]
        for i, (colour, numbers) in enumerate(through.items()):
            if number in numbers:
                drawn.append(_dot(RIGHT - 22 + 14 * i, middle, 4.5, colour))
        y += ROW
    drawn += [_dot(LEFT + 16, y + 12, 4.5, PHOTOGRAPH),
              _text(LEFT + 25, y + 16, "a photograph passes", "soft"),
              _dot(MIDDLE + 8, y + 12, 4.5, LABEL),
              _text(MIDDLE + 17, y + 16, "its label passes", "soft")]  # fmt: skip
    return drawn, y + 16


def _ways(y: float) -> tuple[list[str], float]:
    """Both ways from `y` down and where they end. Lines are drawn first, under the cards."""
    under, over = [], [_text(LEFT - 10, y, "A photograph and its label", "h")]
    over.append(_text(LEFT - 10, y + 18, "The number at a module is its layer.", "soft"))
    columns = {PHOTOGRAPH: _centre(LEFT), LABEL: _centre(MIDDLE + GUTTER)}
    y += 32
    for colour, text in ((PHOTOGRAPH, BEGIN.photograph), (LABEL, BEGIN.label)):
        x = LEFT if colour == PHOTOGRAPH else MIDDLE + GUTTER
        lines = textwrap.wrap(text, LETTERS["half"])
        over.append(_rect(x, y, _half(), 40, colour, radius=20))
        first = y + 24 - (len(lines) - 1) * LINE / 2
        over += [
            f'<text class="w" text-anchor="middle" x="{_centre(x):g}" y="{first + i * LINE:g}">'
            f"{escape(line)}</text>"
            for i, line in enumerate(lines)
        ]
    y += 40
    before = y  # where the lines below the last row begin
    for number, part in enumerate(PARTS):
        teaches, measures = number == 2, number == 3
        if teaches:
            fork = before
        under += [_line(x, before, x, y + LEAD, colour) for colour, x in columns.items()
                  if not measures]  # fmt: skip
        if measures:  # past the training come the ways of the test split
            under.append(_line(CARRY, before, CARRY, y + LEAD, WEIGHTS, dashed=True))
            for colour, x in columns.items():
                rail = RAIL if colour == PHOTOGRAPH else WIDTH - RAIL
                under.append(_bypass(x, fork + 8, rail, y + LEAD - 12, colour))
        over.append(_heading(part.heading, y + LEAD / 2 + 5))
        y += LEAD
        for i, row in enumerate(part.rows):
            height = max(_height(stop) for stop in row)
            for stop in row:
                over += _card(stop, y, height)
            bottom = y + height
            last = i == len(part.rows) - 1
            ends = teaches and row[0].module in ("losses", "run.checkpoint")
            if not last and not ends:
                under += [_line(x, y, x, bottom + GAP, colour) for colour, x in columns.items()]
            if ends and not last:
                under.append(_line(CARRY, bottom, CARRY, bottom + GAP, WEIGHTS, dashed=True))
            before = bottom
            y = bottom + (0 if last else GAP)
    return under + over, y


def _card(stop: Stop, y: float, height: float) -> list[str]:
    """A card from `y` down, with its layer's number at its corner."""
    left = LEFT if stop.whole() or stop.photograph else MIDDLE + GUTTER
    right = RIGHT if stop.whole() or stop.label else MIDDLE - GUTTER
    edge = EDGE
    if not stop.whole():
        edge = PHOTOGRAPH if stop.photograph else LABEL
    drawn = [
        _rect(left, y, right - left, height, CARD, edge=edge),
        _text(left + 9, y + 17, stop.module, "m"),
        _dot(right - 3, y + 2, 8.5, PAPER, edge=edge),
        _text(right - 3, y + 5.5, str(layer_of(full_name(stop))), "n"),
    ]
    for text, x in (
        (stop.photograph, left + 9),
        (stop.label, (MIDDLE + GUTTER if stop.whole() else left) + 9),
    ):
        drawn += _paragraph(text, x, y + 33, "half", "soft")
    return drawn + _paragraph(stop.weights, left + 9, y + 33, "whole", "soft")


def _height(stop: Stop) -> float:
    lines = max(len(textwrap.wrap(text, LETTERS["half"])) for text in (stop.photograph, stop.label))
    return 25 + LINE * max(lines, 1)


def _paragraph(text: str, x: float, y: float, width: str, style: str) -> list[str]:
    lines = textwrap.wrap(text, LETTERS[width])
    return [_text(x, y + i * LINE, line, style) for i, line in enumerate(lines)]


def _heading(text: str, y: float) -> str:
    """Between the two ways."""
    return f'<text class="s" text-anchor="middle" x="{MIDDLE}" y="{y:g}">{text}</text>'


def _bypass(x: float, fork: float, rail: float, join: float, colour: str) -> str:
    """From a column at `fork` out to the edge, down, and back at `join`."""
    r = 8 if rail < x else -8
    return (
        f'<path d="M{x:g} {fork:g} H{rail + r:g} q{-r} 0 {-r} 8 V{join - 8:g} q0 8 {r} 8 H{x:g} '
        f'v14" fill="none" stroke="{colour}" stroke-width="4" stroke-linejoin="round"/>'
    )


def _line(x0, y0, x1, y1, colour: str, dashed: bool = False) -> str:
    """A little longer at both ends, so that no seam shows where lines meet."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<path d="M{x0:g} {y0 - 1:g} L{x1:g} {y1 + 1:g}" stroke="{colour}" stroke-width="4"{dash} '
        'fill="none"/>'
    )


def _rect(x, y, width, height, fill: str, edge: str = "none", radius: float = 5) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
    )


def _dot(x, y, radius, fill: str, edge: str = "none") -> str:
    return (
        f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{edge}" '
        'stroke-width="1.5"/>'
    )


def _text(x, y, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}" xml:space="preserve">{escape(text)}</text>'


def _half() -> float:
    return MIDDLE - GUTTER - LEFT


def _centre(x: float) -> float:
    return x + _half() / 2


def _tint(share: float) -> str:
    """Between the two TINTS, as #rrggbb."""
    ends = [[int(tint[i : i + 2], 16) for i in (1, 3, 5)] for tint in TINTS]
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(*ends, strict=True))


if __name__ == "__main__":
    FILE.write_text(svg(), encoding="utf-8")
    print(FILE)
