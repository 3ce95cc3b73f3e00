"""Line charts as small inline SVG, drawn with the page's own colours by CSS class."""

import math
from html import escape

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 30
MOST_POINTS = 240  # more than these are averaged in groups: a pixel shows no more

Series = list[tuple[float, float]]


def line_chart(series: dict[str, Series], describe: str, *, percent: bool = False) -> str:
    """Named series of (step, value) -> an <svg> with axes from 0, one class per series' name.

    Values that are not finite are left out; no finite value at all gives an empty string.
    """
    series = {name: thin(finite(points)) for name, points in series.items()}
    series = {name: points for name, points in series.items() if points}
    if not series:
        return ""
    everything = [point for points in series.values() for point in points]
    ticks_x = ticks(max(x for x, _ in everything), 4)
    ticks_y = ticks(1.0 if percent else max(y for _, y in everything), 4)
    last_x = max(max(x for x, _ in everything), 1e-12)

    def place(x, y):
        along = LEFT + x / last_x * (WIDTH - LEFT - RIGHT)
        up = HEIGHT - BOTTOM - y / ticks_y[-1] * (HEIGHT - TOP - BOTTOM)
        return f"{along:.1f}", f"{max(up, TOP):.1f}"

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(describe)}">',
    ]
    for value in ticks_y:
        _, y = place(0, value)
        label = f"{value:.0%}" if percent else short(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="y" x="{LEFT - 8}" y="{float(y) + 4:.1f}">{label}</text>')
    for value in ticks_x:
        if value <= last_x:
            x, _ = place(value, 0)
            parts.append(
                f'<text class="x" x="{x}" y="{HEIGHT - BOTTOM + 19}">{short(value)}</text>'
            )
    for name, points in series.items():
        places = [place(x, y) for x, y in points]
        path = "L".join(f"{x} {y}" for x, y in places)
        parts.append(f'<path class="line {escape(name)}" d="M{path}"/>')
        if len(places) <= 40:
            parts += [
                f'<circle class="dot {escape(name)}" cx="{x}" cy="{y}" r="2.2"/>' for x, y in places
            ]
    return "".join([*parts, "</svg>"])


def finite(points: Series) -> Series:
    """The points whose numbers are both finite, in the order of their steps."""
    return sorted(p for p in points if all(v is not None and math.isfinite(v) for v in p))


def thin(points: Series) -> Series:
    """At most MOST_POINTS points, each the mean of a run of neighbours; the last one is kept."""
    group = math.ceil(len(points) / MOST_POINTS)
    if group < 2:
        return points
    runs = [points[start : start + group] for start in range(0, len(points), group)]
    means = [tuple(sum(values) / len(run) for values in zip(*run, strict=True)) for run in runs]
    return [*means[:-1], points[-1]]


def ticks(largest: float, about: int) -> list[float]:
    """0 up to the first round number from `largest` on, in some `about` steps of 1, 2 or 5."""
    if largest <= 0:
        return [0.0, 1.0]
    power = 10 ** math.floor(math.log10(largest / about))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power * about >= largest * (1 - 1e-9))
    return [step * i for i in range(math.ceil(largest / step - 1e-9) + 1)]


def short(value: float) -> str:
    """1500 -> 1.5k, 0.0001 -> 1e-4: few characters for an axis."""
    if value >= 1000:
        return f"{value / 1000:g}k"
    if 0 < value < 0.01:
        digits, power = f"{value:.1e}".split("e")
        return f"{float(digits):g}e{int(power)}"
    return f"{value:.3g}"
