"""The wheel of emotions as SVG: a sector's area is the emotion's probability."""

import math
from html import escape

from jaxsent.emotions import EMOTIONROI_WHEEL, POSITIVE, WHEEL

RADIUS, RIM = 100, 112  # of probability 1, and where the names stand
WIDTH, HEIGHT = 360, 268


def wheel(probabilities: dict[str, float]) -> str:
    """{emotion: probability} -> <svg>, positive emotions above; "" where no wheel has them."""
    order = next((w for w in (WHEEL, EMOTIONROI_WHEEL) if set(w) == set(probabilities)), None)
    if order is None:
        return ""
    step = 2 * math.pi / len(order)
    above = [i for i, emotion in enumerate(order) if emotion in POSITIVE]
    top = sum(above) / len(above)
    likeliest = max(order, key=probabilities.get)
    description = ", ".join(f"{emotion} {probabilities[emotion]:.0%}" for emotion in order)
    parts = [
        f'<svg class="wheel" viewBox="{-WIDTH / 2:g} {-HEIGHT / 2:g} {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(f"Wheel of emotions, in its order: {description}.")}">',
        *(f'<circle r="{RADIUS * math.sqrt(share):.1f}"/>' for share in (0.25, 0.5, 1)),
    ]
    for i, emotion in enumerate(order):
        angle = (i - top) * step  # clockwise from above
        sign = "positive" if emotion in POSITIVE else "negative"
        radius = RADIUS * math.sqrt(probabilities[emotion])
        first, last = _point(radius, angle - step / 2), _point(radius, angle + step / 2)
        parts.append(
            f'<path class="{sign}" d="M0 0L{first}A{radius:.1f} {radius:.1f} 0 0 1 {last}Z"/>'
        )
        side = math.sin(angle)
        anchor = "middle" if abs(side) < 0.3 else "start" if side > 0 else "end"
        x, y = _point(RIM, angle).split()
        strong = ' class="likeliest"' if emotion == likeliest else ""
        parts.append(
            f'<text{strong} x="{x}" y="{float(y) + 4:.1f}" text-anchor="{anchor}">'
            f"{escape(emotion)}</text>"
        )
    return "".join([*parts, "</svg>"])


def _point(radius: float, angle: float) -> str:
    return f"{radius * math.sin(angle):.1f} {-radius * math.cos(angle):.1f}"
