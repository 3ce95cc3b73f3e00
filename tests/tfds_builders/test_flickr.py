"""Flickr from small generated trees, by each executor."""

import hashlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import tensorflow_datasets as tfds

from jaxsent.data import records
from jaxsent.data.batches import class_names, num_examples, train_batches
from jaxsent.errors import UserError
from tfds_builders import executors, survey
from tfds_builders.flickr import sentiments
from tfds_builders.flickr.flickr_dataset_builder import Builder
from tfds_builders.flickr.layout import Item, find, split_items
from tfds_builders.prepare import prepare

VALUES = {"happy_dog": 1.5, "sunny_day": 0.25, "dark_night": -1.41, "frail_hand": -1.44}
PUBLISHED = """3244 ANPs

1. dark (2 ANPs)
\tdark_night [sentiment: -1.41] [#imgs: 1,660,000]
\tfrail_hand [sentiment: -1.44] [#imgs: 358]

2. happy (2 ANPs)
\thappy_dog [sentiment: 1.50] [#imgs: 12]
\tsunny_day [sentiment: 0.25] [#imgs: 9]
"""


def write(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (12, 16, 3)))


def tree(root, each=100, inside="."):
    """A folder of four pairs with `each` images that all differ."""
    for number, pair in enumerate(VALUES):
        for i in range(each):
            write(root / inside / pair / f"{i}.jpg", number * each + i)
    (root / "3244ANPs.txt").write_text(PUBLISHED)
    return root


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tree(tmp_path_factory.mktemp("flickr"))


def build(source, out, **settings):
    """A prepared builder, its attributes set."""
    builder = Builder(data_dir=out, file_format="array_record")
    for name, value in settings.items():
        setattr(builder, name, value)
    config = tfds.download.DownloadConfig(manual_dir=source)
    builder.download_and_prepare(download_dir=out / "downloads", download_config=config)
    return builder


def examples(builder):
    """{split: [example]} with images as their files' bytes."""
    return {split: list(records.source(builder, split)) for split in builder.info.splits}


def files(builder):
    """{split: [file]}."""
    return {s: [e["file"].decode() for e in part] for s, part in examples(builder).items()}


def contents(builder):
    """{name: digest} of every file of a prepared set."""
    paths = Path(builder.data_dir).iterdir()
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


# Lists of pairs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        PUBLISHED,
        "\n".join(f"{pair} {value}" for pair, value in VALUES.items()),
        "\n".join(f"{pair}\t{value:+.3f}" for pair, value in VALUES.items()),
        "anp,sentiment\r\n" + "\r\n".join(f"{pair}, {value}" for pair, value in VALUES.items()),
        "\ufeff" + "\n\n".join(f"{p.replace('_', ' ').title()};{v}" for p, v in VALUES.items()),
    ],
    ids=["published", "space", "tab", "csv", "words"],
)
def test_lists_of_pairs(tmp_path, text):
    (tmp_path / "list").write_text(text, encoding="utf-8", newline="")
    assert sentiments.read(tmp_path / "list") == VALUES


@pytest.mark.parametrize("line", ["sad_face", "sad_face much", "sad_face nan", "sad_face 1e999"])
def test_line_without_a_value_is_named(tmp_path, line):
    (tmp_path / "anps.txt").write_text(f"happy_dog 1\n{line}\n")
    with pytest.raises(UserError, match=r"anps.txt, line 2: expected a pair and its value"):
        sentiments.read(tmp_path / "anps.txt")


def test_pair_with_two_values(tmp_path):
    (tmp_path / "anps.txt").write_text("a_b 1\na_b 1.0\nA_b -1\n")
    with pytest.raises(UserError, match=r"line 3: a_b has the value -1, and 1 in a line before"):
        sentiments.read(tmp_path / "anps.txt")


# Layouts and splits ---------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [".", "bi_concepts1553", "Images_with_CC/bi_concepts1553"])
@pytest.mark.parametrize("name", sentiments.NAMES)
def test_layouts(tmp_path, inside, name):
    root = tree(tmp_path, each=2, inside=inside)
    (root / name).parent.mkdir(exist_ok=True)
    (root / "3244ANPs.txt").rename(root / name)
    found = find(root)
    assert {(item.pair, item.sentiment) for item in found.items} == set(VALUES.items())
    assert len(found.items) == 8
    assert all((root / item.file).is_file() for item in found.items)
    assert name in found.layout


def test_no_list_names_the_places(tmp_path):
    with pytest.raises(UserError, match=r"no list .* 3244ANPs.txt .* anps.txt, anps.tsv, anps.csv"):
        find(tmp_path)


def test_no_folder_of_a_pair(tmp_path):
    (tmp_path / "anps.txt").write_text("a_b 1\n")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=r"1 pairs, and none .* expected folders such as a_b/"):
        find(tmp_path)


def test_split_is_a_tenth_of_each_pair_whatever_the_order():
    items = [Item(f"{pair}/{i}.jpg", v) for pair, v in VALUES.items() for i in range(40)]
    moved = [Item(f"deep/{item.file}", item.sentiment) for item in items[::-1]]
    splits, again, other = (
        split_items(part, {item.file: item.file.encode() for item in part}, seed)
        for part, seed in [(items, 0), (moved, 0), (items, 1)]
    )
    for pair in VALUES:
        assert sum(item.pair == pair for item in splits["test"]) == 4
        assert sum(item.pair == pair for item in splits["train"]) == 36
    assert {s: [Item(f"deep/{f}", v) for f, v in p] for s, p in splits.items()} == again
    assert set(splits["test"]) != set(other["test"])
    assert len({item.pair for item in splits["train"][:20]}) == 4  # shuffled


def test_copies_share_a_split(tmp_path, caplog):
    """Each picture lies under two positive pairs; one of them under a negative pair too."""
    root = tmp_path / "source"
    for i in range(100):
        write(root / "happy_dog" / f"{i}.jpg", i)
        write(root / "sunny_day" / f"{i:03d}.jpg", i)
    write(root / "dark_night" / "1.jpg", 1)
    (root / "3244ANPs.txt").write_text(PUBLISHED)
    with caplog.at_level(logging.INFO, "absl"):
        splits = files(build(root, tmp_path / "out", workers=1))
    assert {s: len(part) for s, part in splits.items()} == {"train": 178, "test": 20}
    for part in splits.values():
        happy = {int(Path(f).stem) for f in part if f.startswith("happy")}
        sunny = {int(Path(f).stem) for f in part if f.startswith("sunny")}
        assert happy == sunny
        assert 1 not in happy
    assert "1 contradictory: dark_night/1.jpg = happy_dog/1.jpg = sunny_day/001.jpg" in caplog.text
    assert "99 in several files: happy_dog/0.jpg = sunny_day/000.jpg" in caplog.text


# Preparing ------------------------------------------------------------------------------------


def test_prepared_set(source, tmp_path, caplog):
    steps = []

    def track(results, what, total):
        for result in results:
            steps.append((what, total))
            yield result

    with caplog.at_level(logging.INFO, "absl"):
        builder = prepare("flickr", None, tmp_path / "out", source, track=track)
    assert steps == [("reading", 1), ("writing", 2), ("writing", 2)]
    assert "400 of 484258 images usable" in caplog.text
    told = survey.load(builder.data_dir)
    assert told.counts["test"] == {"negative": 20, "positive": 20}
    assert told.counts["train"] == {"negative": 180, "positive": 180}
    assert {s: num_examples(builder, s) for s in told.counts} == {"train": 360, "test": 40}
    assert class_names(builder) == ["negative", "positive"]
    files = set()
    for part in examples(builder).values():
        for e in part:
            file, pair = e["file"].decode(), e["pair"].decode().replace(" ", "_")
            assert file.startswith(f"{pair}/")
            assert e["sentiment"] == np.float32(VALUES[pair])
            assert e["label"] == e["polarity"] == (VALUES[pair] > 0)
            assert e["image"] == (source / file).read_bytes()
            files.add(file)
    assert len(files) == 400


def test_any_number_of_workers_writes_the_same_bytes(source, tmp_path):
    builders = [
        build(source, tmp_path / str(workers), workers=workers, shard_size=50)
        for workers in (1, 2, 3)
    ]
    assert len([name for name in contents(builders[0]) if "train" in name]) == 8
    assert contents(builders[0]) == contents(builders[1]) == contents(builders[2])
    options = dict(batch_size=32, image_size=16, seed=0)
    again = tfds.builder_from_directory(builders[0].data_dir)
    batches = [next(train_batches(b, "train", **options)) for b in (again, builders[2])]
    np.testing.assert_array_equal(batches[0]["image"], batches[1]["image"])


def test_beam_writes_the_same_bytes(source, tmp_path):
    pytest.importorskip("apache_beam", reason="needs jaxsent[beam]")
    alone = build(source, tmp_path / "alone", workers=1, shard_size=50)
    beam = build(source, tmp_path / "beam", beam=["--direct_num_workers=2"], shard_size=50)
    assert contents(alone) == contents(beam)


def test_without_beam_says_how_to_get_it(source, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"pip install 'jaxsent\[beam\]'"):
        build(source, tmp_path, beam=[])
    assert not list(tmp_path.glob("flickr/default/*"))


def test_odd_files(tmp_path, caplog):
    root = tree(tmp_path / "source", each=20)
    happy = root / "happy_dog"
    (happy / "notes.txt").write_text("no image")
    (happy / "broken.jpg").write_bytes(b"no image")
    (happy / "short.jpg").write_bytes((happy / "1.jpg").read_bytes()[:-40])
    (happy / "folder.jpg").mkdir()
    (happy / "out.jpg").symlink_to("/etc/hostname")
    (happy / "UPPER.JPG").write_bytes((happy / "1.jpg").read_bytes())
    alpha = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)
    cv2.imwrite(str(happy / "alpha.png"), alpha)
    write(root / "unlisted_thing" / "1.jpg", 1)
    write(root / "unlisted_thing" / "2.jpg", 2)
    write(root / "flat_line" / "1.jpg", 1)
    with open(root / "3244ANPs.txt", "a") as file:
        file.write("\n\tflat_line [sentiment: 0.00] [#imgs: 1]\n")

    with caplog.at_level(logging.INFO, "absl"):
        builder = build(root, tmp_path / "out", workers=2)
    for text in (
        "82 of 484258 images usable",
        "3 undecodable: happy_dog/broken.jpg, happy_dog/folder.jpg, happy_dog/short.jpg;",
        "1 refused as links out of the folder: happy_dog/out.jpg",
        "1 in several files: happy_dog/1.jpg = happy_dog/UPPER.JPG",
        "2 left out (of pairs without a value)",
        "1 left out (of pairs of the value 0)",
    ):
        assert text in caplog.text
    stored = {e["file"].decode(): e["image"] for part in examples(builder).values() for e in part}
    assert len(stored) == 82
    assert "happy_dog/UPPER.JPG" in stored
    image = cv2.imdecode(np.frombuffer(stored["happy_dog/alpha.png"], np.uint8), -1)
    assert image.shape == (9, 7, 3)  # on white

    with pytest.raises(UserError, match=r"82 of 484258 .* prepare without strict"):
        build(root, tmp_path / "strict", workers=1, strict=True)
    assert not list(tmp_path.glob("strict/flickr/default/*"))


def test_what_no_pair_has_is_told(tmp_path, caplog, monkeypatch):
    root = tree(tmp_path / "source", each=20)
    write(root / "happy_dog" / "below" / "1.jpg", 1)
    write(root / "loose.jpg", 2)
    write(root / "happy_dog" / "._1.jpg", 3)
    (root / "happy_dog" / "2.dng").write_bytes(b"x")
    (root / "happy_dog" / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (root / "notes.txt").write_text("mine")
    (root / "sad_face").mkdir()
    write(root / "unlisted_thing" / "1.jpg", 4)
    with open(root / "3244ANPs.txt", "a") as file:
        file.write("\n\tsad_face [sentiment: -1.00] [#imgs: 1]\n")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with caplog.at_level(logging.INFO, "absl"):
        builder = build(root, tmp_path / "out", workers=1)
    told = survey.load(builder.data_dir)
    assert told.outside == ["happy_dog/below/1.jpg", "loose.jpg"]
    assert told.unread == ["happy_dog/2.dng", "happy_dog/a.heic"]
    assert (told.empty, told.others, told.undecodable) == (["sad_face/"], ["notes.txt"], [])
    assert (told.found, told.left_out) == (80, {"of pairs without a value": 1})
    assert "pip install 'jaxsent[heic]'" in caplog.text


def test_too_few_for_a_test_split(tmp_path):
    with pytest.raises(UserError, match=r"none for the split test"):
        build(tree(tmp_path / "source", each=2), tmp_path / "out", workers=1)


# What goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [False, True])
def test_killed_build_is_built_again(source, tmp_path, beam):
    """SIGKILL: what is left does not pass for a set, and no worker outlives its parent."""
    if beam:
        pytest.importorskip("apache_beam", reason="needs jaxsent[beam]")
    script = f"""
from pathlib import Path
from tests.tfds_builders.test_flickr import build
options = dict(beam=["--direct_num_workers=2"]) if {beam} else dict(workers=2)
build(Path({str(source)!r}), Path({str(tmp_path)!r}), shard_size=1, **options)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        parent = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        # Beam's workers start by waiting for a driver, whether or not one is left.
        begun = "results.*/0.[0-9]*" if beam else ""
        while len(workers := parent.children(recursive=True)) < 2 or not list(
            tmp_path.glob(f"flickr/default/incomplete.*/{begun}")
        ):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    left = [p.name for p in tmp_path.glob("flickr/default/*")]
    assert left
    assert all(name.startswith("incomplete.") for name in left)
    assert not Builder(data_dir=tmp_path, file_format="array_record").is_prepared()
    assert len(files(build(source, tmp_path, workers=1))["train"]) == 360


def test_failing_unit_is_raised_here(tmp_path):
    with executors.processes(2) as run, pytest.raises(ZeroDivisionError):
        list(run(_inverse, [1, 0, 2]))


def test_what_fails_in_a_beam_is_raised_here(tmp_path):
    pytest.importorskip("apache_beam", reason="needs jaxsent[beam]")
    with (
        pytest.raises(Exception, match="ZeroDivisionError"),
        executors.beam(["--direct_num_workers=1"], tmp_path, [_inverse, _kill]) as run,
    ):
        list(run(_inverse, [1, 0, 2]))


def test_beam_ends_when_its_later_stages_are_given_up(tmp_path):
    """As when no photograph can be used: its workers wait for units that never come."""
    pytest.importorskip("apache_beam", reason="needs jaxsent[beam]")
    others = psutil.Process().children(recursive=True)
    workers = []

    def give_up():
        with executors.beam(["--direct_num_workers=2"], tmp_path, [_inverse, _kill]) as run:
            assert list(run(_inverse, [1, 2, 4])) == [1, 0.5, 0.25]
            workers.extend(set(psutil.Process().children(recursive=True)) - set(others))
            raise UserError("nothing left")

    with pytest.raises(UserError, match="nothing left"):
        give_up()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    assert not list(tmp_path.iterdir())


def test_killed_worker_is_said():
    with (
        pytest.raises(UserError, match=r"worker processes ended early"),
        executors.processes(2) as run,
    ):
        list(run(_kill, [1]))


def test_results_keep_the_units_order():
    with executors.processes(2) as run:
        assert list(run(_slow_first, range(8))) == list(range(8))


def _inverse(x):
    return 1 / x


def _kill(x):
    os.kill(os.getpid(), signal.SIGKILL)


def _slow_first(i):
    time.sleep(0.2 * (i == 0))
    return i
