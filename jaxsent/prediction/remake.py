"""The model that answers where none is named, made from a folder of OASIS.

EfficientNet-Lite2 with its ImageNet weights reads whole photographs, a linear probe reads the
averages of its last three maps and, by the chances of ImageNet's classes, what the names of things
on them mean. docs/photographs.md says why so, and how well it does.
"""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from string import Template

import jax
import numpy as np
from ml_collections import ConfigDict

import jaxsent
from jaxsent import files, models, pretrained
from jaxsent.emotions import POLARITY
from jaxsent.errors import UserError
from jaxsent.export.weights_file import write_head
from jaxsent.models.inference import normalise
from jaxsent.prediction.predictor import look
from jaxsent.prediction.strangers import strangers
from jaxsent.report.words import interval, percent
from jaxsent.run.card import LICENCE, Card, card_of
from jaxsent.run.folder import network
from jaxsent.training import probe, ridge
from tfds_builders.oasis.ratings import FOLDS, Rating, read_ratings

BACKBONE = "efficientnet_lite2"
TAPS = ("stage6", "stage7", "head")
SIDE = 390  # pixels; 1.5 times what the weights were trained at
SURE = 0.75
"""The least calibrated probability of an answer that is called sure, set before it was measured."""
VECTORS = Path(jaxsent.__file__).parent / "assets" / "photographs" / "classes.npz"
DIVISIONS = 10
"""Other ways to divide the themes into folds, for the card."""
RATINGS = ("valence", "arousal")
UNSEEN = "clearly positive or negative photographs of OASIS on themes it had never seen"


def make(source: Path, out: Path, report: Callable[[str], None] = print) -> dict:
    """A folder of OASIS -> out/model.safetensors and out/README.md, its card; their numbers.

    Raises:
      UserError: the folder is no such, too few photographs are there, or `out` cannot be written.
    """
    ratings = rated(source)
    report(f"{len(ratings)} photographs of {len({r.theme for r in ratings})} themes.")
    metadata = described(ratings)
    model, variables, card = backbone_of(metadata)
    read = reader(model, variables, card, metadata)
    x = []
    for i, rating in enumerate(ratings, 1):
        x.append(read(_file(source, rating)))
        if not i % 100:
            report(f"{i} of {len(ratings)} photographs read")
    vectors = class_vectors()
    x = meant(np.stack(x), vectors)
    kinds = pictures()
    others = np.stack([read(picture) for kind in kinds.values() for picture in kind])
    others = meant(others, vectors)
    blocks = [*widths(model, variables), vectors.shape[1]]
    values = np.array([(r.valence, r.arousal) for r in ratings])
    themes = np.array([r.theme for r in ratings])
    fold = np.array([r.fold for r in ratings])
    report("Asking models that saw none of a photograph's theme …")
    answers = probe.unseen(x, values, themes, fold, blocks, others, len(TAPS))
    limit = float(np.quantile(answers.strangeness, probe.FAMILIAR))
    names = np.repeat(list(kinds), [len(kind) for kind in kinds.values()])
    flagged = {kind: float((answers.others[names == kind] > limit).mean()) for kind in kinds}
    categories = np.array([r.category for r in ratings])
    results = probe.results(answers, values, themes, categories, SURE)
    report(f"… and with the themes divided in {DIVISIONS} other ways …")
    others_ways = probe.divisions(x, values, themes, blocks, FOLDS, DIVISIONS)
    metadata["results"] = results | {
        "divisions": others_ways, "unseen": UNSEEN, "flagged": flagged
    }  # fmt: skip
    metadata["rules"] = {"sure": SURE, "strangeness": limit}
    head = fitted(x, values, themes, blocks, others, vectors)
    variables["params"] = variables["params"] | head
    files.make_folder(out)
    with files.replacing(out / "model.safetensors") as part:
        write_head(part, variables, metadata)
    files.write_text(out / "README.md", model_card(metadata))
    return metadata["results"]


def pictures() -> dict[str, list[np.ndarray]]:
    """Of each kind of strangers. Raises UserError without the package that draws."""
    try:
        return strangers()
    except ImportError as error:
        raise UserError(f"Drawing needs {error.name}: pip install 'jaxsent[demo]'") from None


def rated(source: Path) -> list[Rating]:
    """Those of OASIS.csv whose photograph is there.

    Raises:
      UserError: no OASIS.csv, or too few photographs for folds.
    """
    if not (source / "OASIS.csv").is_file():
        raise UserError(f"{source}: expected the folder of OASIS, with OASIS.csv and images/.")
    ratings = [r for r in read_ratings(source / "OASIS.csv") if _file(source, r).is_file()]
    clear = [r for r in ratings if r.polarity >= 0]
    if len({(r.fold, r.polarity) for r in clear}) < 2 * FOLDS:
        raise UserError(
            f"{source}: expected OASIS's photographs in images/, some of each polarity in each of "
            f"{FOLDS} folds; found {len(ratings)}."
        )
    return ratings


def described(ratings: list[Rating]) -> dict:
    """The file's metadata, but for its results and rules."""
    expected = pretrained.preprocessing(BACKBONE, BACKBONE)
    values = np.array([(r.valence, r.arousal) for r in ratings])
    model = {
        "name": "probe", "backbone": BACKBONE, "num_classes": len(POLARITY), "dtype": "float32",
        "taps": list(TAPS), "concepts": True, "strangers": True, "freeze": "backbone",
        "regress": list(RATINGS), "regress_mean": values.mean(0).tolist(),
        "regress_std": spread(values).tolist(),
    }  # fmt: skip
    return {
        "jaxsent": jaxsent.__version__,
        "model": model,
        "backbone": BACKBONE,
        "input": expected._replace(size=SIDE)._asdict(),
        "labels": {"classes": list(POLARITY), "emotions": []},
        "data": {"name": "oasis", "image_size": SIDE, "photographs": len(ratings)},
        "eval": {"resize": 0},
        "licence": LICENCE.format(data="oasis", init=BACKBONE),
    }


def backbone_of(metadata: dict) -> tuple[models.network.Network, dict, Card]:
    """The probe with its backbone's weights and nothing learnt, and its card."""
    model = network(ConfigDict(metadata["model"]))
    images = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)
    blank = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    variables = pretrained.load(BACKBONE, model, blank)
    return model, variables, card_of(metadata, Path(BACKBONE))


def widths(model, variables: dict) -> list[int]:
    """Channels of each of TAPS."""
    images = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), np.float32)

    def maps(variables, images):
        return model.apply(variables, images, False, True, method="tapped")[1]

    shapes = jax.eval_shape(maps, variables, images)
    return [shapes[name].shape[-1] for name in TAPS]


def reader(model, variables, card, metadata) -> Callable[..., np.ndarray]:
    """-> a function of a photograph, cut and scaled as in prediction, that gives (n,) float64."""
    described = metadata["input"]

    @jax.jit
    def step(variables, pixels):
        images = normalise(pixels, tuple(described["mean"]), tuple(described["std"]))
        return model.apply(variables, images)["embedding"]

    resident = jax.device_put(variables)

    def read(photo) -> np.ndarray:
        return np.asarray(step(resident, look(photo, card).pixels[None])[0], np.float64)

    return read


def class_vectors() -> np.ndarray:
    """(J, m) float64: what the names of the backbone's J classes mean, as embeddings of text
    (benchmarks/make_class_vectors.py)."""
    with np.load(VECTORS) as file:
        return file["vectors"].astype(np.float64)


def meant(x: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(N, n + J) averages and chances of classes, (J, m) -> (N, n + m): in place of the chances the
    mean of what the classes mean (ConSE, Norouzi et al., ICLR 2014, over all classes).

    Themes never seen show other classes, which mean something like those that were seen.
    """
    averages, chances = np.split(x, [x.shape[1] - len(vectors)], axis=1)
    return np.concatenate([averages, chances @ vectors], axis=1)


def by_class(kernel: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(n + m, K) weights of what `meant` gives -> (n + J, K) of what the network gives."""
    averages, meanings = np.split(kernel, [len(kernel) - vectors.shape[1]])
    return np.concatenate([averages, vectors @ meanings])


def spread(values: np.ndarray) -> np.ndarray:
    """(N, R) ratings -> (R,) standard deviations, 1 where all are alike."""
    std = values.std(0)
    return np.where(std > 0, std, 1.0)


def fitted(x, values, themes, blocks, others, vectors) -> dict:
    """(N, n), (N, 2) ratings, (N,) themes, …, (M, n) of strangers, (J, m) -> parameters of the
    layers, which read what the network gives."""
    line = probe.polarity(x, values, themes, blocks)
    kernel = np.stack([-line.kernel, line.kernel], 1) / 2  # of negative and positive
    strange = probe.stranger_probe(x, others, blocks)
    # Ratings do without the meanings, with which they correlate less (docs/photographs.md).
    affect = [probe.rating_probe(x, column, themes, blocks, len(TAPS)) for column in values.T]
    # The layer predicts standardised ratings.
    mean, std = values.mean(0), spread(values)
    layers = {
        "classifier": {"kernel": kernel, "bias": np.array([-line.bias, line.bias]) / 2},
        "regressor": {
            "kernel": np.stack([rating.kernel for rating in affect], 1) / std,
            "bias": (np.array([rating.bias for rating in affect]) - mean) / std,
        },
        "stranger": {"kernel": strange.kernel[:, None], "bias": np.array([strange.bias])},
    }
    for layer in layers.values():
        layer["kernel"] = by_class(layer["kernel"], vectors)
    return jax.tree.map(lambda array: np.asarray(array, np.float32), layers)


def model_card(metadata: dict) -> str:
    """The card that stands beside the file, in Markdown."""
    results, rules = metadata["results"], metadata["rules"]
    template = resources.files("jaxsent.prediction").joinpath("photographs.md").read_text("utf-8")
    shares = (
        "accuracy", "majority", "coverage", "sure_accuracy", "unsure_accuracy", "neutral_sure"
    )  # fmt: skip
    return Template(template).substitute(
        {key: percent(results[key]) for key in shares}
        | {key: f"{results[key]:.2f}" for key in ("valence_r", "arousal_r")}
        | {key: results[key] for key in ("count", "positive", "neutral")},
        version=metadata["jaxsent"],
        photographs=metadata["data"]["photographs"],
        accuracy_interval=interval(results["accuracy_interval"]),
        auc=f"{results['auc']:.3f}",
        auc_interval="–".join(f"{v:.3f}" for v in results["auc_interval"]),
        ece=f"{results['ece']:.3f}",
        divisions=DIVISIONS,
        accuracy_divisions=percent(results["divisions"]["accuracy"][0]),
        accuracy_deviation=percent(results["divisions"]["accuracy"][1]),
        auc_divisions="{:.3f} | ± {:.3f}".format(*results["divisions"]["auc"]),
        strong_count=results["strong"][0],
        strong_accuracy=percent(results["strong"][1]),
        bands="\n".join(
            f"| from {low:.1f} | {count} | {mean:.2f} | {percent(right)} |"
            for low, count, mean, right in results["bands"]
        ),
        categories="\n".join(
            f"| {name} | {count} | {percent(right)} | {percent(commoner)} |"
            for name, (count, right, commoner) in results["categories"].items()
        ),
        sure=f"{rules['sure']:.2f}",
        strangeness=f"{rules['strangeness']:.2f}",
        flagged=", ".join(f"{kind} {percent(p)}" for kind, p in results["flagged"].items()),
        familiar=f"{100 * probe.FAMILIAR:.0f}",
        positive_from=probe.POSITIVE,
        negative_to=probe.NEGATIVE,
        folds=FOLDS,
        inner=ridge.INNER,
        side=SIDE,
        licence=metadata["licence"],
    )


def _file(source: Path, rating: Rating) -> Path:
    return source / "images" / f"{rating.name}.jpg"
