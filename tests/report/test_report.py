"""The report page: its numbers, its safety, its size, and how a browser lays it out."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from jaxsent import metrics
from jaxsent.emotions import MIKELS, polarity
from jaxsent.metrics import resize_map
from jaxsent.report import Example, overlay, write_report
from jaxsent.report.charts import line_chart, thin, ticks
from jaxsent.report.page import plain
from jaxsent.report.words import THIN, duration, summary

SIDE = 224
VOID = {"meta", "img", "br", "link", "input", "hr"}


def scene(rng):
    """(S, S, 3) uint8 and (S, S) uint8: one bright disc before a dim gradient, and its mask."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    dim = np.stack([60 + 70 * x, 80 + 60 * y, 110 + 40 * x * y], axis=-1)
    image = np.ascontiguousarray(dim.astype(np.uint8))
    region = np.zeros((SIDE, SIDE), np.uint8)
    centre = tuple(int(v) for v in rng.integers(60, SIDE - 60, 2))
    radius = int(rng.integers(24, 56))
    colour = tuple(int(v) for v in rng.integers(120, 255, 3))
    cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
    cv2.circle(region, centre, radius, 255, -1, cv2.LINE_AA)
    return image, region


def sample(count=300, shown=8, seed=0) -> dict:
    """The arguments of `write_report` for a made-up run of eight emotions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, count)
    logits = rng.normal(size=(count, 8)) + 2.2 * np.eye(8)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    results = metrics.classification_scores(probabilities, labels, polarities=polarity(MIKELS))
    rows, boxes, noise, examples = [], [], [], []
    for i in range(60):
        image, region = scene(rng)
        small = cv2.resize(region, (14, 14), interpolation=cv2.INTER_AREA) / 255
        shifted = np.roll(small, rng.integers(-2, 3, 2), axis=(0, 1))
        map = cv2.GaussianBlur(shifted, (0, 0), 0.8) + 0.08 * rng.random((14, 14))
        rows.append(metrics.detection_row(map, region))
        boxes.append(metrics.detection_row(metrics.centre_box(region.shape), region))
        noise.append(metrics.detection_row(metrics.random_map(region.shape, rng), region))
        predicted = int(probabilities[i].argmax())
        class_maps = map[..., None] * logits[i] / 4
        kind = ("best" if predicted == labels[i] else "worst") if i % 4 else "random"
        if [e.kind for e in examples].count(kind) < shown:
            examples.append(
                Example(
                    image=image,
                    sentiment_map=map,
                    class_maps=class_maps,
                    region=region,
                    label=MIKELS[labels[i]],
                    prediction=MIKELS[predicted],
                    probability=float(probabilities[i].max()),
                    probabilities=probabilities[i],
                    file=f"{MIKELS[labels[i]]}/scene_{i:05d}.png",
                    kind=kind,
                )
            )
    results |= {
        "ece": metrics.expected_calibration_error(probabilities, labels),
        "reliability": metrics.reliability(probabilities, labels),
        "attention": {
            "auc_judd": 0.71,
            "auc_borji": 0.69,
            "cc": 0.41,
            "sim": 0.39,
            "emd": 2.1,
            "kl": 1.02,
            "count": 62,
            "no_fixation": 2,
            "baselines": {
                "random": {
                    "auc_judd": 0.5,
                    "auc_borji": 0.5,
                    "cc": 0.0,
                    "sim": 0.2,
                    "emd": 4.5,
                    "kl": 2.2,
                }
            },
        },
        "model": "wsidnet",
        "data": "emoji_scenes",
        "split": "test",
        "classes": list(MIKELS),
        "detect_classes": list(MIKELS),
        "ten_crop_accuracy": 0.9267,
        "ten_crop_accuracy_interval": [0.897, 0.953],
        "detection_accuracy": 0.874,
        "loss": 0.3127,
        "step": 4000,
        "seconds": 3725.0,
        "sentiment_map": metrics.summarise_detection(rows)
        | {
            "cases_by_class": metrics.cases_by_class(rows, labels[:60], 8),
            "baselines": {
                "centre_box": metrics.summarise_detection(boxes),
                "random": metrics.summarise_detection(noise),
            },
        },
    }
    curves = []
    for step in range(10, 4001, 10):
        wave = float(rng.normal() * 0.05)
        curves.append(
            {
                "step": step,
                "split": "train",
                "loss": 2.1 * float(np.exp(-step / 900)) + 0.12 + wave * 0.8,
                "accuracy": 0.97 - 0.85 * float(np.exp(-step / 700)) + wave * 0.4,
                "learning_rate": 1e-3 * (1 + float(np.cos(np.pi * step / 4000))) / 2,
                "images_per_second": 410.0,
            }
        )
        if step % 250 == 0:
            loss = 1.8 * float(np.exp(-step / 1000)) + 0.31
            shown_accuracy = 0.92 - 0.8 * float(np.exp(-step / 800))
            curves.append({"step": step, "split": "test", "loss": loss, "accuracy": shown_accuracy})
    return {
        "title": "WSIDNet on emoji scenes",
        "results": results,
        "curves": curves,
        "examples": examples,
        "config": {"seed": 0, "model": {"name": "wsidnet"}, "train": {"batch_size": 32}},
        "environment": {
            "command": "python run.py --config configs/wsidnet_emoji.py --workdir runs/emoji",
            "jax": "0.10.2",
            "device": "NVIDIA H100 80GB HBM3",
            "git_commit": "0123456789abcdef",
        },
    }


class Page(HTMLParser):
    """Checks nesting and gathers what a page would load, its texts and its ids."""

    def __init__(self, html):
        super().__init__()
        self.open, self.loads, self.links, self.ids, self.text = [], [], [], [], []
        self.feed(html)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        assert not any(name.startswith("on") for name in attrs)
        self.loads += [attrs[name] for name in ("src", "srcset", "data", "poster") if name in attrs]
        (self.links if tag == "a" else self.loads).extend(
            v for k, v in attrs.items() if k == "href"
        )
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text.append(data)


@pytest.fixture(scope="module")
def whole():
    return sample()


@pytest.fixture(scope="module")
def page(whole, tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("whole") / "deep" / "report", **whole)


def test_page_is_well_formed_and_loads_nothing(page):
    html = page.read_text("utf-8")
    parsed = Page(html)
    assert parsed.loads and all(load.startswith("data:image/jpeg;base64,") for load in parsed.loads)
    assert {link.removeprefix("#") for link in parsed.links} <= set(parsed.ids)
    assert not re.search(r"https?://|url\(|@import|<script", html)
    assert page.stat().st_size < 20e6


def test_results_json_holds_the_numbers_sorted(page, whole):
    text = (page.parent / "results.json").read_text()
    results = json.loads(text)
    assert results == plain(whole["results"])
    assert list(results) == sorted(results)


def test_numbers_on_the_page_are_the_results(page, whole):
    text = " ".join(Page(page.read_text("utf-8")).text)
    results = whole["results"]
    for key in ("accuracy", "ten_crop_accuracy", "polarity_accuracy", "detection_accuracy"):
        assert f"{results[key] * 100:.1f}{THIN}%" in text
    maps = results["sentiment_map"]
    for key in ("mae", "precision", "recall", "f"):
        for row in (maps, maps["baselines"]["centre_box"], maps["baselines"]["random"]):
            assert f"{row[key]:.3f}" in text
    assert "300 test images it has never seen" in text
    assert "1 h 2 min" in text and "0123456789abcdef" in text and "4,000" in text


def test_reliability_bars_are_the_bins(page, whole):
    html = page.read_text("utf-8")
    bins = whole["results"]["reliability"]
    said = re.findall(rf"<title>([\d,]+) images, ([\d.]+){THIN}% sure, ([\d.]+){THIN}%", html)
    filled = np.flatnonzero(bins["count"])
    assert len(said) == len(filled)
    for (count, sure, right), i in zip(said, filled, strict=True):
        assert int(count.replace(",", "")) == bins["count"][i]
        assert abs(float(sure) - 100 * bins["confidence"][i]) < 0.06
        assert abs(float(right) - 100 * bins["accuracy"][i]) < 0.06
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" opacity', html)]
    np.testing.assert_allclose(np.array(heights) / 240, bins["accuracy"][filled], atol=1e-3)
    text = " ".join(Page(html).text)
    assert f"{whole['results']['ece'] * 100:.1f}{THIN}%" in text
    assert "0.410" in text and "Over 60 images." in text  # attention


def test_confusion_cells_are_the_matrix(page, whole):
    html = page.read_text("utf-8")
    cells = re.findall(r'<td class="(?:hit|miss)[^>]*>([^<]+)</td>', html)
    counts = [int(cell.replace("·", "0")) for cell in cells]
    np.testing.assert_array_equal(
        np.reshape(counts, (8, 8)), np.array(whole["results"]["confusion"])
    )


def test_right_and_wrong_are_told_apart_by_more_than_colour(page, whole):
    html = page.read_text("utf-8")
    right = sum(e.label == e.prediction for e in whole["examples"])
    wrong = len(whole["examples"]) - right
    assert right and wrong
    assert html.count("<i>✓</i>") == right and html.count("<i>✗</i>") == wrong
    assert html.count('<span class="truth">truth: ') == wrong


def test_text_of_the_user_is_escaped(whole, tmp_path):
    evil = '<script>alert("1")</script>&'
    examples = [
        Example(**{**vars(whole["examples"][0]), "file": evil, "label": evil, "prediction": name})
        for name in (evil, "awe")
    ]
    results = {**whole["results"], "classes": [evil, *MIKELS[1:]], "model": evil, "data": evil}
    results["detect_classes"] = results["classes"]
    arguments = {
        **whole,
        "title": evil,
        "results": results,
        "examples": examples,
        "config": {evil: evil},
        "environment": {evil: evil, "command": evil},
    }
    html = write_report(tmp_path, **arguments).read_text("utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert '<script>alert("1")</script>&' in "".join(Page(html).text)


def test_every_part_is_optional(whole, tmp_path):
    Page(write_report(tmp_path / "none", title="t", results={}).read_text("utf-8"))
    for key in whole["results"]:
        for value in ({}, {key: None}):
            results = {k: v for k, v in whole["results"].items() if k != key} | value
            page = write_report(
                tmp_path / key, title="t", results=results, examples=whole["examples"][:1]
            )
            html = page.read_text("utf-8")
            text = " ".join(Page(html).text)
            assert "None" not in text and "nan" not in text
    bare = Example(**{**vars(whole["examples"][0]), "sentiment_map": None, "class_maps": None,
                      "region": None, "probabilities": None})  # fmt: skip
    lines = [{"step": 1, "split": "train", "loss": float("nan")}, {"split": "test"}, {"epoch": 1.0}]
    html = write_report(
        tmp_path / "bare", title="t", results={}, examples=[bare], curves=lines
    ).read_text("utf-8")
    Page(html)
    assert "<svg" not in html and html.count("<img") == 1


def test_numbers_that_are_not_finite_become_null(tmp_path):
    results = {
        "accuracy": np.float32(0.5),
        "loss": float("nan"),
        "count": np.int64(3),
        "recall": np.array([1.0, np.inf]),
    }
    page = write_report(tmp_path, title="t", results=results)
    assert json.loads((page.parent / "results.json").read_text()) == {
        "accuracy": 0.5,
        "loss": None,
        "count": 3,
        "recall": [1.0, None],
    }


def test_size_is_bounded_and_what_is_left_out_is_counted(whole, tmp_path):
    noisy = np.random.default_rng(0).integers(0, 255, (320, 320, 3), dtype=np.uint8)
    example = Example(**{**vars(whole["examples"][0]), "image": noisy, "region": None})
    page = write_report(tmp_path, title="t", results={}, examples=[example] * 200)
    html = page.read_text("utf-8")
    assert page.stat().st_size < 20e6
    shown = html.count("<article")
    assert f"{200 - shown:,} more examples were left out" in html


def test_overlay_shows_the_photograph_where_the_map_is_low():
    image = np.full((40, 60, 3), 100, np.uint8)
    map = np.zeros((4, 6))
    map[1, 1] = 7.0
    mixed = overlay(image, map)
    assert mixed.shape == image.shape and mixed.dtype == np.uint8
    np.testing.assert_array_equal(mixed[:, 40:], image[:, 40:])
    change = np.abs(mixed.astype(int) - 100).sum(-1)
    assert change[15, 15] > 150
    np.testing.assert_array_equal(overlay(image, np.full((4, 6), 3.0)), image)
    np.testing.assert_array_equal(overlay(image, map, limits=(7.0, 9.0)), image)
    peak = resize_map(map, image.shape[:2]).max()
    np.testing.assert_array_equal(overlay(image, map, limits=(0.0, peak)), mixed)


def test_pictures_on_the_page_are_readable_jpegs(page):
    uris = re.findall(r"data:image/jpeg;base64,([^\"]+)", page.read_text("utf-8"))
    for uri in uris[:5]:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(uri), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None and image.shape[1] <= 320


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(1.0, [0, 0.25, 0.5, 0.75, 1]), (4000, [0, 1000, 2000, 3000, 4000]), (0.0, [0, 1])],
)
def test_ticks_are_round_and_reach_the_largest(largest, expected):
    np.testing.assert_allclose(ticks(largest, 4), expected)


def test_ticks_cover_any_scale():
    for largest in 10 ** np.random.default_rng(0).uniform(-6, 7, 200):
        found = ticks(float(largest), 4)
        assert found[-1] >= largest * (1 - 1e-9) and 2 <= len(found) <= 6


def test_charts_keep_the_last_value_and_skip_what_is_not_finite():
    points = [(float(i), float(i)) for i in range(10_000)]
    assert len(thin(points)) <= 240 and thin(points)[-1] == points[-1]
    assert line_chart({"train": [(1, float("nan"))]}, "x") == ""
    svg = line_chart({"train": [(0, 0.0)], "test": [(0, 0.0)]}, "a < b")
    assert "NaN" not in svg and "a &lt; b" in svg


def test_summary_speaks_of_the_split_and_the_chance():
    results = {"model": "wsidnet", "accuracy": 0.912, "accuracy_interval": [0.887, 0.933],
               "count": 600, "classes": list(MIKELS), "split": "test"}  # fmt: skip
    assert summary(results).replace(THIN, " ") == (
        "WSIDNet names the right one of 8 emotions for 91.2 % of 600 test images it has never seen "
        "(95 % interval 88.7–93.3 %; guessing gives 12.5 %)."
    )
    both = {
        "accuracy": 0.8,
        "classes": ["negative", "positive"],
        "majority": 0.65,
        "split": "train",
    }
    text = summary(both)
    assert "tells positive from negative" in text and "never seen" not in text
    assert "always naming the most frequent class gives 65.0" in text
    assert [duration(s) for s in (4.2, 75, 3725)] == ["4.2 s", "1 min", "1 h 2 min"]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium to lay the page out")
def test_a_browser_shows_the_page_without_sideways_scrolling(page, tmp_path):
    """One browser, one page with a frame for each width; the frames report their overflow."""
    measure = """<script>onload = () => { let root = document.documentElement, wide = [];
      for (let e of document.querySelectorAll('main *')) if (!e.closest('.scroll, pre') &&
        e.getBoundingClientRect().right > root.clientWidth + 1) wide.push(e.className || e.tagName);
      let broken = [...document.images].filter(i => { i.loading = 'eager';
        return !i.getAttribute('src').startsWith('data:image/jpeg') || !i.alt; }).length;
      document.title = [root.clientWidth, root.scrollWidth, broken, wide.slice(0, 5)].join(' ');
      parent.postMessage(document.title, '*'); }</script>"""
    html = page.read_text("utf-8").replace("</body>", measure + "</body>")
    (tmp_path / "page.html").write_text(html, "utf-8")
    widths = (360, 390, 1280)
    frames = "".join(
        f'<iframe src="page.html" style="width:{width}px;height:800px;border:0"></iframe>'
        for width in widths
    )
    (tmp_path / "frames.html").write_text(
        f"<body>{frames}<pre></pre><script>onmessage = e => "
        "{ document.querySelector('pre').textContent += e.data + '\\n' }</script>"
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--virtual-time-budget=4000", f"--user-data-dir={tmp_path / 'profile'}"]  # fmt: skip
    done = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", (tmp_path / "frames.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = re.search(r"<pre>(.*?)</pre>", done.stdout, re.S).group(1).split("\n")
    frames = [line.split() for line in lines if line.strip()]
    assert len(frames) == len(widths)
    for inner, needed, broken, *wide in frames:
        assert inner == needed and broken == "0" and not wide, (inner, needed, broken, wide)
