"""Croissant metadata, read by the reference implementation."""

import hashlib
import json

import pytest

from jaxsent.data.croissant import croissant
from tfds_builders.prepare import prepare


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # mlcroissant's, of rdflib
def test_mlcroissant_reads_it(prepared, tmp_path, caplog):
    mlcroissant = pytest.importorskip("mlcroissant")
    builder = prepare("emoji_scenes", "tiny", prepared)
    document = croissant(builder)
    (tmp_path / "croissant.json").write_text(json.dumps(document))
    read = mlcroissant.Dataset(tmp_path / "croissant.json")
    issues = read.metadata.ctx.issues
    assert not issues.errors
    assert len(issues.warnings) <= 1, issues.report()  # datePublished: nobody knows
    assert "context" not in caplog.text
    assert read.metadata.name == "emoji_scenes_tiny"
    assert {r.id for r in read.metadata.record_sets} == {
        "splits", "label_names", "polarity_names", "examples"
    }  # fmt: skip
    assert [r["label_names/name"] for r in read.records("label_names")] == list(
        builder.info.features["label"].names
    )
    assert {r["splits/name"] for r in read.records("splits")} == set(builder.info.splits)
    fields = {field["name"]: field["dataType"] for field in document["recordSet"][-1]["field"]}
    assert fields["image"] == "sc:ImageObject"
    assert fields["label"] == "sc:Integer"
    assert fields["file"] == fields["split"] == "sc:Text"
    for file in document["distribution"][:-1]:
        stored = (builder.data_path / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(stored).hexdigest()
        assert file["contentSize"] == f"{len(stored)} B"
