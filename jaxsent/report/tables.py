"""The report's numbers as HTML: cards, confusion matrix, per-class and sentiment-map tables."""

from html import escape

from jaxsent.metrics import CASES
from jaxsent.report.words import interval, known, network, percent

CARDS = (
    ("accuracy", "Accuracy", "one view of each image"),
    ("ten_crop_accuracy", "Accuracy, ten crops", "mean of ten views"),
    ("polarity_accuracy", "Polarity accuracy", "positive or negative"),
    ("detection_accuracy", "Detection branch", "accuracy from its maps alone"),
)
MEASURES = (
    ("f", "F-score", "higher"),
    ("precision", "Precision", "higher"),
    ("recall", "Recall", "higher"),
    ("mae", "MAE", "lower"),
    ("mae_binary", "MAE, binarised", "lower"),
)
ATTENTION = (
    ("auc_judd", "AUC-Judd", "higher"),
    ("auc_borji", "AUC-Borji", "higher"),
    ("cc", "CC", "higher"),
    ("sim", "SIM", "higher"),
    ("emd", "EMD", "lower"),
    ("kl", "KL", "lower"),
)
BASELINES = {
    "predicted_class": "class map",
    "cam": "CAM",
    "grad_cam": "Grad-CAM",
    "centre_box": "centre box",
    "centre_gaussian": "centre",
    "objectness": "objectness",
    "itti_koch": "Itti–Koch",
    "gbvs": "GBVS",
    "spectral_residual": "spectral residual",
    "fine_grained": "fine-grained",
    "random": "random",
}
CASE_WORDS = {
    "correct": "covers over half of it",
    "truth_inside": "covers all of it and more",
    "hypothesis_inside": "half or less, nothing else",
    "overlap": "half or less, and more",
    "disjoint": "misses it",
}


def cards(results: dict) -> str:
    """The key numbers, large, with their interval and what they are to be compared with."""
    made = []
    for key, name, what in CARDS:
        if known(results, key):
            bounds = f"{key}_interval"
            note = what
            if known(results, bounds):
                note = f'95 % interval <span class="whole">{interval(results[bounds])}</span>'
            made.append(_card(name, percent(results[key]), note))
    for name, scores in (results.get("affect") or {}).items():
        if known(scores, "ccc") and known(scores, "pearson"):
            low, high = scores["ccc_interval"]
            note = f"95 % interval {low:.2f} to {high:.2f}; Pearson’s r {scores['pearson']:.2f}"
            made.append(_card(f"{escape(name.capitalize())}, CCC", f"{scores['ccc']:.2f}", note))
    maps = results.get("sentiment_map") or {}
    if known(maps, "f"):
        rows = [(escape(network(results)), maps["f"])]
        for key, name in BASELINES.items():
            row = (maps.get("baselines") or {}).get(key) or {}
            if known(row, "f"):
                rows.append((name, row["f"]))
        bars = "".join(f"<li>{name}{_bar(value)}<b>{value:.2f}</b></li>" for name, value in rows)
        note = f'<ul class="bars">{bars}</ul>' if len(rows) > 1 else "against the true regions"
        made.append(_card("Sentiment map F-score", f"{maps['f']:.2f}", note))
    return f'<div class="cards">{"".join(made)}</div>' if made else ""


def _card(name, value, note):
    return f'<div class="card"><h3>{name}</h3><p class="big">{value}</p><div>{note}</div></div>'


def _bar(share):
    return f'<span class="bar"><i style="width:{share * 100:.1f}%"></i></span>'


def mistakes(results: dict) -> str:
    """Confusion matrix and per-class table side by side."""
    confusion, classes = results.get("confusion"), results.get("classes")
    if not confusion or not classes:
        return ""
    return (
        f'<div class="two">{_confusion(confusion, classes)}{_per_class(confusion, classes)}</div>'
    )


def _confusion(confusion, classes):
    few = " few" if len(classes) <= 4 else ""  # then the names fit side by side, unturned
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in classes)
    rows = []
    for i, (name, counts) in enumerate(zip(classes, confusion, strict=True)):
        cells = []
        for j, count in enumerate(counts):
            share = count / max(1, sum(counts))
            says = f"{count} of {sum(counts)} {name} images were named {classes[j]}"
            style = ("hit" if i == j else "miss") + (
                " none" if not count else " deep" if share > 0.5 else ""
            )
            cells.append(
                f'<td class="{style}" style="--v:{share:.3f}" title="{escape(says)}">'
                f"{count or '·'}</td>"
            )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    return (
        f'<figure><div class="scroll"><table class="confusion{few}"><thead>'
        f"<tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "<figcaption>Rows: what the image shows. Columns: what the network named. Numbers are "
        "images; the shade is the share of the row. Right answers lie on the diagonal."
        "</figcaption></figure>"
    )


def _per_class(confusion, classes):
    named = [sum(column) for column in zip(*confusion, strict=True)]
    rows = []
    for k, name in enumerate(classes):
        right, images = confusion[k][k], sum(confusion[k])
        recall = f"{_bar(right / images)}<b>{percent(right / images)}</b>" if images else "–"
        precision = percent(right / named[k]) if named[k] else "–"
        rows.append(
            f'<tr><th scope="row">{escape(name)}</th><td>{images:,}</td>'
            f'<td class="recall">{recall}</td><td>{precision}</td></tr>'
        )
    return (
        '<figure><table class="plain"><thead><tr><th scope="col">Class</th>'
        '<th scope="col">Images</th><th scope="col" class="recall">Recall</th>'
        f'<th scope="col">Precision</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
        "<figcaption>Recall: of the class’s images, the share named right. Precision: of the "
        "images given this name, the share that deserve it.</figcaption></figure>"
    )


def sentiment_maps(results: dict) -> str:
    """Table of the map's measures beside the baselines', and how the found regions lie."""
    maps = results.get("sentiment_map") or {}
    table = _compared(maps, results, MEASURES, "f")
    if not table:
        return ""
    caption = "Bold: the best of the row."
    if known(maps, "count"):
        caption += f" Over {maps['count']:,} images"
        empty = maps.get("empty_truths") or 0
        caption += f", {empty:,} of them without a region." if empty else "."
    figure = f"<figure>{table}<figcaption>{caption}</figcaption></figure>"
    return f'<div class="two">{figure}{_cases(maps, results)}</div>{_specificity(results)}'


def _specificity(results):
    """Whether the true class's map finds the region better than the other classes' maps do."""
    scores = results.get("specificity") or {}
    if not known(scores, "region_auc"):
        return ""
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{scores[key]:.3f}</td>'
        f"<td>{scores[f'{key}_others']:.3f}</td></tr>"
        for key, name in (("region_auc", "AUC of pixels"), ("pointing", "Pointing game"))
        if known(scores, key) and known(scores, f"{key}_others")
    )
    return (
        '<figure class="specificity"><table class="plain"><thead><tr>'
        '<th scope="col">Class specificity</th>'
        '<th scope="col">The true class’s map</th><th scope="col">The others’, mean</th></tr>'
        f"</thead><tbody>{rows}</tbody></table><figcaption>How well a class’s map tells the pixels "
        "of the true region from the rest, and how often its highest point lies in the region. "
        f"Over {scores['count']:,} images.</figcaption></figure>"
    )


def attention(results: dict) -> str:
    """Table of the sentiment map as a prediction of where people look, beside the baselines."""
    maps = results.get("attention") or {}
    table = _compared(maps, results, ATTENTION, "cc")
    if not table:
        return ""
    caption = (
        "The sentiment map as a guess of fixations, by the MIT saliency benchmark’s measures. "
        "Bold: the best of the row."
    )
    if known(maps, "count"):
        caption += f" Over {maps['count'] - (maps.get('no_fixation') or 0):,} images."
    return f"<figure>{table}<figcaption>{caption}</figcaption></figure>"


def _compared(maps: dict, results: dict, measures, main: str) -> str:
    """A row a measure, a column a map; nothing where the network's own has no `main` measure."""
    if not known(maps, main):
        return ""
    columns = {escape(network(results)): maps}
    others = maps.get("baselines") or {}
    outside = {key: escape(key.replace("_", " ")) for key in others if key not in BASELINES}
    for key, name in (outside | BASELINES).items():
        if others.get(key):
            columns[name] = others[key]
    rows = []
    for key, name, better in measures:
        values = [column[key] for column in columns.values() if known(column, key)]
        if not known(maps, key):
            continue
        best = max(values) if better == "higher" else min(values)
        cells = "".join(
            f"<td>{_best(column[key], best)}</td>" if known(column, key) else "<td>–</td>"
            for column in columns.values()
        )
        rows.append(
            f'<tr><th scope="row">{name} <small>{better} is better</small></th>{cells}</tr>'
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return (
        '<div class="scroll"><table class="plain"><thead><tr><th scope="col">Measure</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _best(value, best):
    return f"<b>{value:.3f}</b>" if value == best else f"{value:.3f}"


def _cases(maps, results):
    """The five cases as stacked bars: over all images and, where given, by class."""
    if not all(known(maps, case) for case in CASES):
        return ""
    bars = [("all images", maps)]
    by_class = maps.get("cases_by_class") or []
    for names in (results.get("classes"), results.get("detect_classes")):
        if names and len(names) == len(by_class):
            bars += [(n, row) for n, row in zip(names, by_class, strict=True) if row]
            break
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><span class="stack">'
        + "".join(
            f'<i class="{case}" style="flex-grow:{row[case]:.4f}"></i>'
            for case in CASE_WORDS
            if row[case]
        )
        + "</span></td></tr>"
        for name, row in bars
    )
    legend = "".join(
        f'<li><i class="{case}"></i>{words} <b>{percent(maps[case])}</b></li>'
        for case, words in CASE_WORDS.items()
        if maps[case] or case != "truth_inside"  # which cannot occur: metrics.detection
    )
    return (
        f'<figure><table class="cases"><tbody>{rows}</tbody></table>'
        f'<figcaption><ul class="legend">{legend}</ul>'
        "How the found region lies over the true one.</figcaption></figure>"
    )
