"""Prepared sets are not compressed twice, and a picture's digest is what it always was."""

import hashlib
import types

import numpy as np
import pytest
from array_record.python.array_record_data_source import ArrayRecordDataSource
from tensorflow_datasets.core import file_adapters

from tests.tfds_builders import trees
from tfds_builders import images, records
from tfds_builders.prepare import prepare

FLAT = b"\0" * 1_000_000  # which any compression makes small


def written(path):
    file_adapters.ArrayRecordFileAdapter.write_examples(path, [(0, FLAT), (1, b"text")])
    return path.stat().st_size


def test_records_are_written_as_they_are(tmp_path):
    with records.uncompressed():
        assert written(tmp_path / "plain.array_record") > len(FLAT)
    assert written(tmp_path / "compressed.array_record") < len(FLAT)
    read = ArrayRecordDataSource([str(tmp_path / "plain.array_record")])
    assert [read[i] for i in range(2)] == [FLAT, b"text"]


def test_the_adapter_is_whole_again_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError), records.uncompressed():
        raise RuntimeError
    assert written(tmp_path / "compressed.array_record") < len(FLAT)


@pytest.mark.parametrize("step", [1, 2])
def test_a_digest_is_of_shape_and_pixels(step):
    """Prepared sets draw their splits by it; `step` 2 is a view that is not in one piece."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)[:, ::step]
    expected = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    assert images._digest(pixels) == expected


def test_sets_are_prepared_without_it(tmp_path, monkeypatch):
    writer, asked = file_adapters.array_record_module.ArrayRecordWriter, []

    def recorded(path, options):
        asked.append(options)
        return writer(path, options)

    module = types.SimpleNamespace(ArrayRecordWriter=recorded)
    monkeypatch.setattr(file_adapters, "array_record_module", module)
    for i in range(10):
        trees.photograph(tmp_path / "photos" / ("happy", "sad")[i % 2] / f"{i}.jpg", str(i))
    prepare("folder", None, tmp_path / "sets", tmp_path / "photos")
    assert asked
    assert set(asked) == {"group_size:1,uncompressed"}
