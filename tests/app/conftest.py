"""A run that can be served."""

import pytest


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    """A real run, tiny, whose photographs are cut."""
    tiny_config.eval.resize = 40
    return trained(tiny_config, tmp_path / "run")
