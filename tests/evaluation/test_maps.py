"""Maps side by side: scores by image and name, files of maps, which images are shown."""

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jaxsent import emotions
from jaxsent.baselines.saliency import MAPS
from jaxsent.data import augment, records
from jaxsent.errors import UserError
from jaxsent.evaluation import compared_maps, maps, rows
from jaxsent.evaluation.examples import Examples, failure
from jaxsent.evaluation.units import Units
from jaxsent.metrics import attention_scores, cases_by_class, detection_row, detection_scores
from jaxsent.report import map_files
from jaxsent.report.gallery import shared_heat
from tfds_builders.prepare import prepare

COUNT = 10
SHAPES = ((64, 64), (48, 80), (90, 60))


@pytest.fixture(scope="module")
def batch():
    """Ten photographs of several shapes, the last one padding, with regions and fixations.

    "decoded" has the pixels of every file, for the oracles alone.
    """
    rng = np.random.default_rng(0)
    decoded = {key: [] for key in ("photograph", "region", "fixation_map", "fixations")}
    for i in range(COUNT):
        height, width = SHAPES[i % len(SHAPES)]
        noise = rng.integers(0, 256, (8, 8, 3), np.uint8)
        region = np.zeros((height, width), np.uint8)
        y, x = rng.integers(0, height - 20), rng.integers(0, width - 20)
        region[y : y + 20, x : x + 20] = 255
        points = np.where((region > 0) & (rng.random(region.shape) < 0.05), np.uint8(255), 0)
        points[y, x] = 255
        decoded["photograph"].append(cv2.resize(noise, (width, height)))
        decoded["region"].append(region)
        decoded["fixation_map"].append(cv2.GaussianBlur(region, (0, 0), 5))
        decoded["fixations"].append(points.astype(np.uint8))
    return {
        "decoded": decoded,
        **{key: np.array(list(map(png, values)), object) for key, values in decoded.items()},
        "mask": np.arange(COUNT) < COUNT - 1,
        "file": np.array([f"kind/photo {i}.jpg" for i in range(COUNT)]),
    }


def png(image):
    return cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)[1].tobytes()


@pytest.fixture(scope="module")
def out():
    rng = np.random.default_rng(1)
    detect = rng.dirichlet(np.ones(8), COUNT).astype(np.float32)
    classes = rng.dirichlet(np.ones(3), COUNT).astype(np.float32)
    class_maps = rng.normal(size=(COUNT, 7, 7, 8)).astype(np.float32)
    return {
        "class_probabilities": classes,
        "detect_probabilities": detect,
        "map_probabilities": rng.permutation(detect),  # the whole image's are others than a crop's
        "map_truth": rng.integers(-1, 8, COUNT),
        "class_maps": class_maps,
        "sentiment_map": np.einsum("bhwc,bc->bhw", class_maps, detect),
        "truth": rng.integers(0, 3, COUNT),
    }


def real(values):
    return values[: COUNT - 1]


def test_each_map_is_scored_as_alone(batch, out):
    """The summary of each name equals the metrics of that map over the real images."""
    names = maps.scored(out, ("predicted_class", "centre_box", "random", "spectral_residual"))
    assert names[0] == "sentiment_map"
    found = maps.rows(names, batch, out, seed=3)
    assert np.isnan(found["region_rows"][-1]).all()
    kept = {key: real(value) for key, value in found.items()}
    summary = maps.summarise(names, kept, real(out["truth"]), 3)
    likeliest = out["map_probabilities"].argmax(1)
    photographs = batch["decoded"]["photograph"]
    alone = {
        "predicted_class": [m[..., c] for m, c in zip(out["class_maps"], likeliest)],
        "centre_box": [MAPS["centre_box"](image, None) for image in photographs],
        "spectral_residual": [MAPS["spectral_residual"](image, None) for image in photographs],
    }
    regions = real(batch["decoded"]["region"])
    for name, found in alone.items():
        expected = detection_scores(real(found), regions)
        baseline = summary["sentiment_map"]["baselines"][name]
        assert {k: baseline[k] for k in expected} == pytest.approx(expected)
    own = detection_scores(real(out["sentiment_map"]), regions)
    assert {k: summary["sentiment_map"][k] for k in own} == pytest.approx(own)
    found = [detection_row(m, r) for m, r in zip(real(out["sentiment_map"]), regions, strict=True)]
    by_class = cases_by_class(found, real(out["truth"]), 3)
    assert summary["sentiment_map"]["cases_by_class"] == by_class
    over = [v for v in by_class if v]
    assert summary["sentiment_map"]["cases_over_classes"] == pytest.approx(
        {case: sum(v[case] for v in over) / len(over) for case in over[0]}
    )
    fixations = [f > 0 for f in real(batch["decoded"]["fixations"])]
    attention = attention_scores(
        real(out["sentiment_map"]), fixations, real(batch["decoded"]["fixation_map"]),
        np.random.default_rng(0),
    )  # fmt: skip
    for key in ("cc", "sim", "kl", "emd"):  # the AUCs draw at random
        assert summary["attention"][key] == pytest.approx(attention[key])
    for key in ("auc_judd", "auc_borji"):
        assert summary["attention"][key] == pytest.approx(attention[key], abs=0.02)


def test_the_interval_of_f_covers_it_in_19_of_20_samples():
    """Samples of 60 images of a population whose F is known."""
    rng = np.random.default_rng(0)
    population = rng.beta(2, 3, (4000, 5))
    p, r = population[:, 2].mean(), population[:, 3].mean()
    true = 2 * p * r / (p + r)
    covered = 0
    for _ in range(200):
        low, high = maps.f_interval(population[rng.integers(0, 4000, 60)], resamples=300)
        covered += low <= true <= high
    assert 0.88 < covered / 200 < 0.99
    assert maps.f_interval(np.full((3, 5), np.nan)) is None


def test_draws_hang_on_the_name_alone(batch, out):
    """However the images are split into batches."""
    whole = maps.rows(("random",), batch, out, seed=3)["region_rows"]
    for i in range(COUNT - 1):
        part = {key: value[i : i + 1] for key, value in batch.items() if key != "decoded"}
        alone = maps.rows(("random",), part, {}, seed=3)["region_rows"]
        np.testing.assert_array_equal(alone[0], whole[i])
    assert (maps.rows(("random",), batch, out, seed=4)["region_rows"] != whole)[:-1].any()


def test_what_a_network_lacks_is_not_scored(out):
    bare = {"class_probabilities": out["class_probabilities"]}
    assert maps.scored(bare, ("predicted_class", "gbvs")) == ("gbvs",)
    assert maps.rows(("gbvs",), {"mask": np.ones(1, bool)}, bare, 0) == {}
    with pytest.raises(UserError, match=r"there is no map 'itti'; expected some of .*itti_koch"):
        compared_maps.check(("itti",))


def test_names_of_maps_that_were_made_elsewhere(tmp_path):
    path = tmp_path / "maps=1"
    path.mkdir()
    compare = ("gbvs", f"saliency={path}")
    assert compared_maps.check(compare) == ("gbvs", "saliency")
    assert compared_maps.outside_paths(compare) == {"saliency": path}
    for entry, message in (
        (f"gbvs={path}", "with a NAME of letters, digits and _ that no map has"),
        (f"sentiment_map={path}", "that no map has"),
        (f"my.map={path}", "that no map has"),
        ("saliency", "or NAME=PATH, a folder of maps or a file of boxes"),
    ):
        with pytest.raises(UserError, match=message):
            compared_maps.check((entry,))
    with pytest.raises(UserError, match="the map 'saliency' is there twice"):
        compared_maps.check((*compare, "saliency=elsewhere"))
    with pytest.raises(UserError, match="saliency=.*elsewhere: there is no such folder"):
        compared_maps.outside_paths((f"saliency={tmp_path}/elsewhere",))


def test_maps_made_elsewhere_are_scored_as_our_own(tiny_config, tmp_path):
    """The maps of spectral residual, squashed or as boxes, from files: by the report's numbers."""
    from jaxsent.training import loop

    builder = prepare("emoji_scenes", "tiny", tiny_config.data.dir)
    lines = ["file,x0,y0,x1,y1,score"]
    for raw in records.source(builder, "test"):
        file, image = records.text(raw["file"]), augment.decode(raw["image"])
        path = tmp_path / "maps" / f"{file.rpartition('.')[0]}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, 7 * MAPS["spectral_residual"](image, None) - 3)
        y, x = np.nonzero(MAPS["centre_box"](image, None))
        lines.append(f"{file},{x.min()},{y.min()},{x.max() + 1},{y.max() + 1},0.3")
        lines.append(f"{file},0,0,1,1,0.2")
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    tiny_config.eval.compare = (
        "spectral_residual", "centre_box", f"saliency={tmp_path}/maps",
        f"faster_rcnn={tmp_path}/boxes.csv",
    )  # fmt: skip
    tiny_config.eval.boxes = 1
    tiny_config.train.steps = 1
    results = loop.train(tiny_config, tmp_path / "run")
    others = results["sentiment_map"]["baselines"]
    assert list(others) == ["spectral_residual", "centre_box", "saliency", "faster_rcnn"]
    for outside, own in (("saliency", "spectral_residual"), ("faster_rcnn", "centre_box")):
        for key in ("f", "mae", "precision", "recall", "correct"):
            assert others[outside][key] == pytest.approx(others[own][key], abs=1e-4), key
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert ">saliency</th>" in page and ">faster rcnn</th>" in page
    tiny_config.eval.compare = ("saliency=nowhere",)
    with pytest.raises(UserError, match="saliency=nowhere: there is no such folder"):
        loop.train(tiny_config, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_scores_as_csv(batch, out, tmp_path):
    names = ("sentiment_map", "random")
    found = maps.rows(names, batch, out, seed=0) | {"file": rows.as_bytes(batch["file"])}
    rows.write_maps(tmp_path / "maps.csv", names, {k: real(v) for k, v in found.items()})
    lines = (tmp_path / "maps.csv").read_text().splitlines()
    assert lines[0].split(",") == ["file", "map", *maps.REGION, *maps.ATTENTION]
    assert len(lines) == 1 + 2 * (COUNT - 1)
    first = lines[1].split(",")
    assert first[:2] == ["kind/photo 0.jpg", "sentiment_map"]
    assert float(first[2]) == pytest.approx(found["region_rows"][0, 0, 0], abs=1e-6)


def test_maps_as_files(batch, out, tmp_path):
    map_files.write(tmp_path, batch, out, emotions.MIKELS)
    folders = sorted(p.name for p in (tmp_path / "kind").iterdir())
    assert folders == [f"photo {i}" for i in range(COUNT - 1)]
    names = {p.name for p in (tmp_path / "kind" / "photo 3").iterdir()}
    expected = ("sentiment_map", *emotions.MIKELS)
    assert names == {f"{n}.{s}" for n in expected for s in ("npy", "png")}
    awe = np.load(tmp_path / "kind" / "photo 3" / "awe.npy")
    np.testing.assert_array_equal(awe, out["class_maps"][3, ..., emotions.MIKELS.index("awe")])
    grey = cv2.imread(str(tmp_path / "kind" / "photo 3" / "awe.png"), cv2.IMREAD_UNCHANGED)
    shape = SHAPES[3 % len(SHAPES)]
    assert (grey.dtype, grey.shape, grey.min(), grey.max()) == (np.uint16, shape, 0, 65535)
    scaled = (awe - awe.min()) / (awe.max() - awe.min())
    there = cv2.resize(scaled, shape[::-1], interpolation=cv2.INTER_LINEAR)
    there = (there - there.min()) / (there.max() - there.min())
    assert np.abs(grey / 65535 - there).max() < 1e-4
    with pytest.raises(UserError, match="has no maps"):
        map_files.write(tmp_path, batch, {}, ())
    with pytest.raises(UserError, match="cannot be written"):
        map_files.write(tmp_path / "kind" / "photo 3" / "awe.npy", batch, out, emotions.MIKELS)


def test_best_worst_and_random_by_sorting(out):
    """Over batches of three, against a sort of all."""
    count, classes = 60, ("a", "b", "c")
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(3), count)
    truth = rng.integers(-1, 3, count)
    files = np.array([f"{i}.jpg" for i in range(count)])
    kept = {most: Examples(classes, most, seed=0) for most in (0, 6)}
    for start in range(0, count, 3):
        part = slice(start, start + 3)
        batch = {
            "photograph": [png(np.zeros((4, 4, 3), np.uint8))] * 3, "file": files[part],
            "mask": np.ones(3, bool),
        }  # fmt: skip
        said = {"truth": truth[part], "class_probabilities": probabilities[part]}
        for one in kept.values():
            one.offer(batch, said)
    assert kept[0].chosen() == []
    found = {kind: [] for kind in ("best", "worst", "random")}
    for example in kept[6].chosen():
        found[example.kind].append(example)
    known = [i for i in range(count) if truth[i] >= 0]
    right = [i for i in known if probabilities[i].argmax() == truth[i]]
    best = []
    for c in range(3):
        of_class = [i for i in right if truth[i] == c]
        best += sorted(of_class, key=lambda i: -probabilities[i, c])[:2]
    assert {e.file for e in found["best"]} == {files[i] for i in best}
    wrong = sorted(set(known) - set(right), key=lambda i: probabilities[i, truth[i]])
    assert [e.file for e in found["worst"]] == [files[i] for i in wrong[:6]]
    assert len(found["random"]) == 6
    assert {e.label for e in found["best"]} == set(classes)


def test_a_corner_of_the_photograph_counts():
    """A map of the whole image is scored where a centre crop would not look."""
    photograph = np.zeros((60, 120, 3), np.uint8)
    region = np.zeros((60, 120), np.uint8)
    region[:20, 100:] = 255  # off the central 60 x 60
    batch = {
        "photograph": np.array([png(photograph)], object), "mask": np.ones(1, bool),
        "region": np.array([png(region)], object), "file": np.array(["a.jpg"]),
    }  # fmt: skip
    own = np.zeros((1, 6, 12), np.float32)
    own[0, :2, 10:] = 1
    scores = maps.rows(("sentiment_map", "centre_box"), batch, {"sentiment_map": own}, 0)
    precision, recall = (scores["region_rows"][0, :, maps.REGION.index(n)] for n in
                         ("precision", "recall"))  # fmt: skip
    assert recall[0] > 0.9
    assert precision[0] > 0.6
    assert scores["overlap"][0] == pytest.approx([precision[0], recall[0]])
    box = MAPS["centre_box"](photograph, None)
    assert box.mean() == pytest.approx(0.5, abs=0.02)  # half of the image, not of a crop of it


def test_class_specificity_by_the_true_classs_map(batch, out):
    scores = maps.rows((), batch, out, seed=0)["specificity_rows"]
    defined = (out["map_truth"] >= 0) & batch["mask"]
    np.testing.assert_array_equal(np.isfinite(scores).all(1), defined)
    i = int(np.flatnonzero(defined)[0])
    region = batch["decoded"]["region"][i] > 0
    there = cv2.resize(
        out["class_maps"][i, ..., out["map_truth"][i]], region.shape[::-1],
        interpolation=cv2.INTER_LINEAR,
    )  # fmt: skip
    assert scores[i, 2] == pytest.approx(roc_auc_score(region.ravel(), there.ravel()), abs=1e-3)
    summary = maps.summarise((), {"specificity_rows": scores}, None, 3)["specificity"]
    assert summary["count"] == defined.sum()
    assert summary["region_auc"] == pytest.approx(scores[defined, 2].mean())


@pytest.mark.parametrize(
    ("precision", "recall", "kind"),
    [(0.1, 0.9, "imprecise"), (0.9, 0.2, "incomplete"), (0.3, 0.4, "misled"), (0.0, 0.0, "misled")],
)
def test_how_detection_failed(precision, recall, kind):
    assert failure(precision, recall)[0] == kind


def test_the_worst_failures_are_kept(batch):
    """Of each kind the image that did worst, at its own shape, with its region and its numbers."""
    overlap = np.array([[0.1, 0.9], [0.4, 0.9], [0.9, 0.2], [0.8, 0.1], [0.3, 0.2], [0.0, 0.0],
                        [0.2, 0.1], [0.9, 0.45], [0.45, 0.4], [0.0, 0.0]])  # fmt: skip
    predictions = {"truth": np.zeros(COUNT, int), "overlap": overlap}
    examples = Examples(("a",), 3, seed=0)
    examples.offer(batch, predictions)
    chosen = {e.kind: e for e in examples.chosen() if e.kind != "random"}
    files = {kind: int(e.file.split()[-1].removesuffix(".jpg")) for kind, e in chosen.items()}
    assert files == {"imprecise": 0, "incomplete": 3, "misled": 5}
    for kind, i in files.items():
        shape = SHAPES[i % len(SHAPES)]
        assert chosen[kind].image.shape == (*shape, 3)
        assert chosen[kind].region.shape == shape
        np.testing.assert_array_equal(chosen[kind].overlap, overlap[i])


def test_the_image_in_which_a_unit_rose_highest(batch):
    rng = np.random.default_rng(2)
    heights = rng.normal(size=(COUNT, 5, 5, 3, 2)).astype(np.float32)
    predictions = {"map_truth": np.array([0, 1, 2, 0, 1, 2, 0, 1, -1, 0]), "unit_maps": heights}
    units = Units()
    for start in (0, 4):  # two batches
        part = slice(start, start + 4 if start == 0 else COUNT)
        units.offer(
            {key: value[part] for key, value in batch.items() if key != "decoded"},
            {key: value[part] for key, value in predictions.items()},
        )
    chosen = {(u.label, u.number): u for u in units.chosen()}
    assert len(chosen) == 6
    for (label, number), unit in chosen.items():
        members = [i for i in range(COUNT - 1) if predictions["map_truth"][i] == label]
        best = max(members, key=lambda i: heights[i, ..., label, number].max())
        assert unit.file == f"kind/photo {best}.jpg"
        np.testing.assert_array_equal(unit.map, heights[best, ..., label, number])


def test_an_unlikely_class_does_not_glow():
    """Though its map is the highest; the others share one scale."""
    class_maps = np.random.default_rng(0).normal(size=(7, 7, 3))
    class_maps[..., 2] += 9
    class_maps[..., 0] += 2
    grey = np.full((28, 28, 3), 128, np.uint8)
    heat = shared_heat(grey, class_maps, np.array([0.7, 0.296, 0.004]))
    np.testing.assert_array_equal(heat[2], grey)
    changed = [(np.abs(h.astype(int) - 128).max(-1) > 8).mean() for h in heat]
    assert changed[0] > 0.8 > 0.2 > changed[1]  # nearly all of the higher map, little of the lower
