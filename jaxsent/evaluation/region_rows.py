"""Rows that look at a photograph and at a region of it, by one trained network of ours.

The regions are proposals, of which the network's own answers choose one (Sun et al., Yang et al.),
or what is salient (Wu et al.): `baselines.regions`.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxsent import emotions
from jaxsent.baselines import outside_maps, regions, svm
from jaxsent.baselines.boxes import Boxes, rasterise
from jaxsent.baselines.proposals import propose
from jaxsent.baselines.saliency import MAPS
from jaxsent.data import records
from jaxsent.data.batches import class_names
from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from jaxsent.evaluation import maps, rows, scoring
from jaxsent.evaluation.region_answers import IMAGES, Answers, Network, RegionsOf, answer, open_run
from jaxsent.metrics import classification
from jaxsent.paper.table import GEOMETRY, REGIONAL

BESIDE = ("centre_box", "random")  # maps that are scored beside the regions'
FUSIONS = (*regions.FUSIONS, regions.FEATURES)


def proposed_regions(file: str, image: np.ndarray) -> Boxes:
    """The proposals of every image, see `propose`; a RegionsOf."""
    return propose(image)


def salient_regions(saliency: str, files: Callable[[], list[str]]) -> RegionsOf:
    """The salient box of every image, by a map of MAPS or maps of the user's own.

    Args:
      saliency: a name of MAPS that is not random, or a path as outside_maps.open_maps takes it.
      files: gives the names of all images.

    Raises:
      UserError: there is neither such a map nor such a path, or an image has no map there.
    """
    if saliency in MAPS and saliency != "random":
        return lambda file, image: regions.salient_box(MAPS[saliency](image, None), image.shape[:2])
    path = Path(saliency).expanduser()
    if not path.exists():
        known = ", ".join(name for name in MAPS if name != "random")
        raise UserError(f"--saliency {saliency}: expected one of {known}, or maps of yours.")
    map_of = outside_maps.open_maps("--saliency", path, files())
    return lambda file, image: regions.salient_box(map_of(file, image.shape[:2]), image.shape[:2])


def evaluate(
    kind: str,
    run: Path,
    builder,
    fusion: str,
    saliency: str = "gbvs",
    kernel: str = "rbf",
    target: str | None = None,
    train: str = "train",
    test: str = "test",
) -> tuple[dict, dict]:
    """Scores a row on one split of a prepared set; of FEATURES, an SVM learns another split first.

    Args:
      kind: one of REGIONAL.
      run: folder of the network's run.
      builder: the set, of `prepare`, of the classes that the network knows.
      fusion: one of FUSIONS.
      saliency: of global_local, see `salient_regions`.
      kernel: of the SVM.
      target: "label" or "polarity" where the network has to tell this; None for what it tells.
      train, test: names of splits.

    Returns:
      Results as of `evaluate.evaluate`, without the report's own keys, with "whole_accuracy", the
      network's on the whole photographs alone, "fusion" and the maps of the boxes; and outputs, as
      rows.write_predictions and rows.write_maps take them, with "maps", the names of the latter.

    Raises:
      UserError: a name that is not known, a run or a set that does not fit.
    """
    for name, value, known in (("baseline", kind, REGIONAL), ("--fusion", fusion, FUSIONS)):
        if value not in known:
            raise UserError(f"{name} {value}: expected one of {', '.join(known)}.")
    learnt = fusion == regions.FEATURES
    network = open_run(run, learnt)
    if target not in (None, network.target):
        raise UserError(f"{run}: its network tells {network.target}, expected {target}.")
    _check_classes(network, builder, run)
    splits = (train, test) if learnt else (test,)
    truths = {split: svm.targets(builder, split, network.target) for split in splits}  # not empty
    if kind == "affective_regions":
        regions_of = proposed_regions
    else:
        regions_of = salient_regions(
            saliency, lambda: sum((records.names(builder, split) for split in splits), [])
        )
    answers = answer(network, builder, test, regions_of)
    signs = None
    if network.target == "label" and set(network.classes) <= emotions.KNOWN:
        signs = emotions.polarity(network.classes)
    if learnt:
        known = truths[train] >= 0
        learning = answer(network, builder, train, regions_of)
        machine = svm.fit(learning.features[known], truths[train][known], kernel)
        fused = np.eye(len(network.classes))[machine.predict(answers.features)]
        scores = classification.classification_scores(fused, answers.truth, polarities=signs)
    else:
        fused = regions.FUSIONS[fusion](answers.whole, answers.region)
        scores = scoring.class_scores(fused, answers.truth, signs)
    whole = classification.classification_scores(answers.whole, answers.truth)
    outputs = {
        "file": rows.as_bytes(answers.file), "truth": answers.truth, "class_probabilities": fused,
    }  # fmt: skip
    outputs |= _score_maps(builder, test, answers)
    results = {
        "model": kind,
        "network": run.resolve().name,
        "split": test,
        "classes": network.classes,
        "fusion": fusion,
        "whole_accuracy": whole["accuracy"],
        "geometry": GEOMETRY,
        **maps.summarise(outputs["maps"], outputs, answers.truth, len(network.classes)),
        **scores,
    }
    return results, outputs


def _check_classes(network: Network, builder, run: Path) -> None:
    names = tuple(POLARITY if network.target == "polarity" else class_names(builder))
    if names != network.classes:
        raise UserError(
            f"{run}: its network tells {', '.join(network.classes)} apart, and "
            f"{builder.info.full_name} has {', '.join(names)}; take a network of these classes."
        )


def _score_maps(builder, split: str, answers: Answers) -> dict:
    """Scores of the maps that the boxes are, where the set has regions or fixations, by maps.rows;
    "maps": their names."""
    truths = [name for name in maps.TRUTHS if name in builder.info.features]
    if not truths:
        return {"maps": ()}
    boxes = dict(zip(answers.file, answers.boxes, strict=True))

    def map_of(file, shape):
        return rasterise(boxes[file], shape, file)

    names = (maps.OWN, *BESIDE)
    scores = []
    examples = iter(records.source(builder, split))
    while stored := list(itertools.islice(examples, IMAGES)):
        batch = {name: [raw[name] for raw in stored] for name in truths}
        batch["photograph"] = [raw["image"] for raw in stored]
        batch["file"] = [records.text(raw["file"]) for raw in stored]
        batch["mask"] = np.ones(len(stored), bool)
        scores.append(maps.rows(names, batch, {}, 0, outside={maps.OWN: map_of}))
    joined = {name: np.concatenate([part[name] for part in scores]) for name in scores[0]}
    return {"maps": names} | joined
