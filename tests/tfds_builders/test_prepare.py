"""Archives, progress, interruption, and what is told of sets before and after."""

import os
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tfds_builders
from jaxsent.data.batches import num_examples
from jaxsent.errors import UserError
from tests.tfds_builders import trees
from tests.tfds_builders.test_folder import pets
from tfds_builders import archive, progress, survey
from tfds_builders.prepare import prepare, prepared


def packed(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for member in sorted(p for p in folder.rglob("*") if p.is_file()):
            file.write(member, f"{inside}{member.relative_to(folder).as_posix()}")
    return path


@pytest.mark.parametrize("inside", ["", "Our pets/", "a/b/"])
def test_a_zip_is_read_like_its_folder(tmp_path, inside):
    source = packed(pets(tmp_path / "pets", 10), tmp_path / "pets.ZIP", inside)
    out = tmp_path / "out"
    builder = prepare("folder", "zipped", out, source)
    plain = prepare("folder", "plain", out, tmp_path / "pets")
    for split in ("train", "validation", "test"):
        if split in plain.info.splits:
            ours, theirs = trees.examples(builder, split), trees.examples(plain, split)
            assert ours.keys() == theirs.keys()
            assert all(ours[f]["image"] == theirs[f]["image"] for f in ours)
    assert survey.load(builder.data_dir).source == str(source)
    assert [p.name for p in out.iterdir()] == ["folder"]


def _member(name, mode=0o100644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("../evil.jpg", 0o100644, "leads out of the folder"),
        ("cat/../../evil.jpg", 0o100644, "leads out of the folder"),
        ("cat\\..\\..\\evil.jpg", 0o100644, "leads out of the folder"),
        ("/tmp/evil.jpg", 0o100644, "absolute path"),
        ("C:\\evil.jpg", 0o100644, "absolute path"),
        ("cat/link.jpg", stat.S_IFLNK | 0o777, "symbolic link"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(tmp_path, name, mode, message):
    source = packed(pets(tmp_path / "pets", 3), tmp_path / "pets.zip")
    with zipfile.ZipFile(source, "a") as file:
        file.writestr(_member(name, mode), b"/etc/passwd")
    with pytest.raises(UserError, match=message):
        prepare("folder", None, tmp_path / "out", source)
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "evil.jpg").exists()


def test_absurd_expansion_is_refused(tmp_path, monkeypatch):
    source = tmp_path / "bomb.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.jpg", bytes(archive.SMALL + 1))
    assert source.stat().st_size < archive.SMALL / 500
    with pytest.raises(UserError, match="bytes would become 67108865"):
        prepare("folder", None, tmp_path / "out", source)
    source = packed(pets(tmp_path / "pets", 3), tmp_path / "pets.zip")
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: _Disk)
    with pytest.raises(UserError, match="bytes to unpack, 10 are free"):
        prepare("folder", None, tmp_path / "out", source)


class _Disk:
    free = 10


def test_damaged_zips(tmp_path):
    source = packed(pets(tmp_path / "pets", 3), tmp_path / "pets.zip")
    whole = source.read_bytes()
    for broken in (whole[:-30], b"no zip", b"", whole[:200] + b"x" * 50 + whole[250:]):
        source.write_bytes(broken)
        with pytest.raises(UserError, match="expected a zip file that is whole"):
            prepare("folder", None, tmp_path / "out", source)
        assert not list((tmp_path / "out").iterdir())


def test_other_archives_are_named(tmp_path):
    (tmp_path / "pets.tar.gz").write_bytes(b"")
    with pytest.raises(UserError, match="pets.tar.gz is neither a folder nor a .zip"):
        prepare("folder", None, tmp_path / "out", tmp_path / "pets.tar.gz")


def test_progress_is_told_to_whoever_asks(tmp_path, capfd):
    told = []

    def track(steps, what, total):
        steps = list(steps)
        told.append((what, total, len(steps)))
        return steps

    source = packed(pets(tmp_path / "pets"), tmp_path / "pets.zip")
    prepare("folder", None, tmp_path / "out", source, track=track)
    assert told == [
        ("unpacking pets.zip", 40, 40),
        ("reading", 40, 40),
        ("writing train", 32, 32),
        ("writing validation", 2, 2),
        ("writing test", 6, 6),
    ]
    prepare("folder", "quiet", tmp_path / "out", tmp_path / "pets", track=progress.silent)
    prepare("folder", "bar", tmp_path / "out", tmp_path / "pets")
    assert "━" not in "".join(capfd.readouterr())  # no terminal, no bar


def test_a_bar_on_a_terminal(monkeypatch, capfd):
    from rich.console import Console

    terminal = Console(file=sys.stderr, force_terminal=True, width=80)
    monkeypatch.setattr(progress, "console", terminal)
    assert list(progress.bar(range(5), "reading", 5)) == list(range(5))
    assert "reading" in capfd.readouterr().err


def test_interrupted_while_writing(tmp_path):
    """Nothing but temporary folders is left, and the next call builds the set."""
    source = pets(tmp_path / "pets", 30)

    def track(steps, what, total):
        for i, step in enumerate(steps):
            if what == "writing test" and i == 2:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        prepare("folder", "mine", tmp_path / "out", source, track=track)
    assert not prepared(tmp_path / "out")
    assert trees.sizes(prepare("folder", "mine", tmp_path / "out", source))["test"] == 8


def test_killed_while_reading(tmp_path):
    source = packed(pets(tmp_path / "pets"), tmp_path / "pets.zip")
    out = tmp_path / "out"
    script = f"""
import sys, time
from tfds_builders.prepare import prepare
def track(steps, what, total):
    for i, step in enumerate(steps):
        if what == "reading" and i == 7:
            print("stalled", file=sys.stderr, flush=True)
            time.sleep(60)
        yield step
prepare("folder", "mine", {str(out)!r}, {str(source)!r}, track=track)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert any("stalled" in line for line in process.stderr)
        process.send_signal(signal.SIGKILL)
    assert not prepared(out)
    builder = prepare("folder", "mine", out, source)
    assert num_examples(builder, "train") == 32
    assert [p.name for p in prepared(out)] == ["folder/mine"]


def test_prepared_sets_are_listed(tmp_path):
    assert prepared(tmp_path / "nowhere") == []
    out = tmp_path / "out"
    prepare("emoji_scenes", "tiny", out)
    prepare("folder", "mypets", out, pets(tmp_path / "pets"))
    (out / "mnist" / "default" / "1.0.0").mkdir(parents=True)
    (out / "mnist" / "default" / "1.0.0" / "dataset_info.json").write_text("{}")
    (out / "fi" / "default" / "incomplete.X_1.0.0").mkdir(parents=True)
    (out / "fi" / "default" / "incomplete.X_1.0.0" / "dataset_info.json").write_text("{}")
    one, other = prepared(out)
    assert (one.name, other.name) == ("emoji_scenes/tiny", "folder/mypets")
    assert survey.load(one.folder) is None
    assert survey.load(other.folder).found == 40


@pytest.mark.parametrize("name", tfds_builders.names())
def test_every_set_has_a_card_and_its_papers(name):
    cls = tfds_builders.builder_class(name)
    card = cls.CARD
    assert card.title
    assert card.licence
    assert len(card.title) < 90
    assert bool(cls.MANUAL_DOWNLOAD_INSTRUCTIONS) == bool(card.layout)
    assert card.layout in (cls.MANUAL_DOWNLOAD_INSTRUCTIONS or "")
    folder = Path(tfds_builders.__file__).parent / name
    assert len((folder / "README.md").read_text()) > 200
    assert "content.data-type.image" in (folder / "TAGS.txt").read_text()
    if name != "folder":
        assert (folder / "CITATIONS.bib").read_text().startswith("@")


def test_beam_is_for_sets_that_have_it(tmp_path):
    with pytest.raises(UserError, match="folder: .* leave out beam"):
        prepare("folder", None, tmp_path / "out", pets(tmp_path / "pets"), beam=[])
