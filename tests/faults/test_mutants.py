"""Damaged photographs and models are read or refused: a few of benchmarks/mutants.py."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import mutants, originals
from jaxsent.data import photograph
from jaxsent.errors import UserError


def crashes(made: dict[str, bytes], count: int) -> list[tuple]:
    with mutants.Reader() as reader:
        return [
            (kind, number, outcome.verdict)
            for kind, data in made.items()
            for number, outcome in enumerate(mutants.outcomes(reader, kind, data, count, seed=1))
            if outcome.verdict not in ("read", "refused")
        ]


@pytest.mark.slow
def test_damaged_photographs():
    assert not crashes(originals.photographs(), 60)


@pytest.mark.slow
def test_damaged_models():
    assert not crashes(originals.models(), 10)


def test_a_damaged_heic_is_refused_in_one_line():
    """libheif ends its messages with a line break."""
    data = originals.photographs()["heic"]
    with pytest.raises(UserError, match="do not decode") as error:
        photograph.decode(data[:600], "photo.heic")
    assert str(error.value).isprintable()


@pytest.mark.slow
def test_crashes_are_noticed():
    """Without it, the tests above might not be able to fail."""
    with mutants.Reader() as reader:
        assert reader.read("bmp", b"BM").verdict == "refused"
        assert "TypeError" in reader.read("h5", 7).verdict
        reader.process.kill()
        assert reader.read("bmp", b"BM").verdict == "ended by signal 9"
        assert reader.read("bmp", b"BM").verdict == "refused"


def test_mutants_are_functions_of_their_numbers():
    image = np.zeros((9, 9, 3), np.uint8)
    data = originals._saved(Image.fromarray(image), "PNG", {})
    made = [mutants.mutant("png", data, number, seed=3) for number in range(20)]
    assert made == [mutants.mutant("png", data, number, seed=3) for number in range(20)]
    assert len({data, *made}) > 15
