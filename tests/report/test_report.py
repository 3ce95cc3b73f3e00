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

from jaxsent.emotions import MIKELS
from jaxsent.metrics import resize_map
from jaxsent.report import Example, overlay, write_report
from jaxsent.report.gallery import KINDS
from jaxsent.report.page import plain
from jaxsent.report.units import segmented
from jaxsent.report.words import THIN
from tests.report.sample import sample

VOID = {"meta", "img", "br", "link", "input", "hr"}


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
    titles = re.findall(rf"<title>([\d,]+) images, ([\d.]+){THIN}% sure, ([\d.]+){THIN}%", html)
    filled = np.flatnonzero(bins["count"])
    assert len(titles) == len(filled)
    for (count, sure, right), i in zip(titles, filled, strict=True):
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


def test_class_maps_stand_by_their_branchs_probabilities(page, whole):
    """With the numbers printed, and both branches' answers as two."""
    text = page.read_text()
    cards = re.findall(r'<article class="example.*?</article>', text, re.DOTALL)
    assert len(cards) == len(whole["examples"])
    for card, example in zip(cards, sorted(whole["examples"], key=lambda e: order(e.kind))):
        captions = re.findall(r"<figcaption>(\w+) <b>([\d.]+)", card)
        chances = example.map_probabilities
        expected = [MIKELS[c] for c in np.argsort(-chances, kind="stable")]
        assert [name for name, _ in captions] == expected
        assert [float(v) for _, v in captions] == pytest.approx(
            100 * np.sort(chances)[::-1], abs=0.051
        )
        assert f"detection branch: <b>{expected[0]}</b>" in card
        assert f"<b>{example.prediction}</b>" in card


def order(kind):
    return list(KINDS).index(kind)


def test_class_specificity_and_units_are_shown(page, whole):
    text = page.read_text()
    assert "Class specificity" in text
    assert f"{whole['results']['specificity']['region_auc']:.3f}" in text
    assert text.count("unit 1</figcaption>") == 2
    assert text.count('alt="unit ') == 8


def test_a_unit_is_bright_where_its_map_is_high():
    map = np.zeros((4, 4))
    map[:2] = 1
    shown = segmented(np.full((8, 8, 3), 200, np.uint8), map)
    assert (shown[:3] == 200).all()
    assert (shown[5:] == 50).all()


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


def test_whoever_drew_what_is_shown_is_named(whole, tmp_path):
    for name, named in (("emoji_scenes/tiny", True), ("oasis/fold1", False)):
        results = whole["results"] | {"data": name}
        path = write_report(tmp_path, title="t", results=results, examples=whole["examples"][:1])
        assert ("OpenMoji, CC BY-SA 4.0" in path.read_text()) == named
