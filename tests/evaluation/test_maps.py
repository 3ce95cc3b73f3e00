"""Maps side by side: scores by image and name, files of maps, which images are shown."""

import cv2
import numpy as np
import pytest

from jaxsent import emotions
from jaxsent.baselines.saliency import MAPS
from jaxsent.errors import UserError
from jaxsent.evaluation import maps, rows
from jaxsent.evaluation.examples import Examples
from jaxsent.metrics import attention_scores, cases_by_class, detection_row, detection_scores
from jaxsent.report import map_files

SIDE, COUNT = 64, 10


@pytest.fixture(scope="module")
def batch():
    """Ten images, the last one padding, with regions and fixations."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
    images = np.stack([cv2.resize(n, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for n in noise])
    region = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    for i, (y, x) in enumerate(rng.integers(0, 40, (COUNT, 2))):
        region[i, y : y + 20, x : x + 20] = 255
    blurred = np.stack([cv2.GaussianBlur(r, (0, 0), 5) for r in region])
    return {
        "image": images,
        "region": region,
        "fixation_map": blurred,
        "fixations": np.where((region > 0) & (rng.random(region.shape) < 0.05), 255, 0),
        "mask": np.arange(COUNT) < COUNT - 1,
        "file": np.array([f"kind/photo {i}.jpg" for i in range(COUNT)]),
    }


@pytest.fixture(scope="module")
def out():
    rng = np.random.default_rng(1)
    detect = rng.dirichlet(np.ones(8), COUNT).astype(np.float32)
    classes = rng.dirichlet(np.ones(3), COUNT).astype(np.float32)
    class_maps = rng.normal(size=(COUNT, 7, 7, 8)).astype(np.float32)
    return {
        "class_probabilities": classes,
        "detect_probabilities": detect,
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
    likeliest = out["detect_probabilities"].argmax(1)
    alone = {
        "predicted_class": [m[..., c] for m, c in zip(out["class_maps"], likeliest)],
        "centre_box": [MAPS["centre_box"](image, None) for image in batch["image"]],
        "spectral_residual": [MAPS["spectral_residual"](image, None) for image in batch["image"]],
    }
    regions = real(batch["region"])
    for name, found in alone.items():
        expected = detection_scores(real(found), regions)
        baseline = summary["sentiment_map"]["baselines"][name]
        assert {k: baseline[k] for k in expected} == pytest.approx(expected)
    own = detection_scores(real(out["sentiment_map"]), regions)
    assert {k: summary["sentiment_map"][k] for k in own} == pytest.approx(own)
    found = [detection_row(m, r) for m, r in zip(real(out["sentiment_map"]), regions, strict=True)]
    by_class = cases_by_class(found, real(out["truth"]), 3)
    assert summary["sentiment_map"]["cases_by_class"] == by_class
    fixations = real(batch["fixations"]) > 0
    attention = attention_scores(
        real(out["sentiment_map"]), fixations, real(batch["fixation_map"]), np.random.default_rng(0)
    )
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
        part = {key: value[i : i + 1] for key, value in batch.items()}
        alone = maps.rows(("random",), part, {}, seed=3)["region_rows"]
        np.testing.assert_array_equal(alone[0], whole[i])
    assert (maps.rows(("random",), batch, out, seed=4)["region_rows"] != whole)[:-1].any()


def test_what_a_network_lacks_is_not_scored(out):
    bare = {"class_probabilities": out["class_probabilities"]}
    assert maps.scored(bare, ("predicted_class", "gbvs")) == ("gbvs",)
    assert maps.rows(("gbvs",), {"image": np.zeros((1, 4, 4, 3))}, bare, 0) == {}
    with pytest.raises(UserError, match=r"there is no map 'itti'; expected some of .*itti_koch"):
        maps.check(("itti",))


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
    png = cv2.imread(str(tmp_path / "kind" / "photo 3" / "awe.png"), cv2.IMREAD_UNCHANGED)
    assert (png.dtype, png.shape, png.min(), png.max()) == (np.uint16, (SIDE, SIDE), 0, 65535)
    scaled = (awe - awe.min()) / (awe.max() - awe.min())
    there = cv2.resize(scaled, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    there = (there - there.min()) / (there.max() - there.min())
    assert np.abs(png / 65535 - there).max() < 1e-4
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
            "image": np.zeros((3, 4, 4, 3), np.uint8), "file": files[part],
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
