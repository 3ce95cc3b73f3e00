"""How well maps without learning tell where people look.

    python benchmarks/attention.py --source ../shared/data/scene [--markdown]

Scores every map of jaxsent.baselines.saliency, and those of the model of photographs, by the six
metrics of WSCNet's Table V and by NSS: means over the photographs of a folder in the layout of
jaxsent.data.fixations. A rank stands behind each value of the six. CPU milliseconds leave out the
time that a busy machine gave to others.

Photographs are scaled to 448 pixels on the longer side, the networks' input, so that EMD's cells of
32 pixels are 1/14 of it everywhere. Fixation maps: a Gaussian of one degree of visual angle, read
as 35 of 1024 pixels, the display of MIT1003 (Judd et al., ICCV 2009), as the set does not tell its
own. All fixations count, the first too.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from jaxsent import metrics
from jaxsent.baselines.saliency import MAPS, centre_gaussian
from jaxsent.data import fixations
from jaxsent.errors import UserError
from jaxsent.export import weights_file
from jaxsent.metrics import HIGHER_IS_BETTER
from jaxsent.models import explain
from jaxsent.models.inference import normalise
from jaxsent.prediction.predictor import SHIPPED, look
from jaxsent.run.card import card_of

SIDE = 448  # pixels
DEGREE = SIDE * 35 / 1024  # pixels
TITLES = {
    "auc_judd": "AUC-Judd",
    "auc_borji": "AUC-Borji",
    "cc": "CC",
    "sim": "SIM",
    "emd": "EMD",
    "kl": "KL",
}


def score(source: str) -> tuple[dict[str, dict], dict[str, float]]:
    """A folder -> each map's `metrics.attention_scores` and its CPU milliseconds per photograph."""
    maps = MAPS | learnt()
    rows, seconds = {name: [] for name in maps}, dict.fromkeys(maps, 0.0)
    rng = np.random.default_rng(0)
    for viewed in fixations.read(source, SIDE):
        shape = viewed.image.shape[:2]
        mask = fixations.fixation_mask(viewed.points, shape)
        truth = fixations.fixation_map(viewed.points, shape, DEGREE)
        for name, make in maps.items():
            began = time.process_time()
            map = make(viewed.image, rng)
            seconds[name] += time.process_time() - began
            whole = metrics.resize_map(map, shape)
            row = metrics.attention_row(map, mask, truth, rng)
            rows[name].append(row | {"nss": metrics.nss(whole, mask)})
    count = len(rows["random"])
    return (
        {
            name: metrics.summarise_attention(each)
            | {"nss": float(np.nanmean([row["nss"] for row in each]))}
            for name, each in rows.items()
        },
        {name: total / count * 1000 for name, total in seconds.items()},
    )


def learnt() -> dict:
    """The model of photographs: {name: map (H, W, 3), rng -> (h, w)} of what it predicts.

    "photographs" is its sentiment map, the class activation map of the predicted class;
    "… evidence" that map without its sign, so that places that speak against count as well;
    "… × centre" times centre_gaussian, which tells whether a map knows more than the middle;
    "… Grad-CAM" Grad-CAM on the last map.
    """
    metadata, model, variables = weights_file.read(SHIPPED)
    card, described = card_of(metadata, SHIPPED), metadata["input"]

    @jax.jit
    def both(variables, pixels):
        images = normalise(pixels, tuple(described["mean"]), tuple(described["std"]))
        outputs = model.apply(variables, images)
        classes = outputs["class_logits"].argmax(-1)
        gradients = explain.grad_cam(model, variables, images, classes, tap="head")
        return outputs["sentiment_map"][0], gradients[0]

    resident = jax.device_put(variables)

    def map_of(image, which):
        return np.asarray(both(resident, look(image, card).pixels[None])[which])

    def centred(image, rng):
        whole = metrics.min_max(metrics.resize_map(map_of(image, 0), image.shape[:2]))
        return whole * centre_gaussian(image)

    return {
        "photographs": lambda image, rng: map_of(image, 0),
        "photographs, evidence": lambda image, rng: np.abs(map_of(image, 0)),
        "photographs × centre": centred,
        "photographs, Grad-CAM": lambda image, rng: map_of(image, 1),
    }


def table(scores: dict[str, dict], ms: dict[str, float]) -> list[list[str]]:
    """Scores -> rows of text with a header; the best average rank first."""
    ranks, average = metrics.attention_ranks(scores), metrics.average_rank(scores)
    arrows = [f"{TITLES[m]} {'↑' if up else '↓'}" for m, up in HIGHER_IS_BETTER.items()]
    rows = [["map", *arrows, "AVG", "NSS ↑", "CPU ms a map"]]
    for name in sorted(scores, key=average.get):
        cells = [f"{scores[name][m]:.3f} ({ranks[name][m]:g})" for m in HIGHER_IS_BETTER]
        tail = f"{average[name]:.2f}", f"{scores[name]['nss']:.3f}", f"{ms[name]:.0f}"
        rows.append([name, *cells, *tail])
    return rows


def show(rows: list[list[str]], markdown: bool) -> str:
    """Rows of cells -> a table, aligned or in Markdown."""
    if markdown:
        header, *body = rows
        rows = [header, ["---", *["---:"] * (len(header) - 1)], *body]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:]))]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="folder of images/ and fixations.csv")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    options = parser.parse_args()
    try:
        scores, ms = score(options.source)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.status
    print(show(table(scores, ms), options.markdown))
    print(
        f"\n{scores['random']['count']} photographs, {scores['random']['no_fixation']} without a "
        f"fixation; {SIDE} pixels on the longer side; sigma {DEGREE:.1f} pixels."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
