"""Every network, baseline and variant on OASIS and emoji_scenes, with a frozen backbone.

    python benchmarks/experiment.py --source FOLDER_OF_OASIS --out runs/experiment

Each backbone runs once over eight crops and the centre of every photograph (jaxsent/training/
crops.py); what is above it is then trained with train_step, by the recipe of configs/*_oasis.py.
On OASIS each of the five folds by theme is test once. Learning rate, weight decay and epochs of a
kind of network are those of the lowest log loss on the four training folds, each left out in turn;
a network trained without the folds j and k counts in the choices for both. Every result is a line
of results.jsonl; called again it goes on with what is missing. Tables and plots of
docs/experiments.md are by benchmarks/experiment_report.py.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import rich.progress

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.experiment_features import Photographs, photographs
from benchmarks.experiment_studies import (
    LARGE,
    OF_WSIDNET,
    SCENES,
    SIZES,
    SMALL,
    Study,
    Variant,
    emoji_scenes,
    oasis,
    validated,
)
from benchmarks.experiment_training import Runs, log_loss
from jaxsent.baselines import svm
from jaxsent.console import console
from jaxsent.evaluation.maps import region_row
from jaxsent.metrics import pointing
from jaxsent.run import experiment

TARGETS = {"label": np.int32, "polarity": np.int32, "valence": np.float32}


class Results:
    """The lines of results.jsonl, by what they are of."""

    def __init__(self, path: Path):
        self.path, self.lines = path, {}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]  # a call that was stopped may leave half a line
        if whole != text:
            path.write_text(whole)
        for line in whole.splitlines():
            value = json.loads(line)
            self.lines[self._key(value)] = value

    def __contains__(self, key: dict) -> bool:
        return self._key(key) in self.lines

    def __getitem__(self, key: dict) -> dict:
        return self.lines[self._key(key)]

    def add(self, key: dict, value: dict) -> None:
        self.lines[self._key(key)] = key | value
        with self.path.open("a") as file:
            file.write(json.dumps(key | value) + "\n")

    @staticmethod
    def _key(value: dict) -> tuple:
        names = ("kind", "set", "backbone", "variant", "fold", "seed", "pair")
        names += ("setting",) * (value["kind"] == "inner")  # that of a test follows from these
        return tuple(json.dumps(value.get(name)) for name in names)


def run(study: Study, results: Results, load) -> int:
    """Trains and tests what is missing; `load()` -> Photographs. Returns how many were trained.

    A test by settings that are no longer those chosen is made again.
    """
    plan = list(_plan(study))
    data, arrays, runs, current, trained = None, None, None, None, 0
    progress = rich.progress.track(
        plan, f"{study.name} {study.backbone}", console=console, disable=not console.is_terminal
    )
    for variant, key in progress:
        inner = key["kind"] == "inner"
        setting = key["setting"] if inner else chosen(study, results, variant.kind, key["fold"])
        if key in results and (inner or results[key]["setting"] == list(setting)):
            continue
        began = time.perf_counter()
        if data is None:
            data = load()
            arrays = _on_device(data)
            _write_columns(results.path.with_name(f"{study.name}.columns.json"), data)
        if current != variant.name:
            runs, current = Runs(study, variant, data, arrays), variant.name
        if inner:
            results.add(key, _inner(runs, data, key))
        else:
            results.add(key, {"setting": setting} | _test(runs, data, key, setting))
        trained += 1
        if not console.is_terminal:
            print(variant.name, key, f"{time.perf_counter() - began:.1f} s", flush=True)
    return trained


def _on_device(data: Photographs) -> dict:
    targets = {name: jnp.asarray(data.columns[name].astype(t)) for name, t in TARGETS.items()}
    return {"crops": {k: jnp.asarray(v) for k, v in data.crops.items()}, "targets": targets}


def _write_columns(path: Path, data: Photographs) -> None:
    """What the report needs of the photographs."""
    columns = {name: values.tolist() for name, values in data.columns.items()}
    path.write_text(json.dumps(columns, default=lambda text: text.decode()))


def _plan(study: Study) -> Iterator[tuple[Variant, dict]]:
    for variant in study.variants:
        key = {"set": study.name, "backbone": study.backbone, "variant": variant.name}
        if variant.kind == variant.name:
            for pair, setting in itertools.product(study.pairs, study.grid):
                yield variant, {"kind": "inner", **key, "pair": pair, "setting": setting}
        for fold, seed in itertools.product(study.folds, range(study.seeds)):
            yield variant, {"kind": "test", **key, "fold": fold, "seed": seed}


def _inner(runs: Runs, data: Photographs, key: dict) -> dict:
    """Log loss and accuracy on each of the pair's folds, of a network that learnt from neither."""
    tested = validated(runs.study, key["pair"])
    out = runs(key["pair"], key["setting"], 0, tested)
    places = np.isin(data.columns["fold"], tested)
    fold, truth = data.columns["fold"][places], data.columns[runs.target][places]
    scores = {}
    for j in tested:
        p, t = out["class"][fold == j], truth[fold == j]
        scores[str(j)] = [log_loss(p, t), float((p.argmax(1) == t).mean()), len(t)]
    return {"scores": scores}


def chosen(study: Study, results: Results, kind: str, fold: int) -> tuple[float, ...]:
    """Settings of the lowest log loss on the folds other than `fold`, by networks without it."""
    key = {"kind": "inner", "set": study.name, "backbone": study.backbone, "variant": kind}

    def loss(setting):
        lines = [
            results[key | {"pair": pair, "setting": setting}]["scores"]
            for pair in study.pairs
            if fold in pair
        ]
        scores = [score for line in lines for j, score in line.items() if j != str(fold)]
        return sum(s[0] * s[2] for s in scores) / sum(s[2] for s in scores)

    return min(study.grid, key=loss)


def _test(runs: Runs, data: Photographs, key: dict, setting) -> dict:
    """Predictions of the fold's photographs, and where regions are known the maps' scores."""
    fold = key["fold"]
    out = runs((fold,), setting, key["seed"], (fold,))
    places = np.flatnonzero(data.columns["fold"] == fold)
    if not all(np.isfinite(values).all() for values in out.values()):
        return {"diverged": True}
    value = {name: np.round(out[name], 5).tolist() for name in ("class", "detect") if name in out}
    if "interaction" in out:
        value["spread"] = [spread(out["holistic"]), spread(out["interaction"])]
    if "map" in out and data.regions is not None:
        rows = [region_row(m, data.regions[i]) for m, i in zip(out["map"], places)]
        value["region"] = np.round(np.array(rows)[:, :4], 5).tolist()
        hits = [pointing(m, data.regions[i]) for m, i in zip(out["map"], places)]
        value["pointing"] = [None if h is None else float(h) for h in hits]
    return value


def spread(logits: np.ndarray) -> float:
    """(N, K) -> standard deviation over photographs of the logits less their mean over classes."""
    return round(float((logits - logits.mean(1, keepdims=True)).std(0).mean()), 6)


# Baselines --------------------------------------------------------------------------------------


def baselines(study: Study, results: Results, load) -> int:
    """SVMs and logistic regression of the embedding, and SVMs of colours; as `run`."""
    missing = [
        {"kind": "test", "set": study.name, "backbone": study.backbone, "variant": name,
         "fold": fold, "seed": 0}
        for name, fold in itertools.product(BASELINES, study.folds)
    ]  # fmt: skip
    missing = [key for key in missing if key not in results]
    if not missing:
        return 0
    data = load()
    fold, truth = data.columns["fold"], data.columns[study.config.data.class_target]
    builder = experiment.make(study.config).builder
    features = {"embedding": data.views["embedding"]}
    for key in missing:
        feature, fit = BASELINES[key["variant"]]
        if feature not in features:
            splits = [svm.read(builder, feature, split) for split in ("train", "test")]
            features[feature] = np.concatenate(splits)
        x, known = features[feature], fold != key["fold"]
        scores = fit(x, truth, fold, known)(x[~known])
        results.add(key, {"decision": np.round(scores, 5).tolist()})
    return len(missing)


def _svm(kernel, scaled, x, y, fold, known):
    return svm.fit(x[known], y[known], kernel, scaled).decision_function


def _logistic(x, y, fold, known):
    """Standardised features; the penalty of the lowest log loss on the folds left out in turn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fitted(c, rows):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300))
        return model.fit(x[rows], y[rows])

    def loss(c):
        folds = [(known & (fold != j), known & (fold == j)) for j in np.unique(fold[known])]
        return np.mean([log_loss(y[b], fitted(c, a).predict_proba(x[b])) for a, b in folds])

    return fitted(min((1e-4, 1e-3, 1e-2, 1e-1), key=loss), known).decision_function


BASELINES = {
    "SVM, linear": ("embedding", partial(_svm, "linear", False)),
    "SVM, RBF": ("embedding", partial(_svm, "rbf", False)),
    "logistic regression": ("embedding", _logistic),
    "colours, global (GCH)": ("gch", partial(_svm, "rbf", False)),
    "colours, local (LCH)": ("lch", partial(_svm, "rbf", False)),
    "principles of art": ("principles", partial(_svm, "rbf", True)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="the folder of OASIS")
    parser.add_argument("--out", type=Path, default=Path("runs/experiment"))
    options = parser.parse_args()
    jax.config.update("jax_compilation_cache_dir", str(options.out / "xla"))
    results = Results(options.out / "results.jsonl")
    small, large = (partial(oasis, b, options.source, options.out) for b in SIZES)
    scenes = partial(emoji_scenes, options.out)
    studies = small(SMALL), large(LARGE), scenes(SCENES), small(OF_WSIDNET)
    held = {}

    def load(study):
        if (study.name, study.backbone) not in held:
            held.clear()  # a study's features take a gigabyte
            most = 800 if study.name == "emoji_scenes" else None
            held[study.name, study.backbone] = photographs(study, most)
        return held[study.name, study.backbone]

    for study in studies:
        if study.name == "oasis":
            baselines(study, results, partial(load, study))
        run(study, results, partial(load, study))
    console.print(f"{len(results.lines)} results in {results.path}")


if __name__ == "__main__":
    main()
