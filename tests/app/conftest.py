"""A run that can be served."""

import pytest

from jaxsent.training import loop


@pytest.fixture
def run(tiny_config, tmp_path):
    """A real run, tiny, whose photographs are cut."""
    tiny_config.eval.resize = 40
    loop.train(tiny_config, tmp_path / "run")
    return tmp_path / "run"
