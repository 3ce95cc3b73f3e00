"""The reliability diagram: how often the network is right when it is so sure."""

from jaxsent.report.words import known, percent

SIDE, LEFT, BOTTOM, TOP = 300, 44, 34, 8


def calibration(results: dict) -> str:
    """A figure of `metrics.reliability` and the calibration error; nothing without them."""
    bins = results.get("reliability")
    if not bins or not known(results, "ece"):
        return ""
    return (
        f'<div class="two"><figure class="reliability">{_diagram(bins)}</figure>'
        f'<p class="note">Each bar holds the images of which the network was about that sure '
        "(along the axis); its height is the share that it named right. On the dashed line the two "
        "are equal; the reddish part is the difference: below the line it is surer than it may be. "
        "A bar’s darkness tells how many images it holds. Expected calibration error "
        f"<b>{percent(results['ece'])}</b>.</p></div>"
    )


def _diagram(bins: dict) -> str:
    width, height = LEFT + SIDE + 18, TOP + SIDE * 0.8 + BOTTOM

    def x(value):
        return LEFT + value * SIDE

    def y(value):
        return TOP + (1 - value) * SIDE * 0.8

    parts = [
        f'<svg viewBox="0 0 {width} {height:.0f}" role="img" '
        f'aria-label="Reliability diagram: {_words(bins)}">'
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{LEFT + SIDE}"/>')
        parts.append(f'<text class="y" x="{LEFT - 8}" y="{y(tick) + 4:.1f}">{tick:.0%}</text>')
        parts.append(f'<text x="{x(tick):.1f}" y="{height - 16:.1f}">{tick:.0%}</text>')
    parts.append(f'<text x="{x(0.5):.1f}" y="{height - 1:.1f}">how sure it was</text>')
    most = max(bins["count"]) or 1
    parts.append('<g class="bars">')
    for low, high, count, sure, right in zip(
        bins["edges"], bins["edges"][1:], bins["count"], bins["confidence"], bins["accuracy"],
        strict=False,
    ):  # fmt: skip
        if not count:
            continue
        left, wide = x(low) + 1, x(high) - x(low) - 2
        shade = 0.25 + 0.75 * count / most
        says = f"{count:,} images, {percent(sure)} sure, {percent(right)} right"
        bottom, top = min(sure, right), max(sure, right)
        parts.append(
            f'<g><title>{says}</title><rect x="{left:.1f}" y="{y(right):.1f}" width="{wide:.1f}" '
            f'height="{y(0) - y(right):.1f}" opacity="{shade:.2f}"/>'
            f'<rect class="gap" x="{left:.1f}" y="{y(top):.1f}" width="{wide:.1f}" '
            f'height="{y(bottom) - y(top):.1f}"/></g>'
        )
    parts.append(f'</g><path class="ideal" d="M{x(0)} {y(0):.1f}L{x(1)} {y(1):.1f}"/></svg>')
    return "".join(parts)


def _words(bins: dict) -> str:
    filled = [
        f"{percent(sure)} sure, {percent(right)} right"
        for count, sure, right in zip(bins["count"], bins["confidence"], bins["accuracy"])
        if count
    ]
    return "; ".join(filled)
