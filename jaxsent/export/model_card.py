"""A model card, in Markdown with the hub's YAML, from what a run knows of itself."""

import math
from importlib import resources
from pathlib import Path
from string import Template

import yaml

from jaxsent.errors import UserError
from jaxsent.report import words
from jaxsent.run.card import card_of
from jaxsent.run.card import metadata as metadata_of
from jaxsent.run.folder import read_config, read_results

MEASURES = {
    "accuracy": "accuracy, one view of each image",
    "ten_crop_accuracy": "accuracy, ten crops",
    "polarity_accuracy": "polarity accuracy",
    "detection_accuracy": "accuracy of the detection branch alone",
}
FILES = {
    "model.jaxexport": "the same as StableHLO, for JAX on CPU, GPU and TPU",
    "model.onnx": "the same for onnxruntime",
}


def model_card(run: Path, name: str, files: tuple[str, ...] = ()) -> str:
    """README.md of a model on the hub.

    Args:
      run: a run's folder; its report/results.json has the numbers, if it was tested.
      name: OWNER/NAME.
      files: names of what comes with it, of FILES.

    Raises:
      UserError: there is no run.
    """
    config = read_config(run)
    metadata, card = metadata_of(config), card_of(config, run / "config.json")
    results = read_results(run)
    data = config["data"]["name"]
    description, licence = _data(data)
    network = {"model": config["model"]["name"], "backbone": config["model"]["backbone"]}
    backbone = words.NETWORKS.get(network["backbone"], network["backbone"])
    title = words.network(network)
    plain = title == backbone
    maps = f", and in the {len(card.emotions)} maps of its detection branch where in the picture"
    template = resources.files("jaxsent.export").joinpath("model_card.md").read_text("utf-8")
    return Template(template).substitute(
        front=yaml.safe_dump(
            _front(name, metadata, title, results), sort_keys=False, allow_unicode=True
        ).strip(),
        title=f"{title} on {data}" if plain else f"{title} ({backbone}) on {data}",
        network=title if plain else f"{title} on {backbone}",
        name=name,
        version=metadata["jaxsent"],
        data=data,
        described=description,
        count=len(card.classes),
        where=maps if card.emotions else "",
        classes=", ".join(card.classes),
        resize=card.resize,
        size=card.image_size,
        start=_start(config),
        numbers=_numbers(results),
        warning=f"\n- **{card.provenance.warning}**" if card.provenance.warning else "",
        raters=card.provenance.raters,
        licence="\n\n".join(filter(None, (metadata["licence"], licence and f"{data}: {licence}."))),
        files="".join(f"| `{file}` | {what} |\n" for file, what in FILES.items() if file in files),
    )


def _data(name: str) -> tuple[str, str]:
    """What a data set is, and its licence, as far as they are known here."""
    import tfds_builders

    try:
        card = tfds_builders.builder_class(name.partition("/")[0]).CARD
    except UserError:
        return name, ""
    return f"[{name}]({card.homepage}): {card.title}", card.licence


def _front(name: str, metadata: dict, title: str, results: dict) -> dict:
    """What the hub reads: its own vocabulary, see huggingface_hub.ModelCardData."""
    front = {
        "library_name": "jaxsent",
        "pipeline_tag": "image-classification",
        "tags": ["visual-sentiment", "emotion", "jax", metadata["model"]["name"]],
        "license": "other",
        "license_name": "of-data-and-initial-weights",
        "license_link": f"https://huggingface.co/{name}#licence",
    }
    data = metadata["data"]["name"]
    metrics = [
        {"type": "accuracy", "name": what, "value": round(results[key], 4)}
        for key, what in MEASURES.items()
        if words.known(results, key)
    ]
    if metrics:
        task = {"type": "image-classification", "name": "visual sentiment"}
        dataset = {"type": data, "name": data, "split": results["split"]}
        result = {"task": task, "dataset": dataset, "metrics": metrics}
        front["model-index"] = [{"name": title, "results": [result]}]
    return front


def _start(config: dict) -> str:
    init = config["init"]
    return Path(init["weights"] or init["checkpoint"] or "random weights").name


def _numbers(results: dict) -> str:
    rows = []
    for key, what in MEASURES.items():
        if words.known(results, key):
            bounds = results.get(f"{key}_interval")
            rows.append((what, words.percent(results[key]), words.interval(bounds)))
    if not rows:
        return "It was not tested: there are no numbers, and it should not be relied on."
    if words.known(results, "majority"):
        rows.append(("always the most frequent class", words.percent(results["majority"]), ""))
    maps = results.get("sentiment_map") or {}
    if math.isfinite(maps.get("f", math.nan)):
        rows.append(("sentiment map, F-score against true regions", f"{maps['f']:.3f}", ""))
        for other, scores in maps.get("baselines", {}).items():
            rows.append((f"– {other.replace('_', ' ')}", f"{scores['f']:.3f}", ""))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"On {results['count']:,} images of {results['data']}'s {results['split']} split:\n\n"
        f"| measure | | 95 % interval |\n|---|---|---|\n{table}"
    )
