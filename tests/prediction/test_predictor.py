"""Prediction from files against what evaluation wrote of the same photographs."""

import csv
import io
import json
import tracemalloc

import cv2
import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import jaxsent
from jaxsent import commands, metrics
from jaxsent.emotions import MIKELS, POLARITY, polarity
from jaxsent.errors import UserError
from jaxsent.prediction.prediction import polarity_of
from jaxsent.prediction.predictor import Card, Predictor
from jaxsent.run.checkpoint import read_run
from jaxsent.run.provenance import DRAWN
from tfds_builders.prepare import prepare

INPUT = dict(mean=(100.0, 110.0, 120.0), std=(50.0, 55.0, 60.0), interpolation="bicubic")


@pytest.fixture(scope="module")
def photos(prepared, tmp_path_factory):
    """The test split of emoji_scenes/tiny as the files that it was made of."""
    folder = tmp_path_factory.mktemp("photos")
    builder = prepare("emoji_scenes", "tiny", prepared)
    source = builder.as_data_source("test", decoders={"image": tfds.decode.SkipDecoding()})
    for example in source:
        path = folder / example["file"].decode()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(example["image"])
    return folder


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    """A run whose input is not what anything expects by default."""
    tiny_config.input.update(INPUT)
    tiny_config.eval.resize = 40
    return trained(tiny_config, tmp_path / "run")


def evaluated(run) -> dict[str, list[str]]:
    with (run / "report" / "predictions.csv").open() as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_photographs_are_judged_as_in_evaluation(run, photos):
    predictor = jaxsent.load(run)
    rows = evaluated(run)
    files = sorted(rows)
    predictions = predictor([photos / f for f in files])
    for file, prediction in zip(files, predictions, strict=True):
        row = rows[file]
        assert prediction.label == prediction.labels[0] == row["prediction"]
        for name, p in zip(prediction.labels, prediction.probabilities, strict=True):
            assert p == pytest.approx(float(row[name]), abs=2e-5)
    np.testing.assert_allclose(predictor.predict_proba([photos / f for f in files]).sum(1), 1, 1e-5)
    assert list(predictor.predict([photos / f for f in files])) == [p.label for p in predictions]
    assert list(predictor.predict(str(photos / files[0]))) == [predictions[0].label]
    assert predictor.predict_proba(photos / files[0]).shape == (1, len(predictor.classes_))
    embedded = predictor.embed([photos / f for f in files])
    classifier = read_run(run, jax.sharding.SingleDeviceSharding(jax.devices()[0]))["params"][
        "classifier"
    ]
    logits = embedded @ np.asarray(classifier["kernel"]) + np.asarray(classifier["bias"])
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(
        predictor.predict_proba([photos / f for f in files]), expected, atol=1e-5
    )
    with (photos / files[0]).open("rb") as file:
        opened = predictor(file)
    np.testing.assert_allclose(opened.probabilities, predictions[0].probabilities, 1e-5)
    np.testing.assert_array_equal(opened.image, predictions[0].image)


@pytest.mark.parametrize("key", ["mean", "std"])
def test_the_runs_own_preprocessing_is_used(key, run, photos):
    """With another mean or scale the same weights say something else."""
    photo = next(photos.rglob("*.jpg"))
    before = jaxsent.load(run)(photo).probabilities
    described = json.loads((run / "config.json").read_text())
    described["input"][key] = [255.0, 1.0, 17.0]
    (run / "config.json").write_text(json.dumps(described))
    assert np.abs(jaxsent.load(run)(photo).probabilities - before).max() > 1e-4


def test_whatever_a_photograph_comes_as(run, photos):
    predictor = jaxsent.load(run)
    path = next(photos.rglob("*.jpg"))
    expected = predictor(path)
    array = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    with Image.open(path) as opened:
        opened.load()
    for photo in (str(path), path.read_bytes(), array, opened):
        prediction = predictor(photo)
        assert prediction.labels == expected.labels
        np.testing.assert_allclose(prediction.probabilities, expected.probabilities, atol=2e-2)
    np.testing.assert_array_equal(predictor(array).probabilities, predictor(path).probabilities)
    for wrong in (3, array.astype(np.float32), array[..., :2]):
        with pytest.raises(UserError, match="Expected a"):
            predictor(wrong)


def test_maps_and_overlay(run, photos):
    prediction = jaxsent.load(run)(next(photos.rglob("*.jpg")))
    assert set(prediction.class_maps) == set(prediction.emotions) == set(jaxsent.emotions.MIKELS)
    assert prediction.sentiment_map.shape == prediction.class_maps["awe"].shape
    assert prediction.polarity in ("positive", "negative")
    y, x, h, w = prediction.box
    overlay = prediction.overlay("awe")
    assert overlay.shape == prediction.image.shape
    outside = np.ones(overlay.shape[:2], bool)
    outside[y : y + h, x : x + w] = False
    assert 0 < outside.mean() < 0.5  # 32 of 40 pixels are seen each way
    np.testing.assert_array_equal(overlay[outside], prediction.image[outside])
    assert (overlay[~outside] != prediction.image[~outside]).any()
    with pytest.raises(UserError, match=r"no map of joy; this network's: amusement"):
        prediction.overlay("joy")


def test_formats(run, tmp_path):
    """All that Pillow writes here, turned by EXIF, grey, transparent and moving."""
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (6, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    image = Image.fromarray(pixels)
    predictor = jaxsent.load(run)
    expected = predictor(pixels).probabilities
    for suffix in ("png", "webp", "gif", "tiff", "bmp", "avif", "jpg"):
        path = tmp_path / f"photo.{suffix}"
        image.save(path, **{"webp": {"lossless": True}}.get(suffix, {}))
        np.testing.assert_allclose(predictor(path).probabilities, expected, atol=0.1)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90° clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=turned)
    np.testing.assert_allclose(
        predictor(tmp_path / "turned.png").probabilities, expected, atol=1e-5
    )
    image.convert("L").save(tmp_path / "grey.png")
    image.convert("RGBA").save(tmp_path / "opaque.png")
    grey = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(
        predictor(tmp_path / "grey.png").probabilities, predictor(grey).probabilities
    )
    np.testing.assert_allclose(
        predictor(tmp_path / "opaque.png").probabilities, expected, atol=1e-6
    )


def test_the_command(run, photos, tmp_path, capsys, monkeypatch):
    (tmp_path / "broken.jpg").write_bytes(b"not an image")

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["jaxsent", "predict", str(run), *map(str, arguments)])
        status = commands.main()
        out = capsys.readouterr()
        return status, out.out, out.err

    rows = evaluated(run)
    status, out, err = call(photos, "--json")
    assert (status, err) == (0, f"jaxsent: {DRAWN}\n")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["file"] for line in lines] == sorted(str(photos / f) for f in rows)
    for line in lines:
        row = rows[line["file"].removeprefix(f"{photos}/")]
        assert line["label"] == row["prediction"]
        assert line["probabilities"].keys() == set(jaxsent.emotions.MIKELS)
        assert line["model"]["warning"] == DRAWN
        assert line["model"]["measured"].startswith("Right for ")
    status, out, err = call(tmp_path / "broken.jpg", photos / "test/000003.jpg", "nowhere.jpg",
                            photos / "test" / "00000[12].jpg", "--csv")  # fmt: skip
    assert status == 1
    table = list(csv.DictReader(io.StringIO(out)))
    assert [row["file"][-10:] for row in table] == ["000003.jpg", "000001.jpg", "000002.jpg"]
    assert "broken.jpg: expected an image, found 12 bytes" in err
    assert "nowhere.jpg: cannot be read (No such file or directory)" in err
    status, out, err = call("nowhere.jpg")
    assert (status, out) == (1, "")  # no table, and nothing of how good the answers are
    assert len(err.splitlines()) == 2
    status, out, _ = call(photos / "test/000000.jpg")
    assert status == 0
    assert out.splitlines()[1].split()[0] == rows["test/000000.jpg"]["prediction"]
    assert "Trained on scenes drawn with OpenMoji" in out


def test_maps_and_a_contact_sheet(run, photos, tmp_path, monkeypatch, capsys):
    files = sorted((photos / "test").glob("*.jpg"))[:3]
    monkeypatch.setattr("sys.argv", [
        "jaxsent", "predict", str(run), *map(str, files), "--maps", str(tmp_path / "maps"),
        "--sheet", str(tmp_path / "sheet.html"),
    ])  # fmt: skip
    assert commands.main() == 0
    predictor = jaxsent.load(run)
    for file in files:
        folder = tmp_path / "maps" / file.with_suffix("").relative_to("/")
        names = {path.name for path in folder.iterdir()}
        expected = ("sentiment_map", *jaxsent.emotions.MIKELS)
        assert names == {f"{n}.{s}" for n in expected for s in ("npy", "png", "jpg")}
        prediction = predictor(file)
        np.testing.assert_allclose(
            np.load(folder / "awe.npy"), prediction.class_maps["awe"], atol=1e-4
        )
        shown = cv2.imread(str(folder / "awe.jpg"))[..., ::-1].astype(int)
        assert np.abs(shown - prediction.overlay("awe")).mean() < 6
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("<article") == 3
    assert page.count("data:image/jpeg;base64,") == 6
    assert "3 photographs." in page
    assert f"<strong>{DRAWN}</strong>" in page
    assert "Labels: nobody: each scene is drawn for an emotion." in page
    assert "http" not in page.replace(str(tmp_path), "")
    for file in files:
        assert str(file) in page
    monkeypatch.setattr("sys.argv", ["jaxsent", "predict", str(run), str(files[0]), "--sheet",
                                     str(tmp_path / "no" / "sheet.html")])  # fmt: skip
    assert commands.main() == 2
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err


def test_no_run(tmp_path):
    with pytest.raises(UserError, match=r"expected a run's folder with config.json"):
        jaxsent.load(tmp_path)


def test_streams_are_of_constant_memory():
    """10,000 photographs through a network that does nothing: no more than two batches are held."""
    photo = np.zeros((48, 64, 3), np.uint8)
    sizes = set()

    def network(images):
        sizes.add(len(images))
        return {"class_probabilities": np.full((len(images), 2), 0.5, np.float32)}

    predictor = Predictor(Card(("a", "b"), (), 32, 32, "bilinear"), network)
    tracemalloc.start()
    peaks = []
    for count, _ in enumerate(predictor.stream(photo.copy() for _ in range(10_000)), 1):  # noqa: B007
        if count in (1_000, 10_000):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
    tracemalloc.stop()
    assert (count, sizes) == (10_000, {32})
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 8 * 32 * photo.nbytes


def test_polarity_is_that_of_the_predicted_class_as_the_report_counts_it():
    """The others together may be of the other polarity."""
    probabilities = np.array([0.4, 0.0, 0.0, 0.0, 0.3, 0.3, 0.0, 0.0])
    assert polarity_of(MIKELS, probabilities) == POLARITY[int(polarity(MIKELS)[0])]
    signs = polarity(MIKELS)
    random = np.random.default_rng(0).dirichlet(np.ones(8), 50)
    truth = np.random.default_rng(1).integers(0, 8, 50)
    named = [polarity_of(MIKELS, p) == POLARITY[signs[t]] for p, t in zip(random, truth)]
    assert np.mean(named) == metrics.polarity_accuracy(random.argmax(1), truth, signs)
    assert polarity_of(("cat", "dog"), np.array([0.5, 0.5])) is None


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ({"class_probabilities": np.full((1, 2), np.nan)}, "no finite number"),
        ({"class_probabilities": np.array([[np.inf, 0.0]])}, "no finite number"),
        ({"class_probabilities": np.full((1, 3), 1 / 3)}, "names 2 classes .* answers with 3"),
        (
            {"class_probabilities": np.full((1, 2), 0.5), "detect_probabilities": np.ones((1, 8))},
            "0 emotions, .* with 2 and 8",
        ),
    ],
)
def test_answers_that_no_whole_network_gives(out, expected):
    predictor = Predictor(Card(("a", "b"), (), 32, 32, "bilinear"), lambda images: out)
    with pytest.raises(UserError, match=expected):
        predictor(np.zeros((48, 64, 3), np.uint8))


@pytest.fixture
def ask(photos, monkeypatch, capsys, tmp_path):
    """`jaxsent predict` with a network that knows the mean of red: photographs -> status, texts."""
    from jaxsent.prediction import predictor as module

    def network(images):
        red = images[..., 0].mean((1, 2)) / 255
        return {"class_probabilities": np.stack([red, 1 - red], -1).astype(np.float32)}

    made = Predictor(Card(("red", "other"), (), 32, 32, "bilinear"), network)
    monkeypatch.setattr(module, "load", lambda *_: made)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["jaxsent", "predict", *map(str, arguments)])
        status = commands.main()
        return status, *capsys.readouterr()

    return call


def test_a_folder_is_answered_once(ask, photos, tmp_path):
    out = tmp_path / "answers.jsonl"
    first = sorted((photos / "test").glob("*.jpg"))[:5]
    assert ask(*first, "--out", out)[:2] == (0, "")
    before = out.read_text()
    assert [json.loads(line)["file"] for line in before.splitlines()] == list(map(str, first))
    status, printed, told = ask(photos / "test", "--out", out)
    assert (status, printed) == (0, "")
    assert "5 of 32 are in it" in told
    assert f"written: {out}" in told
    text = out.read_text()
    assert text.startswith(before)
    assert len({json.loads(line)["file"] for line in text.splitlines()}) == 32


def test_the_reddest_first(ask, photos, tmp_path):
    _, table, _ = ask(photos / "test", "--json")
    answers = [json.loads(line) for line in table.splitlines()]
    expected = sorted(answers, key=lambda a: -a["probabilities"]["red"])[:3]
    for more in ((), ("--out", tmp_path / "answers.csv")):
        status, printed, _ = ask(photos / "test", "--json", "--sort", "red", "--top", 3, *more)
        assert status == 0
        lines = [json.loads(line) for line in printed.splitlines()]
        assert [line["file"] for line in lines] == [one["file"] for one in expected]
        assert [line["probabilities"] for line in lines] == [a["probabilities"] for a in expected]
    status, _, told = ask(photos, "--sort", "awe")
    assert status == 2
    assert "--sort awe: expected one of red, other, seconds" in told
    assert ask(photos, "--top", 3)[0] == 2


def test_maps_of_photographs_that_differ_in_their_suffix_alone(run, photos, tmp_path, monkeypatch):
    image = cv2.imread(str(photos / "test/000000.jpg"))
    for name in ("a.jpg", "a.png", "b.jpg"):
        cv2.imwrite(str(tmp_path / name), image)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [
        "jaxsent", "predict", str(run), "a.jpg", "a.png", "b.jpg", "--maps", "maps",
        "--out", "answers.jsonl",
    ])  # fmt: skip
    assert commands.main() == 0
    assert sorted(p.name for p in (tmp_path / "maps").iterdir()) == ["a.jpg", "a.png", "b"]
    first = (tmp_path / "answers.jsonl").read_text().splitlines(keepends=True)[0]
    (tmp_path / "answers.jsonl").write_text(first)
    (tmp_path / "maps").rename(tmp_path / "before")
    assert commands.main() == 0
    assert sorted(p.name for p in (tmp_path / "maps").iterdir()) == ["a.png", "b"]
