"""Cards of single images: photograph, map over it, true outline, what was named."""

from html import escape

import numpy as np

from jaxsent.report.pictures import Example, jpeg_uri, outline, overlay, shrink
from jaxsent.report.words import percent

BUDGET = 14_000_000  # bytes of embedded images, so that the page stays well under 20 MB
THUMBNAIL = 96  # pixels
TOP = 8  # class maps shown
UNLIKELY = 0.01
KINDS = {
    "best": "Best <small>named right, the surest of each class</small>",
    "worst": "Worst <small>where the truth was given the least</small>",
    "imprecise": "Failures of detection: too much <small>over half of the region is covered, and "
    "more than it</small>",
    "incomplete": "Failures of detection: too little <small>half of the region or more is missed"
    "</small>",
    "misled": "Failures of detection: misled <small>most of what is covered is no region, and most "
    "of the region is not covered</small>",
    "random": "At random <small>drawn before any was seen</small>",
}


def gallery(examples: list[Example], classes: list[str], detect_classes: list[str]) -> str:
    """A group of cards for each kind of example, as many as the budget of bytes allows.

    `classes` name the K probabilities, `detect_classes` the C class maps.
    """
    left, made, dropped = BUDGET, {kind: [] for kind in KINDS}, 0
    for example in examples:
        card = _card(example, classes, detect_classes)
        left -= len(card)
        if left < 0:
            dropped += 1
            continue
        made[example.kind].append(card)
    parts = [
        f'<h3>{KINDS[kind]}</h3><div class="gallery">{"".join(cards)}</div>'
        for kind, cards in made.items()
        if cards
    ]
    if dropped:
        parts.append(f"<p>{dropped:,} more examples were left out to keep this page small.</p>")
    return "".join(parts)


def _card(example, classes, detect_classes):
    right = example.label == example.prediction
    image = shrink(example.image)
    pictures = [(image, f"photograph {example.file}")]
    if example.sentiment_map is not None:
        heat = overlay(image, example.sentiment_map)
        if example.region is not None:
            heat = outline(heat, shrink(example.region))
        pictures.append((heat, f"sentiment map over {example.file}"))
    shown = "".join(
        f'<img src="{jpeg_uri(picture)}" alt="{escape(alt)}" loading="lazy" '
        f'width="{picture.shape[1]}" height="{picture.shape[0]}">'
        for picture, alt in pictures
    )
    named = ""
    if example.prediction is not None:
        named = f"<b>{escape(example.prediction)}</b> <span>{percent(example.probability)}</span>"
    if not named:
        verdict = f'<p class="verdict"><span class="said">{escape(example.label)}</span></p>'
    elif right:
        verdict = f'<p class="verdict right"><i>✓</i><span class="said">{named}</span></p>'
    else:
        verdict = (
            f'<p class="verdict wrong"><i>✗</i><span class="said">{named}</span>'
            f'<span class="truth">truth: {escape(example.label)}</span></p>'
        )
    return (
        f'<article class="example {"right" if right else "wrong"}"><div class="pair">{shown}</div>'
        f"{verdict}{_branches(example, detect_classes)}"
        f"{_detail(example, image, classes, detect_classes)}"
        f'<p class="file">{escape(example.file)}</p></article>'
    )


def _branches(example, detect_classes):
    """The other branch's answer, and how much of the region its map covers."""
    parts = []
    chances = example.map_probabilities
    if chances is not None and len(chances) == len(detect_classes):
        top = int(np.argmax(chances))
        parts.append(
            f"{example.map_branch}: <b>{escape(detect_classes[top])}</b> {percent(chances[top])}"
        )
    if example.overlap is not None and np.isfinite(example.overlap).all():
        precision, recall = example.overlap
        parts.append(f"precision {precision:.2f}, recall {recall:.2f}")
    return f'<p class="next">{" · ".join(parts)}</p>' if parts else ""


def shared_heat(thumbnail, maps, probabilities) -> list[np.ndarray]:
    """(H, W, 3), (h, w, C), (C,) -> C thumbnails with their maps as heat, on one scale.

    From the median of the maps, so that the weaker half of places stays uncoloured, to the highest
    value of a class that the branch gives at least UNLIKELY. The others show no heat: their maps
    may well be high, but the branch does not believe them.
    """
    likely = np.asarray(probabilities) >= min(UNLIKELY, np.max(probabilities))
    limits = float(np.median(maps[..., likely])), float(maps[..., likely].max())
    return [
        overlay(thumbnail, maps[..., c], limits=limits) if likely[c] else thumbnail
        for c in range(maps.shape[-1])
    ]


def _detail(example, image, classes, detect_classes):
    """The class maps by their branch's probabilities, on one scale; else the next likely classes.

    WSCNet's Fig. 5 and the last row of Fig. 7.
    """
    maps, chances = example.class_maps, example.map_probabilities
    if maps is not None and chances is not None and maps.shape[-1] == len(detect_classes):
        thumbnail = shrink(image, THUMBNAIL)
        heat = shared_heat(thumbnail, maps, chances)
        figures = "".join(
            f'<figure><img src="{jpeg_uri(heat[c])}" '
            f'alt="map of {escape(detect_classes[c])}" loading="lazy" '
            f'width="{thumbnail.shape[1]}" height="{thumbnail.shape[0]}">'
            f"<figcaption>{escape(detect_classes[c])} <b>{percent(chances[c])}</b></figcaption>"
            "</figure>"
            for c in np.argsort(-chances, kind="stable")[:TOP]
        )
        return f'<div class="classmaps">{figures}</div>'
    if example.probabilities is not None and len(example.probabilities) == len(classes):
        order = np.argsort(-np.asarray(example.probabilities), kind="stable")
        rest = [c for c in order if classes[c] != example.prediction][:2]
        likely = ", ".join(
            f"{escape(classes[c])} {percent(example.probabilities[c])}" for c in rest
        )
        return f'<p class="next">then {likely}</p>'
    return ""
