"""A set that is there: kept, refused or replaced, and whole whatever happens meanwhile."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jaxsent.errors import UserError
from tests.tfds_builders import test_flickr, trees
from tests.tfds_builders.test_folder import pets
from tests.tfds_builders.test_prepare import packed
from tfds_builders import again, origin, survey
from tfds_builders.prepare import prepare, prepared


@pytest.fixture
def source(tmp_path):
    return pets(tmp_path / "pets", 10)


def run(tmp_path, source=None, **options):
    """(the set's survey, its files, what was told) of folder/mine."""
    told = []
    builder = prepare("folder", "mine", tmp_path / "out", source, tell=told.append, **options)
    files = {file for split in builder.info.splits for file in trees.labels(builder, split)}
    assert trees.sizes(builder) == {
        split: len(trees.labels(builder, split)) for split in trees.sizes(builder)
    }
    return survey.load(builder.data_dir), files, " ".join(told)


def stamp(tmp_path):
    """Of the files of the set: other after each build."""
    (folder,) = (one.folder for one in prepared(tmp_path / "out"))
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_unchanged_is_kept_and_said(tmp_path, source):
    known, files, told = run(tmp_path, source)
    assert told == ""
    assert known.digest == origin.digest(origin.files(source))
    first = stamp(tmp_path)
    for options in ({}, {"changed": "rebuild"}):
        _, same, told = run(tmp_path, source, **options)
        assert told == (
            f"folder/mine is there already, prepared from {source}; {source} is unchanged."
        )
        assert (stamp(tmp_path), same) == (first, files)
    _, _, told = run(tmp_path)
    assert told == f"folder/mine is there already, prepared from {source}."


def test_a_zip_of_the_folder_is_no_change(tmp_path, source):
    run(tmp_path, source)
    first = stamp(tmp_path)
    _, _, told = run(tmp_path, packed(source, tmp_path / "pets.zip", "pets/"), changed="rebuild")
    assert "pets.zip is unchanged" in told
    assert stamp(tmp_path) == first


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_changed_source_is_prepared_again(tmp_path, source, kind):
    def origin_of():
        return source if kind == "folder" else packed(source, tmp_path / "pets.zip")

    _, before, _ = run(tmp_path, origin_of())
    trees.photograph(source / "cat" / "new.jpg")
    (source / "dog" / "0.jpg").unlink()
    known, files, told = run(tmp_path, origin_of(), changed="rebuild")
    assert "has changed: 1 new (cat/new.jpg), 1 gone (dog/0.jpg); preparing it again" in told
    assert files == before - {"dog/0.jpg"} | {"cat/new.jpg"}
    assert known.found == 20
    assert [p.name for p in (tmp_path / "out" / "folder" / "mine").iterdir()] == ["1.0.0"]
    assert "is unchanged" in run(tmp_path, origin_of())[2]


def test_a_changed_source_is_an_error_unless_asked_for(tmp_path, source):
    """As at the start of a run: the set may be that of runs that are done."""
    run(tmp_path, source)
    first = stamp(tmp_path)
    trees.photograph(source / "cat" / "new.jpg")
    with pytest.raises(UserError) as error:
        run(tmp_path, source)
    for text in (
        "1 new (cat/new.jpg)",
        f"jaxsent data prepare folder/mine --from {source} --data-dir {tmp_path / 'out'}`",
        "leave out the source (data.source)",
    ):
        assert text in str(error.value)
    assert stamp(tmp_path) == first
    assert "cat/new.jpg" not in run(tmp_path)[1]


def test_a_source_that_is_gone_hinders_no_run(tmp_path, source):
    run(tmp_path, source)
    source.rename(tmp_path / "moved")
    assert f"{source} is not there any more" in run(tmp_path, source)[2]
    with pytest.raises(UserError, match="is not there; expected"):
        run(tmp_path, source, changed="rebuild")


def test_force_builds_anew(tmp_path, source):
    _, files, _ = run(tmp_path, source)
    first = stamp(tmp_path)
    _, same, told = run(tmp_path, source, force=True)
    assert "preparing it again, as you force it" in told
    assert same == files
    assert not stamp(tmp_path).items() & first.items()
    with pytest.raises(UserError, match="to prepare it again, its source folder is needed"):
        run(tmp_path, force=True)


def test_a_set_of_an_older_version_is_kept_and_said(tmp_path, source):
    run(tmp_path, source)
    (one,) = prepared(tmp_path / "out")
    known = json.loads((one.folder / survey.FILE).read_text())
    for key in ("digest", "unread", "outside", "empty", "unlisted", "others", "nested"):
        del known[key]
    (one.folder / survey.FILE).write_text(json.dumps(known))
    (one.folder / origin.FILE).unlink()
    trees.photograph(source / "cat" / "new.jpg")
    for changed in ("error", "rebuild"):
        known, files, told = run(tmp_path, source, changed=changed)
        assert "did not note what it was prepared from; it is kept as it is, and --force" in told
        assert "cat/new.jpg" not in files
    known, files, _ = run(tmp_path, source, force=True)
    assert known.digest
    assert "cat/new.jpg" in files


def test_generated_sets_are_made_anew_by_force(tmp_path):
    told = []
    for force in (False, False, True):
        builder = prepare("emoji_scenes", "tiny", tmp_path, force=force, tell=told.append)
        assert trees.sizes(builder) == {"train": 64, "test": 32}
    assert told == [
        "emoji_scenes/tiny is there already.",
        "emoji_scenes/tiny is there already; preparing it again, as you force it.",
    ]


def test_flickr_is_prepared_again(tmp_path):
    source = test_flickr.tree(tmp_path / "in", each=20)
    builder = prepare("flickr", None, tmp_path / "out", source)
    assert survey.load(builder.data_dir).digest == origin.digest(origin.files(source))
    test_flickr.write(source / "happy_dog" / "new.jpg", 99)
    told = []
    options = {"tell": told.append, "changed": "rebuild"}
    builder = prepare("flickr", None, tmp_path / "out", source, **options)
    assert "1 new (happy_dog/new.jpg)" in told[0]
    assert survey.load(builder.data_dir).found == sum(trees.sizes(builder).values()) == 81


def test_an_interrupted_rebuild_leaves_the_old_set(tmp_path, source):
    _, files, _ = run(tmp_path, source)
    first = stamp(tmp_path)
    trees.photograph(source / "cat" / "new.jpg")

    def track(steps, what, total):
        for step in steps:
            if what == "writing test":
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, source, changed="rebuild", track=track)
    assert (stamp(tmp_path), run(tmp_path)[1]) == (first, files)
    assert [p.name for p in (tmp_path / "out" / "folder" / "mine").iterdir()] == ["1.0.0"]
    (source / "dog" / "cut.jpg").write_bytes(b"")
    with pytest.raises(UserError, match="1 undecodable: dog/cut.jpg"):
        run(tmp_path, source, changed="rebuild", strict=True)
    assert (stamp(tmp_path), run(tmp_path)[1]) == (first, files)


def test_a_killed_rebuild_leaves_the_old_set(tmp_path, source):
    _, files, _ = run(tmp_path, source)
    script = f"""
import sys, time
from tfds_builders.prepare import prepare
def track(steps, what, total):
    for step in steps:
        if what == "writing test":
            print("stalled", file=sys.stderr, flush=True)
            time.sleep(60)
        yield step
prepare("folder", "mine", {str(tmp_path / "out")!r}, {str(source)!r}, track=track, force=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert any("stalled" in line for line in process.stderr)
        process.send_signal(signal.SIGKILL)
    assert [one.name for one in prepared(tmp_path / "out")] == ["folder/mine"]
    assert run(tmp_path, source)[1] == files
    assert run(tmp_path, source, force=True)[1] == files


@pytest.mark.parametrize("there", [False, True])
def test_a_replacement_that_was_cut_off_is_put_right(tmp_path, source, there):
    """Between the two renames the old set has the new one's place, after them it is rubbish."""
    _, files, _ = run(tmp_path, source)
    (one,) = prepared(tmp_path / "out")
    old = one.folder.with_name(again.OLD + one.folder.name)
    if there:
        old.mkdir()
        (old / "dataset_info.json").write_text("{}")
    else:
        one.folder.rename(old)
    assert [one.name for one in prepared(tmp_path / "out")] == ["folder/mine"] * there
    assert run(tmp_path)[1] == files
    assert [p.name for p in one.folder.parent.iterdir()] == ["1.0.0"]
