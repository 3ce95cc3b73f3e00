"""What lies in a folder or .zip: names, sizes, digests, and how two listings differ."""

import os
import zipfile

import pytest

from jaxsent.errors import UserError
from tfds_builders import origin

TREE = {"cat/1.jpg": b"aa", "cat/deep/2.jpg": b"b", "labels.csv": b"path,label\n", "dog/é.png": b""}


def write(root, tree=TREE):
    for name, data in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def test_files_of_a_folder_by_name_and_size(tmp_path):
    files = origin.files(write(tmp_path))
    assert files.keys() == TREE.keys()
    assert (files["cat/1.jpg"], files["cat/deep/2.jpg"], files["dog/é.png"]) == ("2", "1", "0")
    assert set(origin.names(tmp_path)) == TREE.keys()


def test_what_systems_leave_is_none_of_it(tmp_path):
    before = origin.files(write(tmp_path))
    for name in (".DS_Store", "cat/._1.jpg", "__MACOSX/cat/1.jpg", ".git/x.jpg", "cat/Thumbs.db"):
        write(tmp_path, {name: b"x"})
    assert origin.files(tmp_path) == before


def test_digest_hangs_on_names_sizes_and_what_tables_say(tmp_path):
    files = origin.files(write(tmp_path / "a"))
    reversed_order = dict(reversed(files.items()))
    assert origin.digest(files) == origin.digest(reversed_order)
    for name, data in (("cat/1.jpg", b"aaa"), ("cat/3.jpg", b""), ("labels.csv", b"path,lable\n")):
        changed = origin.files(write(tmp_path / name / "b", TREE | {name: data}))
        assert origin.digest(changed) != origin.digest(files), name
    same_size = origin.files(write(tmp_path / "c", TREE | {"cat/1.jpg": b"zz"}))
    assert origin.digest(same_size) == origin.digest(files)  # no photograph is opened


def test_names_cannot_pass_for_sizes():
    assert origin.digest({"a1": "2"}) != origin.digest({"a": "12"})


@pytest.mark.parametrize("inside", ["", "pets/", "a/b/", "./"])
def test_a_zip_agrees_with_its_folder(tmp_path, inside):
    folder = write(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir("empty")
        file.writestr("__MACOSX/cat/._1.jpg", b"x")
        for name in TREE:
            file.write(folder / name, inside + name)
    assert origin.files(tmp_path / "in.zip") == origin.files(folder)
    (tmp_path / "in.zip").write_bytes(b"none")
    with pytest.raises(UserError, match=r"in.zip: expected a zip file that is whole"):
        origin.files(tmp_path / "in.zip")


def test_links(tmp_path):
    """To a folder they are followed, in a circle they end; what leads nowhere is there."""
    root = write(tmp_path / "in")
    (root / "linked").symlink_to(root / "cat" / "deep")
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "deep" / "self").symlink_to(root / "cat" / "deep" / "self")
    (root / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    files = origin.files(root)
    assert files["linked/2.jpg"] == "1"
    assert files["lost.jpg"] == files["cat/deep/self"] == "0"
    assert not any(name.startswith("cat/up") for name in files)
    os.mkfifo(root / "pipe.csv")
    assert origin.files(root)["pipe.csv"] == "0"


def test_a_folder_with_a_photographs_name_is_told_of(tmp_path):
    write(tmp_path, {"cat/a.jpg/b.jpg": b"x"})
    assert list(origin.names(tmp_path)) == ["cat/a.jpg"]


def test_a_folder_that_cannot_be_read(tmp_path):
    """Another one removes it meanwhile; as root reads everything, this stands for permissions."""
    with pytest.raises(UserError, match=r"gone: cannot be read \(No such file"):
        list(origin.names(tmp_path / "gone"))


def test_changes_in_words():
    before = {"a": "1", "b": "2", "c": "3"}
    assert origin.changes(before, before) == ""
    now = {"a": "1", "b": "3", **{f"n{i}": "1" for i in range(4)}}
    assert origin.changes(before, now) == (
        "4 new (n0, n1, n2, ...), 1 gone (c), 1 of other content (b)"
    )


def test_kept_beside_a_set_whatever_the_names(tmp_path, monkeypatch):
    assert origin.load(tmp_path) is None
    files = {os.fsdecode(b"caf\xe9.jpg"): "1", "写真/笑顔.jpg": "2"}
    origin.save(files, tmp_path)
    first = (tmp_path / origin.FILE).read_bytes()
    assert origin.load(tmp_path) == files
    monkeypatch.setattr(origin.gzip.time, "time", lambda: 0.0)  # the bytes hang on no clock
    origin.save(files, tmp_path)
    assert (tmp_path / origin.FILE).read_bytes() == first
    assert "�" in origin.changes({}, files)
    origin.digest(files)
