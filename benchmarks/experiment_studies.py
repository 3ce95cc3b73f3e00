"""What benchmarks/experiment.py compares: networks, their variants, sets and settings."""

import dataclasses
import itertools
from pathlib import Path

from configs import wsidnet_demo, wsidnet_oasis

CROPS = 8
SIZES = {"efficientnet_lite0": 224, "efficientnet_lite2": 260}
GRID = (
    *((lr, 5e-2, 6.0) for lr in (0.001, 0.003, 0.01, 0.03)), (0.01, 5e-3, 6.0),
    (0.01, 5e-2, 3.0), (0.03, 5e-2, 3.0), (0.003, 5e-2, 12.0), (0.01, 5e-2, 12.0),
)  # fmt: skip
"""Learning rates, weight decays and numbers of epochs that are tried."""


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


def validated(study: Study, pair: tuple[int, int]) -> tuple[int, ...]:
    """Which of two folds left out may choose settings: those whose other one is to be tested."""
    return tuple(j for j, k in (pair, pair[::-1]) if k in study.folds)


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
