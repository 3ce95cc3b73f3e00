"""`write_report`: everything of a run on one page, index.html, and its numbers, results.json."""

import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from jaxsent import files
from jaxsent.report.calibration import calibration
from jaxsent.report.charts import finite, line_chart, short
from jaxsent.report.gallery import gallery
from jaxsent.report.pictures import Example
from jaxsent.report.tables import attention, cards, mistakes, sentiment_maps
from jaxsent.report.units import Unit, units
from jaxsent.report.words import duration, known, percent, summary
from jaxsent.run.provenance import credit

SPLITS = ("train", "validation", "test")
CURVES = (("loss", "Loss"), ("accuracy", "Accuracy"), ("learning_rate", "Learning rate"))
MEANINGS = (
    ("accuracy", "Accuracy", "the share of images whose most probable class is the true one."),
    (
        "accuracy_interval",
        "95 % interval",
        "how far the luck of which images were drawn can move the number, by resampling them; "
        "it says nothing of other training runs.",
    ),
    (
        "ten_crop_accuracy",
        "Ten crops",
        "four corners and the centre of each image, each also mirrored; their mean decides.",
    ),
    (
        "polarity_accuracy",
        "Polarity accuracy",
        "the share of images whose named class is at least of the right sign, positive or "
        "negative.",
    ),
    (
        "detection_accuracy",
        "Detection branch",
        "accuracy of the branch that makes the class maps, before the two branches meet.",
    ),
    (
        "ece",
        "Calibration error",
        "the mean difference between how sure the network is and how often it is right (ECE): "
        "0 for one whose “80 %” is right in 80 of 100 images.",
    ),
    (
        "macro_f1",
        "Macro-F1",
        "F1, the harmonic mean of precision and recall, averaged over classes so that each counts "
        "alike.",
    ),
)
MAP_MEANING = (
    "Sentiment map",
    "is scaled to 0–1 at the true region’s size. Precision and recall compare pixels after Otsu’s "
    "threshold has split both into region and rest: precision is the share of the found region "
    "that is true, recall the share of the true region that is found, each averaged over images; "
    "F is their harmonic mean. MAE is the mean absolute difference of all pixels. The centre box "
    "fills half of the image; the random map draws every pixel by chance.",
)


def write_report(
    directory: str | Path,
    *,
    title: str,
    results: Mapping,
    curves: Iterable[Mapping] = (),
    examples: Iterable[Example] = (),
    chosen_units: Iterable[Unit] = (),
    config: Mapping | None = None,
    environment: Mapping | None = None,
) -> Path:
    """Writes index.html and results.json into the directory and returns the page's path.

    Either is whole or what it was; results.json, by which a run counts as tested, comes last.

    Args:
      directory: made where it is missing.
      title: the page's heading.
      results: numbers of the evaluation; every key is optional and what is None is left out.
        model, data, split, step, seconds, count, classes, detect_classes, accuracy, loss,
        ten_crop_accuracy, polarity_accuracy, detection_accuracy (each also as <key>_interval),
        macro_f1, majority, confusion (K, K), ece, reliability (`metrics.reliability`),
        sentiment_map (`metrics.summarise_detection`, also "baselines": {name: the same} and
        "cases_by_class"), specificity (`metrics.summarise_specificity`), attention
        (`metrics.summarise_attention`, also "baselines").
      curves: the lines of metrics.jsonl: step, split and values.
      examples: images for the gallery, in the order to show them within their kind.
      chosen_units: the image that each unit of a class rose highest in.
      config: shown as JSON.
      environment: name → text, shown as a table; "command" is shown above it.

    Raises:
      UserError: the directory cannot be written.
    """
    directory = Path(directory)
    files.make_folder(directory)
    results = plain(results)
    numbers = json.dumps(results, indent=2, sort_keys=True, allow_nan=False)
    classes = list(results.get("classes") or [])
    detect_classes = list(results.get("detect_classes") or classes)
    sections = [
        ("mistakes", "Where it errs", mistakes(results)),
        ("sure", "How sure it may be", calibration(results)),
        ("maps", "Sentiment maps", sentiment_maps(results)),
        ("attention", "Where people look", attention(results)),
        (
            "examples",
            "Examples",
            _examples(
                list(examples), classes, detect_classes, credit(str(results.get("data") or ""))
            ),
        ),
        ("units", "What the units of a class see", _units(list(chosen_units), detect_classes)),
        ("training", "Training", _training(list(curves))),
        ("meaning", "What the numbers mean", _meanings(results)),
        ("run", "How this was made", _run(results, config, environment)),
    ]
    sections = [section for section in sections if section[2]]
    template = resources.files("jaxsent.report").joinpath("template.html").read_text("utf-8")
    page = Template(template).substitute(
        title=escape(title),
        subject=" · ".join(
            escape(str(results[key])) for key in ("model", "data", "split") if results.get(key)
        ),
        summary=escape(summary(results)),
        cards=cards(results),
        links="".join(f'<a href="#{anchor}">{name}</a>' for anchor, name, _ in sections),
        sections="".join(
            f'<section id="{anchor}"><h2>{name}</h2>{body}</section>'
            for anchor, name, body in sections
        ),
    )
    path = directory / "index.html"
    files.write_text(path, page)
    files.write_text(directory / "results.json", numbers + "\n")
    return path


def plain(value):
    """Arrays and scalars of any library as JSON's own types; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _examples(examples, classes, detect_classes, credited):
    if not examples:
        return ""
    note = "Left the image, right the sentiment map over it"
    if any(example.region is not None for example in examples):
        note += "; the white line is the border of the true region, which training never saw"
    note += "."
    if any(example.class_maps is not None for example in examples):
        note += (
            " Below, the classes' maps with the probabilities of the branch that they belong to, "
            "the likeliest first, on one scale for each image."
        )
    if credited:
        note += f" {escape(credited)}"
    legend = '<span class="heat">low<b></b>high</span>'
    return f'<p class="note">{note} {legend}</p>{gallery(examples, classes, detect_classes)}'


def _units(chosen, names):
    if not chosen:
        return ""
    note = (
        "A class's map is the mean of several. For each of them the image of that class in which "
        "it rose highest, dark where it stays below Otsu's threshold"
    )
    if any(unit.region is not None for unit in chosen):
        note += "; the white line is the border of the true region"
    return f'<p class="note">{note}.</p>{units(chosen, names)}'


def _training(curves):
    charts = []
    for key, name in CURVES:
        series = {}
        for split in SPLITS:
            lines = (line for line in curves if line.get("split") == split and key in line)
            points = finite([(line.get("step"), line[key]) for line in lines])
            if points:
                series[split] = points
        if not series:
            continue
        last = []
        for split, points in series.items():
            value = percent(points[-1][1]) if key == "accuracy" else short(points[-1][1])
            last.append(f'<span class="key {split}">{split} <b>{value}</b></span>')
        if key == "learning_rate":  # it ends at or near zero: its peak tells more
            peak = max(y for points in series.values() for _, y in points)
            last = [f"<span>highest <b>{short(peak)}</b></span>"]
        says = f"{name} over training steps, from {' and '.join(series)}"
        chart = line_chart(series, says, percent=key == "accuracy")
        charts.append(
            f'<figure class="chart"><figcaption><b>{name}</b>{"".join(last)}</figcaption>'
            f"{chart}</figure>"
        )
    if not charts:
        return ""
    note = '<p class="note">Along the axis: training steps. Beside the names: the last values.</p>'
    return f'{note}<div class="charts">{"".join(charts)}</div>'


def _meanings(results):
    rows = [(name, text) for key, name, text in MEANINGS if known(results, key)]
    if known(results.get("sentiment_map") or {}, "f"):
        rows.append(MAP_MEANING)
    if not rows:
        return ""
    items = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    return f'<dl class="meanings">{items}</dl>'


def _run(results, config, environment):
    environment = {key: value for key, value in (environment or {}).items() if value is not None}
    command = environment.pop("command", None)
    facts = {}
    for key, name, form in (
        ("step", "training steps", "{:,}".format),
        ("loss", f"{results.get('split') or 'test'} loss", "{:.4f}".format),
        ("macro_f1", "macro-F1", "{:.3f}".format),
        ("seconds", "duration", duration),
    ):
        if known(results, key):
            facts[name] = form(results[key])
    if results.get("missing"):
        facts["images without a label"] = f"{results['missing']:,}, left out"
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name).replace("_", " "))}</th>'
        f"<td>{escape(str(value))}</td></tr>"
        for name, value in (facts | environment).items()
    )
    parts = [f"<pre>{escape(str(command))}</pre>" if command else ""]
    parts.append(f'<table class="facts"><tbody>{rows}</tbody></table>' if rows else "")
    if config:
        text = json.dumps(plain(config), indent=2)
        parts.append(
            f"<details><summary>Configuration</summary><pre>{escape(text)}</pre></details>"
        )
    return "".join(parts)
