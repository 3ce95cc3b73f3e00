"""Maps of the same images side by side: the network's own, and those it is compared with.

A map is scored against the true region (detection) and against fixations (attention), whatever of
the two a data set has, one row of numbers an image; rows are arrays, so that hosts can gather them.
"""

import zlib

import numpy as np

from jaxsent.baselines.saliency import MAPS
from jaxsent.errors import UserError
from jaxsent.metrics import bootstrap_interval, detection
from jaxsent.metrics.attention import HIGHER_IS_BETTER, attention_row, summarise_attention
from jaxsent.metrics.detection import CASES, detection_row, summarise_detection
from jaxsent.models import explain

OWN = "sentiment_map"
PREDICTED = "predicted_class"
"""The class map of the detection branch's likeliest class, instead of the weighted sum."""

COMPARED = (PREDICTED, *explain.MAPS, *MAPS)
TRUTHS = ("region", "fixation_map", "fixations")
REGION = ("mae", "mae_binary", "precision", "recall", "case")
ATTENTION = tuple(HIGHER_IS_BETTER)


def check(names) -> None:
    """Raises UserError for the name of a map that there is not."""
    unknown = [name for name in names if name not in COMPARED]
    if unknown:
        raise UserError(
            f"eval.compare: there is no map {unknown[0]!r}; expected some of {', '.join(COMPARED)}."
        )


def scored(out: dict, compared) -> tuple[str, ...]:
    """Names of the maps that are scored: the network's own where it has one, and `compared`."""
    own = (OWN,) if OWN in out else ()
    return own + tuple(n for n in compared if n != PREDICTED or "detect_probabilities" in out)


def rows(names, batch: dict, out: dict, seed: int) -> dict[str, np.ndarray]:
    """Scores of b images' maps -> region_rows (b, M, 5) and attention_rows (b, M, 6), as there are
    truths in the batch; NaN where a score is not defined and in padded rows.

    Args:
      names: the M maps.
      batch: image (b, S, S, 3) or (b, 5, S, S, 3), mask, file and what it has of TRUTHS.
      out: predictions of inference.predict_step.
      seed: of what is drawn at random; an image's draws hang on its name alone.
    """
    images = batch["image"][:, -1] if batch["image"].ndim == 5 else batch["image"]
    scores = {}
    if "region" in batch:
        scores["region_rows"] = np.full((len(images), len(names), len(REGION)), np.nan)
    if "fixations" in batch:
        scores["attention_rows"] = np.full((len(images), len(names), len(ATTENTION)), np.nan)
    for i in np.flatnonzero(batch["mask"]) if scores else ():
        for m, name in enumerate(names):
            rng = np.random.default_rng([seed, zlib.crc32(str(batch["file"][i]).encode())])
            found = _map(name, images[i], {k: v[i] for k, v in out.items()}, rng)
            if "region" in batch:
                scores["region_rows"][i, m] = region_row(found, batch["region"][i])
            if "fixations" in batch:
                truth = batch["fixations"][i] >= 128, batch["fixation_map"][i]
                scores["attention_rows"][i, m] = fixation_row(found, *truth, rng)
    return scores


def region_row(found, truth) -> list[float]:
    """(h, w), (H, W) -> the scores in the order of REGION, the case by its number in CASES."""
    row = detection_row(found, truth)
    if row["case"] is not None:
        row["case"] = CASES.index(row["case"])
    return [np.nan if row[key] is None else row[key] for key in REGION]


def fixation_row(found, fixations, fixation_map, rng) -> list[float]:
    """(h, w), (H, W) bool, (H, W) -> the scores in the order of ATTENTION."""
    row = attention_row(found, fixations, fixation_map, rng)
    return [np.nan if row[key] is None else row[key] for key in ATTENTION]


def summarise(names, outputs: dict, truth, num_classes: int) -> dict:
    """All images' rows -> {"sentiment_map": …, "attention": …}, what there is of the two.

    Each is the summary of the network's own map, with "baselines": {name: summary} of the others;
    the first also has "cases_by_class" where `truth` (N,) gives the class. Every number comes with
    its 95 % interval over images, as <name>_interval.
    """
    results = {}
    if "region_rows" in outputs:
        found = {name: _dicts(outputs["region_rows"][:, m]) for m, name in enumerate(names)}
        summaries = {name: summarise_detection(rows) for name, rows in found.items()}
        for m, name in enumerate(names):
            summaries[name] |= _intervals(REGION[:-1], outputs["region_rows"][:, m, :-1])
            summaries[name]["f_interval"] = f_interval(outputs["region_rows"][:, m])
        if OWN in found and truth is not None:
            by_class = detection.cases_by_class(found[OWN], truth, num_classes)
            summaries[OWN]["cases_by_class"] = by_class
        results["sentiment_map"] = _own_and_others(summaries)
    if "attention_rows" in outputs:
        summaries = {}
        for m, name in enumerate(names):
            table = (dict(zip(ATTENTION, row)) for row in outputs["attention_rows"][:, m])
            known = [row if np.isfinite(row["cc"]) else dict.fromkeys(row) for row in table]
            summaries[name] = summarise_attention(known)
            summaries[name] |= _intervals(ATTENTION, outputs["attention_rows"][:, m])
        results["attention"] = _own_and_others(summaries)
    return results


def f_interval(region_rows: np.ndarray, resamples=2000, seed=0) -> list[float] | None:
    """(N, 5) in the order of REGION -> the 95 % percentile bootstrap interval of F.

    Images are resampled together, since F comes from the mean precision and the mean recall.
    """
    pairs = region_rows[:, [REGION.index("precision"), REGION.index("recall")]]
    pairs = pairs[np.isfinite(pairs).all(1)]
    if not len(pairs):
        return None
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), size=resamples)
    p, r = (counts @ pairs / len(pairs)).T
    f = np.divide(2 * p * r, p + r, out=np.zeros(resamples), where=p + r > 0)
    return [float(v) for v in np.quantile(f, [0.025, 0.975])]


def _intervals(columns, rows: np.ndarray) -> dict:
    return {
        f"{name}_interval": list(bootstrap_interval(values[np.isfinite(values)]))
        for name, values in zip(columns, rows.T, strict=True)
        if np.isfinite(values).any()
    }


def _map(name: str, image, out: dict, rng) -> np.ndarray:
    if name in out:  # the network's own, CAM and Grad-CAM
        return out[name]
    if name == PREDICTED:
        return out["class_maps"][..., out["detect_probabilities"].argmax()]
    return MAPS[name](image, rng)


def _dicts(rows) -> list[dict]:
    def value(key, v):
        return None if np.isnan(v) else CASES[int(v)] if key == "case" else float(v)

    return [{k: value(k, v) for k, v in zip(REGION, row)} for row in rows]


def _own_and_others(summaries: dict) -> dict:
    own = summaries.pop(OWN, {})
    return own | {"baselines": summaries}
