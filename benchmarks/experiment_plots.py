"""The plot of benchmarks/experiment_report.py: a point and an interval for each row, as SVG."""

from html import escape

import numpy as np

STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #333 }
.small { font-size: 11px; fill: #666 }
.grid { stroke: #ccc; stroke-width: 1 }
.guide { stroke: #666; stroke-dasharray: 4 3 }
.a { stroke: #3949ab; fill: #3949ab } .b { stroke: #d9730d; fill: #d9730d }
.bar { stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .small { fill: #aaa } .grid { stroke: #444 } .guide { stroke: #aaa }
  .a { stroke: #9fa8da; fill: #9fa8da } .b { stroke: #ffb366; fill: #ffb366 }
}
</style>"""


def forest(groups: dict[str, dict[str, tuple]], title: str, guide: float | None = None) -> str:
    """{series: {row: (mean, low, high)}} in percent -> an <svg>: a point and an interval a row."""
    names = list(dict.fromkeys(name for rows in groups.values() for name in rows))
    values = [v for rows in groups.values() for triple in rows.values() for v in triple]
    low = 5 * np.floor(min([*values, *([] if guide is None else [guide])]) / 5)
    high = 5 * np.ceil(max(values) / 5)
    left, width, line, top = 230, 720, 22, 46
    height = top + line * len(names) + 30

    def x(value):
        return left + (value - low) / (high - low) * (width - left - 20)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">',
        STYLE,
        f'<text x="{left}" y="16">{escape(title)}</text>',
    ]
    for i, series in enumerate(groups if len(groups) > 1 else ()):
        at = left + 90 * i
        parts.append(f'<circle class="{"ab"[i]}" cx="{at + 5}" cy="31" r="4"/>')
        parts.append(f'<text class="small" x="{at + 14}" y="35">{escape(series)}</text>')
    step = 5 if high - low <= 40 else 10
    for tick in np.arange(low, high + 1, step):
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {top - 6}V{height - 24}"/>')
        parts.append(
            f'<text class="small" text-anchor="middle" x="{x(tick):.1f}" y="{height - 8}">'
            f"{tick:.0f}</text>"
        )
    if guide is not None:
        parts.append(f'<path class="guide" d="M{x(guide):.1f} {top - 6}V{height - 24}"/>')
    for j, name in enumerate(names):
        y = top + line * j + 8
        parts.append(f'<text text-anchor="end" x="{left - 12}" y="{y + 4}">{escape(name)}</text>')
        present = [i for i, rows in enumerate(groups.values()) if name in rows]
        for i in present:
            mean, start, stop = list(groups.values())[i][name]
            at = y + (0 if len(groups) == 1 else 8 * i - 4)
            parts.append(f'<path class="bar {"ab"[i]}" d="M{x(start):.1f} {at}H{x(stop):.1f}"/>')
            parts.append(f'<circle class="{"ab"[i]}" cx="{x(mean):.1f}" cy="{at}" r="4"/>')
    return "\n".join([*parts, "</svg>\n"])
