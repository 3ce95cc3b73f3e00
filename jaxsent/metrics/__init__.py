"""Metrics as pure NumPy functions; rows and sums with counts, so nothing depends on batch size."""

from jaxsent.metrics.classification import (
    accuracy,
    bootstrap_interval,
    classification_scores,
    confusion_matrix,
    macro_f1,
    per_class_recall,
    polarity_accuracy,
)
from jaxsent.metrics.detection import (
    CASES,
    binarise,
    cases_by_class,
    centre_box,
    detection_row,
    detection_scores,
    min_max,
    otsu,
    random_map,
    resize_map,
    summarise_detection,
)

__all__ = [
    "CASES",
    "accuracy",
    "binarise",
    "bootstrap_interval",
    "cases_by_class",
    "centre_box",
    "classification_scores",
    "confusion_matrix",
    "detection_row",
    "detection_scores",
    "macro_f1",
    "min_max",
    "otsu",
    "per_class_recall",
    "polarity_accuracy",
    "random_map",
    "resize_map",
    "summarise_detection",
]
