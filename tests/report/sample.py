"""A made-up run of eight emotions, as the report is given it."""

import cv2
import numpy as np

from jaxsent import metrics
from jaxsent.emotions import MIKELS, polarity
from jaxsent.report import Example
from jaxsent.report.units import Unit

SIDE = 224


def scene(rng):
    """(S, S, 3) uint8 and (S, S) uint8: one bright disc before a dim gradient, and its mask."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    dim = np.stack([60 + 70 * x, 80 + 60 * y, 110 + 40 * x * y], axis=-1)
    image = np.ascontiguousarray(dim.astype(np.uint8))
    region = np.zeros((SIDE, SIDE), np.uint8)
    centre = tuple(int(v) for v in rng.integers(60, SIDE - 60, 2))
    radius = int(rng.integers(24, 56))
    colour = tuple(int(v) for v in rng.integers(120, 255, 3))
    cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
    cv2.circle(region, centre, radius, 255, -1, cv2.LINE_AA)
    return image, region


def sample(count=300, shown=8, seed=0) -> dict:
    """The arguments of `write_report` for a made-up run of eight emotions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, count)
    logits = rng.normal(size=(count, 8)) + 2.2 * np.eye(8)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    results = metrics.classification_scores(probabilities, labels, polarities=polarity(MIKELS))
    rows, boxes, noise, examples = [], [], [], []
    for i in range(60):
        image, region = scene(rng)
        small = cv2.resize(region, (14, 14), interpolation=cv2.INTER_AREA) / 255
        shifted = np.roll(small, rng.integers(-2, 3, 2), axis=(0, 1))
        map = cv2.GaussianBlur(shifted, (0, 0), 0.8) + 0.08 * rng.random((14, 14))
        rows.append(metrics.detection_row(map, region))
        boxes.append(metrics.detection_row(metrics.centre_box(region.shape), region))
        noise.append(metrics.detection_row(metrics.random_map(region.shape, rng), region))
        predicted = int(probabilities[i].argmax())
        class_maps = map[..., None] * logits[i] / 4
        kind = ("best" if predicted == labels[i] else "worst") if i % 4 else "random"
        if [e.kind for e in examples].count(kind) < shown:
            examples.append(
                Example(
                    image=image,
                    sentiment_map=map,
                    class_maps=class_maps,
                    map_probabilities=np.roll(probabilities[i], 1),
                    overlap=np.array([rows[-1]["precision"], rows[-1]["recall"]], float),
                    region=region,
                    label=MIKELS[labels[i]],
                    prediction=MIKELS[predicted],
                    probability=float(probabilities[i].max()),
                    probabilities=probabilities[i],
                    file=f"{MIKELS[labels[i]]}/scene_{i:05d}.png",
                    kind=kind,
                )
            )
    results |= {
        "ece": metrics.expected_calibration_error(probabilities, labels),
        "reliability": metrics.reliability(probabilities, labels),
        "attention": {
            "auc_judd": 0.71,
            "auc_borji": 0.69,
            "cc": 0.41,
            "sim": 0.39,
            "emd": 2.1,
            "kl": 1.02,
            "count": 62,
            "no_fixation": 2,
            "baselines": {
                "random": {
                    "auc_judd": 0.5,
                    "auc_borji": 0.5,
                    "cc": 0.0,
                    "sim": 0.2,
                    "emd": 4.5,
                    "kl": 2.2,
                }
            },
        },
        "specificity": {
            "pointing": 0.62,
            "pointing_others": 0.31,
            "region_auc": 0.83,
            "region_auc_others": 0.55,
            "count": 300,
        },
        "model": "wsidnet",
        "data": "emoji_scenes",
        "split": "test",
        "classes": list(MIKELS),
        "detect_classes": list(MIKELS),
        "ten_crop_accuracy": 0.9267,
        "ten_crop_accuracy_interval": [0.897, 0.953],
        "detection_accuracy": 0.874,
        "loss": 0.3127,
        "step": 4000,
        "seconds": 3725.0,
        "sentiment_map": metrics.summarise_detection(rows)
        | {
            "cases_by_class": metrics.cases_by_class(rows, labels[:60], 8),
            "baselines": {
                "centre_box": metrics.summarise_detection(boxes),
                "random": metrics.summarise_detection(noise),
            },
        },
    }
    curves = []
    for step in range(10, 4001, 10):
        wave = float(rng.normal() * 0.05)
        curves.append(
            {
                "step": step,
                "split": "train",
                "loss": 2.1 * float(np.exp(-step / 900)) + 0.12 + wave * 0.8,
                "accuracy": 0.97 - 0.85 * float(np.exp(-step / 700)) + wave * 0.4,
                "learning_rate": 1e-3 * (1 + float(np.cos(np.pi * step / 4000))) / 2,
                "images_per_second": 410.0,
            }
        )
        if step % 250 == 0:
            loss = 1.8 * float(np.exp(-step / 1000)) + 0.31
            shown_accuracy = 0.92 - 0.8 * float(np.exp(-step / 800))
            curves.append({"step": step, "split": "test", "loss": loss, "accuracy": shown_accuracy})
    return {
        "title": "WSIDNet on emoji scenes",
        "results": results,
        "curves": curves,
        "examples": examples,
        "chosen_units": [
            Unit(label, number, scene(rng)[0], rng.random((14, 14)), None, f"{label}-{number}.png")
            for label in (0, 3)
            for number in range(4)
        ],
        "config": {"seed": 0, "model": {"name": "wsidnet"}, "train": {"batch_size": 32}},
        "environment": {
            "command": "python run.py --config configs/wsidnet_emoji.py --workdir runs/emoji",
            "jax": "0.10.2",
            "device": "NVIDIA H100 80GB HBM3",
            "git_commit": "0123456789abcdef",
        },
    }
