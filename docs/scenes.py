"""Draws scenes.jpg, the README's picture: `python docs/scenes.py runs/demo`.

One scene of each emotion that the demo names right: the scene, and the sentiment map over it.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from configs import wsidnet_demo
from jaxsent import report
from jaxsent.evaluation import evaluate
from jaxsent.run import experiment, initial
from jaxsent.run.checkpoint import Checkpoints

GAP, LABEL = 8, 26


def cell(example) -> np.ndarray:
    """Example -> (S + LABEL, 2 S, 3): the scene, its overlay and the emotion below."""
    pair = np.hstack([example.image, report.overlay(example.image, example.sentiment_map)])
    strip = np.full((LABEL, pair.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, example.label, (2, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 1,
                cv2.LINE_AA)  # fmt: skip
    return np.vstack([pair, strip])


def main(run: str) -> None:
    config = wsidnet_demo.get_config()
    config.eval.examples = 8
    task = experiment.make(config)
    with Checkpoints(Path(run) / "checkpoints") as checkpoints:
        variables = checkpoints.variables(checkpoints.last(), initial.random_variables(task))
    examples = evaluate.collect(task, variables).examples
    right = {e.label: e for e in examples if e.label == e.prediction}
    cells = [cv2.copyMakeBorder(cell(right[name]), 0, GAP, 0, GAP, cv2.BORDER_CONSTANT,
                                value=(255, 255, 255)) for name in task.classes]  # fmt: skip
    rows = [np.hstack(cells[i : i + 2]) for i in range(0, len(cells), 2)]
    sheet = np.vstack([np.hstack(rows[:2]), np.hstack(rows[2:])])
    path = Path(__file__).with_name("scenes.jpg")
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(path)


if __name__ == "__main__":
    main(sys.argv[1])
