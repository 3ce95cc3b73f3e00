"""From predictions and truths to the numbers of the report; NumPy only."""

import numpy as np

from jaxsent import emotions
from jaxsent.evaluation import maps
from jaxsent.metrics import classification
from jaxsent.metrics.calibration import expected_calibration_error, reliability
from jaxsent.metrics.regression import regression_scores


def score(task, outputs: dict[str, np.ndarray], scored: tuple[str, ...] = ()) -> dict:
    """Predictions and truths of N images, names of the M maps scored -> the report's numbers."""
    truth = outputs["truth"]
    results = maps.summarise(scored, outputs, truth, len(task.classes))
    if "class_probabilities" not in outputs:  # a network that learnt maps alone
        return results | {"count": len(truth)}
    signs = None
    if task.config.data.class_target == "label" and set(task.classes) <= emotions.KNOWN:
        signs = emotions.polarity(task.classes)
    results |= class_scores(outputs["class_probabilities"], truth, signs)
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
    if "affect" in outputs:
        columns = zip(task.config.model.regress, outputs["affect"].T, outputs["ratings"].T)
        results["affect"] = {name: regression_scores(p, t) for name, p, t in columns}
    return results


def class_scores(probabilities, truth, signs=None) -> dict:
    """(N, K), (N,), (K,) -> `classification_scores`, the loss (mean −log p(truth)), calibration."""
    scores = classification.classification_scores(probabilities, truth, polarities=signs)
    known = truth >= 0
    chosen = np.take_along_axis(probabilities[known], truth[known][:, None], axis=1)
    scores["loss"] = float(-np.log(np.maximum(chosen, 1e-30)).mean()) if known.any() else None
    scores["ece"] = expected_calibration_error(probabilities, truth)
    scores["reliability"] = reliability(probabilities, truth)
    return scores
