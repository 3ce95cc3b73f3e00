"""Maps of the same images side by side: the network's own, and those it is compared with.

A map is scored against the true region (detection) and against fixations (attention), whatever of
the two a data set has, one row of numbers an image; rows are arrays, so that hosts can gather them.

All maps share one geometry: they are of the whole image, squashed to the network's input where a
network made them, and are scored at the photograph's own size ("at all locations", WSCNet IV-B3).
"""

import concurrent.futures
import zlib
from types import MappingProxyType

import numpy as np

from jaxsent.baselines.saliency import MAPS
from jaxsent.data import augment
from jaxsent.data.elements import grey_map
from jaxsent.metrics import bootstrap_interval, detection
from jaxsent.metrics.attention import HIGHER_IS_BETTER, attention_row, summarise_attention
from jaxsent.metrics.detection import CASES, ORDERS, detection_row, summarise_detection
from jaxsent.metrics.specificity import SPECIFICITY, specificity_row
from jaxsent.models import explain

OWN = "sentiment_map"
PREDICTED = "predicted_class"
"""The class map of the detection branch's likeliest class, instead of the weighted sum."""

COMPARED = (PREDICTED, *explain.MAPS, *MAPS)
TRUTHS = ("region", "fixation_map", "fixations")
REGION = ("mae", "mae_binary", "precision", "recall", "case")
ATTENTION = tuple(HIGHER_IS_BETTER)


def scored(out: dict, compared) -> tuple[str, ...]:
    """Names of the maps that are scored: the network's own where it has one, and `compared`."""
    own = (OWN,) if OWN in out else ()
    return own + tuple(n for n in compared if n != PREDICTED or "detect_probabilities" in out)


def rows(
    names, batch: dict, out: dict, seed: int, cases: str = ORDERS[0], outside=MappingProxyType({})
) -> dict[str, np.ndarray]:
    """Scores of b images' maps -> region_rows (b, M, 5) and attention_rows (b, M, 6), as there are
    truths in the batch; NaN where a score is not defined and in padded rows.

    With class maps of the truth's own classes and regions also specificity_rows (b, 4), and overlap
    (b, 2): precision and recall of the network's own map on the region or the fixation map.

    Args:
      names: the M maps.
      batch: of eval_batches with `whole`: photograph, mask, file and what it has of TRUTHS.
      out: predictions of inference.predict_step on `whole`; map_truth (b,), the true class map's
        index, -1 where there is none.
      seed: of what is drawn at random; an image's draws hang on its name alone.
      cases: the order of the five cases, of metrics.detection.ORDERS.
      outside: maps of compared_maps.open_outside, by those of the names that they have.
    """
    b, m = len(batch["mask"]), len(names)
    scores = {}
    if "region" in batch:
        scores["region_rows"] = np.full((b, m, len(REGION)), np.nan)
    if "region" in batch and "class_maps" in out:
        scores["specificity_rows"] = np.full((b, len(SPECIFICITY)), np.nan)
    if "fixations" in batch:
        scores["attention_rows"] = np.full((b, m, len(ATTENTION)), np.nan)
    if OWN in out:
        scores["overlap"] = np.full((b, 2), np.nan)

    def score(i: int) -> None:
        file = str(batch["file"][i])
        photograph = augment.decode(batch["photograph"][i], file)
        truths = {t: truth_map(batch, t, i, photograph.shape) for t in TRUTHS if t in batch}
        outputs = {name: values[i] for name, values in out.items()}
        for m, name in enumerate(names):
            rng = np.random.default_rng([seed, zlib.crc32(file.encode())])
            if name in outside:
                map = outside[name](file, photograph.shape[:2])
            else:
                map = _map(name, photograph, outputs, rng)
            if "region" in truths:
                scores["region_rows"][i, m] = region_row(map, truths["region"], cases)
            if "fixations" in truths:
                fixated = truths["fixations"] >= 128
                scores["attention_rows"][i, m] = fixation_row(
                    map, fixated, truths["fixation_map"], rng
                )
        region = truths.get("region", truths.get("fixation_map"))
        if OWN in out and region is not None:
            row = detection_row(outputs[OWN], region)
            scores["overlap"][i] = _numbers(row, ("precision", "recall"))
        if "specificity_rows" in scores and outputs["map_truth"] >= 0:
            row = specificity_row(outputs["class_maps"], truths["region"], outputs["map_truth"])
            scores["specificity_rows"][i] = _numbers(row, SPECIFICITY)

    if scores:  # NumPy and OpenCV leave Python's lock while they compute
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(score, np.flatnonzero(batch["mask"])))
    return scores


def truth_map(batch: dict, name: str, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """A truth of TRUTHS of a batch's i-th image, of its size (H, W), uint8. Raises UserError."""
    return grey_map(batch[name][i], name, str(batch["file"][i]), shape)


def region_row(map, truth, cases: str = ORDERS[0]) -> list[float]:
    """(h, w), (H, W) -> the scores in the order of REGION, the case by its number in CASES."""
    row = detection_row(map, truth, cases)
    if row["case"] is not None:
        row["case"] = CASES.index(row["case"])
    return _numbers(row, REGION)


def fixation_row(map, fixations, fixation_map, rng) -> list[float]:
    """(h, w), (H, W) bool, (H, W) -> the scores in the order of ATTENTION."""
    return _numbers(attention_row(map, fixations, fixation_map, rng), ATTENTION)


def _numbers(row: dict, names) -> list[float]:
    return [np.nan if row[name] is None else row[name] for name in names]


def summarise(names, outputs: dict, truth, num_classes: int) -> dict:
    """All images' rows -> {"sentiment_map": …, "attention": …}, what there is of the two.

    Each of the two is the summary of the network's own map, with "baselines": {name: summary} of
    the others; the first also has "cases_by_class", and their mean over the classes, where `truth`
    (N,) gives the class. With class maps of the truth's classes also "specificity": how well the
    true class's map finds the region, and the others'. Every number comes with its 95 % interval
    over images, as <name>_interval.
    """
    results = {}
    if "region_rows" in outputs:
        dicts = {name: _dicts(outputs["region_rows"][:, m]) for m, name in enumerate(names)}
        summaries = {name: summarise_detection(rows) for name, rows in dicts.items()}
        for m, name in enumerate(names):
            summaries[name] |= _intervals(REGION[:-1], outputs["region_rows"][:, m, :-1])
            summaries[name]["f_interval"] = f_interval(outputs["region_rows"][:, m])
        if OWN in dicts and truth is not None:
            by_class = detection.cases_by_class(dicts[OWN], truth, num_classes)
            summaries[OWN]["cases_by_class"] = by_class
            summaries[OWN]["cases_over_classes"] = detection.mean_cases(by_class)
        results["sentiment_map"] = _own_and_others(summaries)
    if "specificity_rows" in outputs:
        table = outputs["specificity_rows"][np.isfinite(outputs["specificity_rows"]).any(1)]
        results["specificity"] = _means(SPECIFICITY, table) | {"count": len(table)}
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


def _means(columns, rows: np.ndarray) -> dict:
    """Each column's mean over the rows that have it, with its interval."""
    means = {
        name: float(values[np.isfinite(values)].mean())
        for name, values in zip(columns, rows.T, strict=True)
        if np.isfinite(values).any()
    }
    return means | _intervals(columns, rows)


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
        return out["class_maps"][..., out["map_probabilities"].argmax()]
    return MAPS[name](image, rng)


def _dicts(rows) -> list[dict]:
    def value(key, v):
        return None if np.isnan(v) else CASES[int(v)] if key == "case" else float(v)

    return [{k: value(k, v) for k, v in zip(REGION, row)} for row in rows]


def _own_and_others(summaries: dict) -> dict:
    own = summaries.pop(OWN, {})
    return own | {"baselines": summaries}
