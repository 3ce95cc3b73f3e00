"""A set is built once and whole, or not at all: on the tiny configuration of emoji_scenes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxsent.data.batches import class_names, num_examples
from jaxsent.errors import UserError
from tfds_builders.emoji_scenes import emoji_scenes_dataset_builder as emoji
from tfds_builders.prepare import prepare


def test_prepared_set_is_read_not_built(prepared, monkeypatch):
    monkeypatch.setattr(emoji.Builder, "_generate_examples", None)
    again = prepare("emoji_scenes", "tiny", prepared)
    assert num_examples(again, "train") == 64
    assert num_examples(again, "test") == 32
    assert class_names(again)[0] == "amusement"


def test_unknown_configuration(tmp_path):
    with pytest.raises(UserError, match=r"emoji_scenes has no configuration huge; it has"):
        prepare("emoji_scenes", "huge", tmp_path)


def test_unknown_set_suggests_a_name(tmp_path):
    with pytest.raises(UserError, match=r"did you mean emoji_scenes?"):
        prepare("emoji_scene", None, tmp_path)


@pytest.mark.parametrize("source", [None, "nowhere", "."])
def test_without_a_source_says_what_is_needed(source, tmp_path):
    with pytest.raises(UserError) as error:
        prepare("oasis", "fold1", tmp_path / "out", source and tmp_path / source)
    for text in ("OASIS.csv", "images/", "make demo", "osf.io", str(tmp_path)):
        assert text in str(error.value)
    assert not (tmp_path / "out").exists()


def test_unwritable_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    with pytest.raises(UserError, match=r"cannot write there"):
        prepare("emoji_scenes", "tiny", file)
    with pytest.raises(UserError, match=r"cannot write there"):
        prepare("emoji_scenes", "tiny", file / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"cannot write there"):
        prepare("emoji_scenes", "tiny", tmp_path)


def test_failed_build_leaves_nothing(tmp_path, monkeypatch):
    whole = emoji.Builder._generate_examples

    def fails(self, split):
        yield from whole(self, split)
        if split == "test":
            raise KeyboardInterrupt

    monkeypatch.setattr(emoji.Builder, "_generate_examples", fails)
    with pytest.raises(KeyboardInterrupt):
        prepare("emoji_scenes", "tiny", tmp_path)
    assert not list(tmp_path.glob("emoji_scenes/tiny/*"))
    monkeypatch.undo()
    assert num_examples(prepare("emoji_scenes", "tiny", tmp_path), "test") == 32


def test_killed_build_is_built_again(tmp_path):
    """SIGKILL amid the second split: what is left does not pass for a set."""
    script = f"""
import time
from tfds_builders.prepare import prepare
from tfds_builders.emoji_scenes import emoji_scenes_dataset_builder as emoji
whole = emoji.Builder._generate_examples
def stalls(self, split):
    yield from whole(self, split)
    if split == "test":
        print("stalled", flush=True, file=__import__("sys").stderr)
        time.sleep(60)
emoji.Builder._generate_examples = stalls
prepare("emoji_scenes", "tiny", {str(tmp_path)!r})
"""
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        assert any("stalled" in line for line in process.stderr)
        process.kill()
    left = [p.name for p in (tmp_path / "emoji_scenes" / "tiny").iterdir()]
    assert len(left) > 1
    assert all(name.startswith("incomplete.") or name == ".preparing.lock" for name in left)
    assert num_examples(prepare("emoji_scenes", "tiny", tmp_path), "train") == 64
