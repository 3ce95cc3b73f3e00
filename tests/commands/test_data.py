"""`jaxsent data`: what a person reads of a set before, while and after it is prepared."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from jaxsent import commands
from tests.tfds_builders import trees

PAIR = ("cat", "dog")


@pytest.fixture
def call(monkeypatch, capsys):
    def made(*arguments):
        monkeypatch.setattr("sys.argv", ["jaxsent", "data", *map(str, arguments)])
        status = commands.main()
        said = capsys.readouterr()
        return status, said.out, " ".join(said.err.split())

    return made


@pytest.fixture
def pets(tmp_path):
    """Twenty photographs in two classes, one file that is none."""
    for label in PAIR:
        for i in range(10):
            trees.photograph(tmp_path / "pets" / label / f"{i}.jpg", f"{label}{i}")
    (tmp_path / "pets" / "dog" / "broken.jpg").write_bytes(b"")
    return tmp_path / "pets"


def test_prepare_list_show(call, pets, tmp_path):
    out = tmp_path / "prepared"
    status, said, told = call("prepare", "folder/pets", "--from", pets, "--data-dir", out)
    assert status == 0
    assert f"prepared in {out}/folder/pets" in said
    assert "data.name=folder/pets" in said
    assert "20 images usable" in told
    assert "1 undecodable: dog/broken.jpg" in told
    assert "cat" in told  # the table of classes

    status, said, _ = call("list", "--data-dir", out, "--json")
    sets = {one["name"]: one for one in json.loads(said)}
    assert {"fi", "oasis", "flickr", "emod", "folder"} <= sets.keys()
    (one,) = sets["folder"]["prepared"]
    assert one["name"] == "folder/pets"
    assert sum(one["splits"].values()) == 20
    assert sets["fi"]["prepared"] == []
    assert (sets["emotionroi"]["images"], len(sets["emotionroi"]["classes"])) == (1980, 6)
    status, said, _ = call("list", "--data-dir", out)
    for name, about in sets.items():
        assert f"\n{name}: " in f"\n{said}"
        assert " ".join(about["licence"].split()) in " ".join(said.split())

    status, said, _ = call("croissant", "folder/pets", "--data-dir", out)
    metadata = json.loads(said)
    assert metadata["@type"].endswith("Dataset")
    assert str(tmp_path) not in said

    picture = tmp_path / "grid.png"
    status, said, _ = call(
        "show", "folder/pets", "--data-dir", out, "-n", 6, "--split", "train", "--out", picture
    )
    assert (status, said.strip()) == (0, str(picture))
    with Image.open(picture) as image:
        assert min(image.size) > 300


def test_show_draws_regions_and_fixations(tmp_path, prepared):
    """A region is outlined: the sheet differs from that of the same photographs without it."""
    from jaxsent.data import records
    from jaxsent.report import set_sheet
    from tfds_builders.prepare import prepare

    builder = prepare("emoji_scenes", "tiny", prepared)
    example = dict(records.source(builder, "test")[0])
    bare = set_sheet.picture({k: v for k, v in example.items() if k != "region"})
    outlined = set_sheet.picture(example)
    region = cv2.resize(cv2.imdecode(np.frombuffer(example["region"], np.uint8), 0),
                        outlined.shape[1::-1])  # fmt: skip
    changed = (bare != outlined).any(-1)
    near = cv2.dilate(region, np.ones((9, 9))) - cv2.erode(region, np.ones((9, 9)))
    assert changed.any()
    assert (near[changed] > 0).mean() > 0.99
    points = np.zeros(example_shape(example), np.uint8)
    points[10, 20] = 255
    dotted = set_sheet.picture(example | {"fixations": cv2.imencode(".png", points)[1].tobytes()})
    assert (dotted == [0, 255, 255]).all(-1).any()


def example_shape(example):
    return cv2.imdecode(np.frombuffer(example["image"], np.uint8), 0).shape


def test_what_goes_wrong_is_one_line(call, pets, tmp_path):
    out = ("--data-dir", tmp_path / "prepared")
    for arguments, message in (
        (("prepare", "fii", "--from", pets), "did you mean fi?"),
        (("prepare", "fi", "--from", tmp_path / "nowhere"), "is not there; expected"),
        (("prepare", "fi", "--from", pets), "holds cat, dog; expected"),
        (("prepare", "twitter1/agree6_fold1", "--from", pets), "has no configuration"),
        (("prepare", "folder/pets", "--from", pets, "--strict"), "dog/broken.jpg"),
        (("prepare", "oasis", "--from", pets, "--beam"), "beam"),
        (("show", "fi"), "not prepared"),
    ):
        status, _, told = call(*arguments, *out)
        assert status == 2, arguments
        assert message in told.lower() if message == "beam" else message in told, arguments
        assert "Traceback" not in told


def test_prepare_again(call, pets, tmp_path):
    """Kept and said, built anew where the folder changed or by force, and said why."""
    out = ("--data-dir", tmp_path / "prepared")
    arguments = ("prepare", "folder/pets", "--from", pets, *out)
    _, said, _ = call(*arguments)
    assert "there already" not in said
    _, said, told = call(*arguments)
    assert f"folder/pets is there already, prepared from {pets}; {pets} is unchanged." in said
    assert "20 images usable" in told
    trees.photograph(pets / "cat" / "below" / "new.jpg")
    (pets / "cat" / "notes.txt").write_text("")
    status, said, told = call(*arguments)
    assert status == 0
    assert "has changed: 2 new (cat/below/new.jpg, cat/notes.txt); preparing it again" in said
    assert "21 images usable" in told
    assert "1 in folders below their class's: cat/below/" in told
    assert "1 that are no photographs: cat/notes.txt" in told
    _, said, _ = call(*arguments, "--force")
    assert "is there already; preparing it again, as you force it." in said
    _, said, _ = call("prepare", "folder/pets", *out)
    assert f"folder/pets is there already, prepared from {pets}." in said
    status, _, told = call("prepare", "folder/pets", *out, "--force")
    assert (status, "add --from FOLDER" in told) == (2, True)
    status, _, told = call(*arguments, "--strict")
    assert (status, "1 undecodable: dog/broken.jpg" in told) == (2, True)


def test_a_run_does_not_change_the_set_under_those_before(call, pets, tmp_path, tiny_config):
    from jaxsent.errors import UserError
    from jaxsent.run import experiment
    from tfds_builders import survey

    config = tiny_config
    config.data.name, config.data.dir = "folder/pets", str(tmp_path / "prepared")
    config.data.source, config.model.num_classes = str(pets), 2
    config.model.name, config.model.detect_classes = "wscnet", 2
    digest = survey.load(experiment.make(config).builder.data_dir).digest
    assert survey.load(experiment.make(config).builder.data_dir).digest == digest != ""
    trees.photograph(pets / "cat" / "new.jpg")
    with pytest.raises(UserError, match=r"has changed .*: 1 new .*or leave out .*data.source"):
        experiment.make(config)
    config.data.source = ""
    assert survey.load(experiment.make(config).builder.data_dir).digest == digest
    config.data.source = str(pets)
    call("prepare", "folder/pets", "--from", pets, "--data-dir", tmp_path / "prepared")
    assert survey.load(experiment.make(config).builder.data_dir).digest != digest


def test_show_of_a_split_that_is_not_there(call, pets, tmp_path):
    out = ("--data-dir", tmp_path / "prepared")
    call("prepare", "folder/pets", "--from", pets, *out)
    status, _, told = call("show", "folder/pets", "--split", "dev", *out)
    assert status == 2
    assert "has no split dev; it has" in told
    status, _, told = call("show", "folder/pets", *out, "--out", tmp_path / "no" / "grid.png")
    assert status == 2
    assert "cannot be written" in told
