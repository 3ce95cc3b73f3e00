"""From predictions and truths to the numbers of the report; NumPy only."""

import numpy as np

from jaxsent import emotions
from jaxsent.metrics import classification, detection

ROW = ("mae", "mae_binary", "precision", "recall", "case")


def score(task, outputs: dict[str, np.ndarray]) -> dict:
    """Predictions and truths of N images -> the numbers of the report."""
    truth = outputs["truth"]
    signs = None
    if task.config.data.class_target == "label" and set(task.classes) <= emotions.KNOWN:
        signs = emotions.polarity(task.classes)
    results = class_scores(outputs["class_probabilities"], truth, signs)
    if "ten_crop" in outputs:
        ten = classification.classification_scores(outputs["ten_crop"], truth, polarities=signs)
        for key in ("accuracy", "polarity_accuracy"):
            for name in (key, f"{key}_interval"):
                if name in ten:
                    results[f"ten_crop_{name}"] = ten[name]
    if "detect_probabilities" in outputs and task.config.loss.detect_weight:
        probabilities = outputs["detect_probabilities"]
        if task.config.loss.detect == "polarity":
            positive = probabilities @ task.class_polarity
            probabilities = np.stack([1 - positive, positive], axis=-1)
        scores = classification.classification_scores(probabilities, outputs["detect_truth"])
        results["detection_accuracy"] = scores["accuracy"]
        results["detection_accuracy_interval"] = scores["accuracy_interval"]
    if "rows" in outputs:
        results["sentiment_map"] = _map_scores(task, outputs)
    return results


def class_scores(probabilities, truth, signs=None) -> dict:
    """(N, K), (N,), (K,) -> `classification_scores` and the loss, the mean −log p(truth)."""
    scores = classification.classification_scores(probabilities, truth, polarities=signs)
    known = truth >= 0
    chosen = np.take_along_axis(probabilities[known], truth[known][:, None], axis=1)
    scores["loss"] = float(-np.log(np.maximum(chosen, 1e-30)).mean()) if known.any() else None
    return scores


def _map_scores(task, outputs) -> dict:
    def rows(array):
        return [
            {
                k: None if np.isnan(v) else detection.CASES[int(v)] if k == "case" else float(v)
                for k, v in zip(ROW, values, strict=True)
            }
            for values in array
        ]

    found = rows(outputs["rows"])
    scores = detection.summarise_detection(found)
    scores["cases_by_class"] = detection.cases_by_class(found, outputs["truth"], len(task.classes))
    scores["baselines"] = {
        name: detection.summarise_detection(rows(outputs[f"{name}_rows"]))
        for name in ("centre_box", "random")
    }
    return scores


def map_rows(maps, regions) -> np.ndarray:
    """Maps and regions of b images -> (b, 5) scores in the order of ROW, NaN for None."""
    rows = []
    for m, region in zip(maps, regions, strict=True):
        row = detection.detection_row(m, region)
        if row["case"] is not None:
            row["case"] = detection.CASES.index(row["case"])
        rows.append([np.nan if row[k] is None else row[k] for k in ROW])
    return np.array(rows, np.float64)
