"""Torch's two layouts, for every test that writes a file."""

import pytest

from tests.pretrained.torch_files import write_legacy, write_zip


@pytest.fixture(params=[write_zip, write_legacy])
def write(request, tmp_path):
    """(tree, {key: storage}) -> the path of a file in one of the layouts."""
    return lambda tree, records=(): request.param(tmp_path / "w.pth", tree, dict(records))
