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
import dataclasses
import itertools
import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import rich.progress

sys.path.insert(0, str(Path(__file__).parents[1]))

from configs import wsidnet_demo, wsidnet_oasis
from jaxsent import emotions
from jaxsent.baselines import svm
from jaxsent.console import console
from jaxsent.data import augment, records
from jaxsent.data.batches import eval_batches
from jaxsent.evaluation.maps import region_row
from jaxsent.metrics import pointing
from jaxsent.models import stored
from jaxsent.run import experiment, folder, initial, sharding
from jaxsent.run.state import TrainState
from jaxsent.training import crops, optim
from jaxsent.training.step import train_step

CROPS = 8
SIZES = {"efficientnet_lite0": 224, "efficientnet_lite2": 260}
GRID = (
    *((lr, 5e-2, 6.0) for lr in (0.001, 0.003, 0.01, 0.03)), (0.01, 5e-3, 6.0),
    (0.01, 5e-2, 3.0), (0.03, 5e-2, 3.0), (0.003, 5e-2, 12.0), (0.01, 5e-2, 12.0),
)  # fmt: skip
"""Learning rates, weight decays and numbers of epochs that are tried."""
TARGETS = {"label": np.int32, "polarity": np.int32, "valence": np.float32}


@dataclasses.dataclass(frozen=True)
class Variant:
    """A network, or a baseline, as a row of the tables.

    Attributes:
      name: of the row.
      kind: what shares the choice of settings, the name of a variant that is tried with all.
      values: {key of the config: value} beside the set's own.
    """

    name: str
    kind: str
    values: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Study:
    """A set on a backbone.

    Attributes:
      name: of the set.
      backbone: its name.
      config: what it trains with.
      variants: networks.
      folds: those that are test, once each.
      pairs: (j, k) folds left out of the training that settings are chosen by.
      grid: settings that are tried.
      seeds: initial weights and orders of the photographs that each network is tested with.
    """

    name: str
    backbone: str
    config: object
    variants: tuple[Variant, ...]
    folds: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    grid: tuple[tuple[float, float, float], ...] = GRID
    seeds: int = 5


@dataclasses.dataclass(frozen=True)
class Photographs:
    """N photographs, the training ones first.

    Attributes:
      crops, views: {"features", "embedding"} of M ≤ N photographs' crops (M, CROPS, …), and of all
        photographs' centres (N, …).
      columns: {"label", "polarity", "fold", "theme", …: (N,)}.
      regions: (N, H, W) uint8, None where the set has none.
    """

    crops: dict
    views: dict
    columns: dict[str, np.ndarray]
    regions: np.ndarray | None


# Features -------------------------------------------------------------------------------------


def photographs(study: Study, most: int | None = None) -> Photographs:
    """All features of a study, from disk where they are there. `most`: training photographs."""
    task = experiment.make(study.config)
    if most:
        task = dataclasses.replace(task, rows=np.arange(most))
    variables = initial.initial_variables(task)
    folds = len(study.folds) > 1
    splits = ("train", "test") if folds else ("train",)
    parts = [crops.crops(task, variables, split) for split in splits]
    outputs = {
        name: np.concatenate([part.outputs[name] for part in parts]) for name in parts[0].outputs
    }
    file = Path(parts[0].outputs["features"].filename).with_name("views.npz")
    if not file.is_file():
        np.savez(file, **_views(task, variables, most))
    with np.load(file) as views:
        kept = dict(views)
    seen = {name: kept.pop(name) for name in stored.OUTPUTS if name in kept}
    regions = kept.pop("region", None)
    return Photographs(outputs, seen, kept, regions)


def _views(task, variables, most) -> dict[str, np.ndarray]:
    """Outputs and columns of the centre views of both splits, of the training one `most`."""
    config, read = task.config, crops.reader(task)
    maps = ("region",) if "region" in task.builder.info.features else ()
    views, columns, regions = [], [], []
    for split in ("train", "test"):
        examples = records.source(task.builder, split)
        count = min(most or len(examples), len(examples)) if split == "train" else len(examples)
        batches = eval_batches(
            task.builder, split, batch_size=config.eval.batch_size,
            image_size=config.data.image_size, resize=config.eval.resize,
            enlarging=task.preprocessing.interpolation,
        )  # fmt: skip
        for batch in itertools.islice(batches, -(-count // config.eval.batch_size)):
            out = sharding.local(
                read(variables, **sharding.put({"image": batch["image"]}, task.mesh))
            )
            views.append({name: values[batch["mask"]] for name, values in out.items()})
        for i in range(count):
            raw = examples[i]
            own = {"fold": 5 if split == "test" else 1 + i // 8 % 4, "theme": str(i)}
            columns.append(
                {name: raw.get(name, own.get(name, 0)) for name in ("fold", "theme", "valence")}
                | {name: raw[name] for name in ("label", "polarity")}
            )
            for name in maps:
                regions.append(augment.decode_region(raw[name]))
        surplus = sum(len(v["features"]) for v in views) - len(columns)
        if surplus:
            views[-1] = {name: values[:-surplus] for name, values in views[-1].items()}
    joined = {
        name: np.concatenate([v[name] for v in views]).astype(
            np.float16 if name == "features" else np.float32
        )
        for name in views[0]
    }
    columns = {name: np.array([c[name] for c in columns]) for name in columns[0]}
    return joined | columns | ({"region": np.stack(regions)} if regions else {})


# Networks -------------------------------------------------------------------------------------


def trainer(study: Study, variant: Variant, epochs: float, steps: int, maps: bool):
    """Makes train(images, targets, seed, lr, weight_decay, rows, drawn, tested) -> outputs, jitted.

    `rows` and `drawn` (steps, B) are the photographs of each batch and which of their crops;
    `tested` (E, …) views. Outputs: class probabilities (E, K), with a detection branch those of the
    polarities or classes it learns (E, ·), with `maps` sentiment_map (E, h, w), and of WSIDNet what
    its two features add to the logits (E, K).
    """
    config = study.config.copy_and_resolve_references()
    config.update_from_flattened_dict(variant.values)
    config.train.epochs = epochs
    _complete(config)
    classes = emotions.MIKELS if config.model.detect_classes == 8 else emotions.POLARITY
    signs = jnp.asarray(emotions.polarity(classes))
    model = stored.above(folder.network(config.model))
    spread = emotions.label_distributions(
        emotions.MIKELS, config.loss.distribution_sigma, config.loss.distribution_over
    )
    per_epoch = steps / epochs
    factor = optim.schedule(config.optim, per_epoch, steps)

    def train(images, targets, seed, lr, weight_decay, rows, drawn, tested):
        settings = SimpleNamespace(**config.optim)
        settings.lr, settings.backbone_lr, settings.weight_decay = lr, 0.0, weight_decay
        tx = optim.optimizer(settings, factor, frozen=False)
        parts = {k: config[k] for k in ("augment", "data", "loss", "model", "train")}
        recipe = SimpleNamespace(seed=seed, optim=settings, **parts)
        step = train_step(model, tx, factor, recipe, signs, None, spread)
        first = jax.tree.map(lambda x: x[:1], tested)
        state = TrainState.create(model.init(jax.random.key(seed), first), tx, ema=False)

        def update(state, chosen):
            row, crop = chosen
            batch = {name: values[row, crop] for name, values in images.items()}
            batch |= {name: values[row] for name, values in targets.items()}
            return step(state, batch | {"mask": jnp.ones(row.shape, bool)})[0], None

        state, _ = jax.lax.scan(update, state, (rows, drawn))
        out = model.apply(state.variables(), tested)
        result = {"class": jax.nn.softmax(out["class_logits"])}
        if "detect_logits" in out and config.loss.detect_weight:
            detect = jax.nn.softmax(out["detect_logits"])
            if config.loss.detect == "polarity":
                positive = detect @ signs.astype(jnp.float32)
                detect = jnp.stack([1 - positive, positive], -1)
            result["detect"] = detect
        if "interaction" in out:
            kernel = state.params["classifier"]["kernel"]
            width = out["holistic"].shape[-1]
            result["holistic"] = out["holistic"] @ kernel[:width]
            result["interaction"] = out["interaction"] @ kernel[width:]
        if maps and "sentiment_map" in out:
            result["map"] = out["sentiment_map"]
        return result

    return jax.jit(train)


def _complete(config) -> None:
    """What experiment.make would add of the data."""
    classes = 2 if config.data.class_target == "polarity" else len(emotions.MIKELS)
    config.model.num_classes = classes
    if config.model.regress:
        config.model.regress_mean, config.model.regress_std = (4.0,), (1.5,)


def order(rows: np.ndarray, steps: int, batch: int, seed: int) -> np.ndarray:
    """(M,) -> (steps, batch): permutations of the rows, one after the other."""
    rng = np.random.default_rng((seed, 0))
    epochs = -(-steps * batch // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(epochs)])[: steps * batch].reshape(
        steps, batch
    )


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """(N, K), (N,) -> mean −log p(truth), infinite where the training diverged."""
    chosen = np.take_along_axis(probabilities, truth[:, None], 1)
    loss = float(-np.log(np.maximum(chosen, 1e-7)).mean())
    return loss if np.isfinite(loss) else float("inf")


class Runs:
    """Trains a variant with given settings, seed and folds left out, a program for each number of
    epochs."""

    def __init__(self, study: Study, variant: Variant, data: Photographs, arrays: dict):
        self.study, self.variant, self.data, self.arrays = study, variant, data, arrays
        self.batch, fold = study.config.train.batch_size, data.columns["fold"]
        self.target = study.config.data.class_target
        views = [validated(study, pair) for pair in study.pairs] + [(k,) for k in study.folds]
        self.room = max(np.isin(fold, folds).sum() for folds in views)
        self.trained = len(next(iter(data.crops.values())))
        self.programs = {}
        self.share = 0.8 if len(study.folds) > 1 else 1.0

    def program(self, epochs: float):
        """The number of steps, and what trains for these."""
        steps = round(epochs * self.trained * self.share / self.batch)
        if steps not in self.programs:
            maps = self.data.regions is not None
            self.programs[steps] = trainer(self.study, self.variant, epochs, steps, maps)
        return steps, self.programs[steps]

    def __call__(self, left_out, setting, seed, tested) -> dict[str, np.ndarray]:
        """Outputs for the photographs of the folds `tested`, of a network without `left_out`."""
        *rates, epochs = setting
        steps, train = self.program(epochs)
        fold = self.data.columns["fold"]
        known = np.flatnonzero(~np.isin(fold[: self.trained], left_out))
        rows = order(known, steps, self.batch, seed)
        drawn = np.random.default_rng((seed, 1)).integers(CROPS, size=rows.shape)
        drawn %= next(iter(self.data.crops.values())).shape[1]
        places = np.flatnonzero(np.isin(fold, tested))
        filled = np.resize(places, self.room)
        views = {name: values[filled] for name, values in self.data.views.items()}
        out = train(
            self.arrays["crops"], self.arrays["targets"], seed, *map(np.float32, rates),
            rows, drawn, views,
        )  # fmt: skip
        return {name: np.asarray(values)[: len(places)] for name, values in out.items()}


# All of a study -------------------------------------------------------------------------------


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


def validated(study: Study, pair: tuple[int, int]) -> tuple[int, ...]:
    """Which of two folds left out may choose settings: those whose other one is to be tested."""
    return tuple(j for j, k in (pair, pair[::-1]) if k in study.folds)


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


# Baselines ------------------------------------------------------------------------------------


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


# What is compared -----------------------------------------------------------------------------


def oasis(backbone: str, source: str, out: Path, variants: tuple[Variant, ...]) -> Study:
    """OASIS on a backbone; `source` is the folder as its authors gave it."""
    c = wsidnet_oasis.get_config("fold1")  # its two splits are all photographs, with their folds
    c.model.backbone = c.init.weights = backbone
    c.data.image_size = SIZES[backbone]
    c.eval.resize = round(SIZES[backbone] * 256 / 224)
    c.data.source, c.data.dir = source, str(out / "prepared")
    c.data.crops, c.eval.batch_size = CROPS, 16
    c.optim.warmup = 1.0
    c.optim.clip, c.loss.detect_weight = 1.0, 0.1  # of what the configs were before this
    folds = (1, 2, 3, 4, 5)
    pairs = tuple(itertools.combinations(folds, 2))
    return Study("oasis", backbone, c, variants, folds, pairs)


def emoji_scenes(out: Path, variants: tuple[Variant, ...]) -> Study:
    """800 of the training scenes of emoji_scenes, a quarter of which chooses the settings."""
    c = wsidnet_demo.get_config()
    c.model.tap = "stage5"  # of all networks, so that all maps are 14 x 14
    c.data.dir = str(out / "prepared")
    c.data.crops, c.eval.batch_size = CROPS // 4, 16
    grid = tuple(itertools.product((0.01, 0.05), (5e-4, 5e-3), (8.0, 16.0)))
    return Study("emoji_scenes", c.model.backbone, c, variants, (5,), ((4, 5),), grid)


def variant(base: Variant, name: str, **values) -> Variant:
    """A variant of a network by some keys of the config, with __ for the dot."""
    own = {key.replace("__", "."): value for key, value in values.items()}
    return Variant(f"{base.name}, {name}", base.kind, base.values | own)


def network(name: str, kind: str = "", **values) -> Variant:
    """A network that settings are chosen for, or with `kind` one that takes another's."""
    own = {key.replace("__", "."): value for key, value in values.items()}
    return Variant(name, kind or name, own)


PLAIN = network("plain backbone", model__name="classifier", loss__detect_weight=0.0)
PLAIN_UNCLIPPED = dataclasses.replace(
    PLAIN, name="plain backbone unclipped", kind="plain backbone unclipped",
    values=PLAIN.values | {"optim.clip": 0.0},
)  # fmt: skip
RATED = variant(PLAIN, "and valence", model__regress=("valence",))
CAM, MIL, WILDCAT, SPN = (
    network(name, model__name=name.lower(), loss__detect_weight=0.0)
    for name in ("CAM", "MIL", "WILDCAT", "SPN")
)
BAGS = tuple(variant(MIL, f"{bag} bag", model__bag=bag) for bag in ("lse", "noisy_or"))
BY_POLARITY = {
    "model__name": "wscnet", "model__detect_classes": 2, "loss__detect": "cross_entropy",
    "loss__detect_weight": 1.0,
}  # fmt: skip
UNCLIPPED = {"optim__clip": 0.0}
WSCNET = network("WSCNet", **BY_POLARITY)
WSCNET_UNCLIPPED = network("WSCNet unclipped", **UNCLIPPED, **BY_POLARITY)
WSCNET_SOFTMAX = network(
    "WSCNet unclipped, softmax", **UNCLIPPED, **BY_POLARITY,
    model__map_weights="softmax",
)  # fmt: skip
COUPLINGS = tuple(
    variant(WSCNET, f"coupling {value}", model__coupling=value) for value in ("local", "none")
)
EIGHT = variant(WSCNET, "8 classes by polarity", model__detect_classes=8, loss__detect="polarity")
WSIDNET = network("WSIDNet")
WSIDNET_UNCLIPPED = network("WSIDNet unclipped", WSIDNET.name, loss__detect_weight=1.0, **UNCLIPPED)


def maps_per_class(base: Variant, counts) -> tuple[Variant, ...]:
    return tuple(variant(base, f"k = {k}", model__maps_per_class=k) for k in counts)


def detect_weights(base: Variant, weights) -> tuple[Variant, ...]:
    return tuple(variant(base, f"λ = {w:g}", loss__detect_weight=float(w)) for w in weights)


def graphs(base: Variant) -> tuple[Variant, ...]:
    return (
        *(variant(base, f"edges {v}", model__edges=v) for v in ("same", "none")),
        variant(base, "self-loops identity", model__self_loops="identity"),
        *(variant(base, f"read-out {v}", model__readout=v) for v in ("mean", "flatten")),
    )


NETWORKS = (PLAIN, CAM, MIL, WILDCAT, SPN, WSCNET, WSCNET_UNCLIPPED, WSIDNET, WSIDNET_UNCLIPPED)
SMALL = (
    *NETWORKS, RATED, PLAIN_UNCLIPPED, WSCNET_SOFTMAX, *BAGS, *COUPLINGS, EIGHT,
    *maps_per_class(WSCNET, (1, 2, 8)), *detect_weights(WSCNET, (0, 0.1, 0.5)),
)  # fmt: skip
OF_WSIDNET = (  # these take ten times as long as the others
    *maps_per_class(WSIDNET_UNCLIPPED, (1, 2, 8)), *detect_weights(WSIDNET, (1,)),
    *detect_weights(WSIDNET_UNCLIPPED, (0, 0.01, 0.1, 0.5)), *graphs(WSIDNET_UNCLIPPED),
)  # fmt: skip
LARGE = (
    *NETWORKS[:-2], RATED, WSCNET_SOFTMAX,
    *(dataclasses.replace(wsidnet, kind=PLAIN.name) for wsidnet in (WSIDNET, WSIDNET_UNCLIPPED)),
)  # fmt: skip
BY_LABEL = {"model.detect_classes": 8, "loss.detect": "cross_entropy"}
SCENE_WSCNET = dataclasses.replace(WSCNET, values=WSCNET.values | BY_LABEL)
SCENES = (
    PLAIN, CAM, MIL, WILDCAT, SPN, SCENE_WSCNET, WSIDNET,
    variant(PLAIN, "label distributions", loss__distribution_weight=0.8), *BAGS,
    *maps_per_class(SCENE_WSCNET, (1, 2, 8)), *detect_weights(SCENE_WSCNET, (0, 0.1, 0.5)),
    *(variant(SCENE_WSCNET, f"coupling {v}", model__coupling=v) for v in ("local", "none")),
    *detect_weights(WSIDNET, (0, 0.1, 0.5)), *graphs(WSIDNET), *maps_per_class(WSIDNET, (1, 2, 8)),
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="the folder of OASIS")
    parser.add_argument("--out", type=Path, default=Path("runs/experiment"))
    options = parser.parse_args()
    jax.config.update("jax_compilation_cache_dir", str(options.out / "xla"))
    results = Results(options.out / "results.jsonl")
    small, large = (partial(oasis, b, options.source, options.out) for b in SIZES)
    scenes = partial(emoji_scenes, options.out)
    studies = small(SMALL), scenes(SCENES), large(LARGE), small(OF_WSIDNET)
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
