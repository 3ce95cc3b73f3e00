"""Every config: its command, its paper's number, its network and its data fit together."""

import importlib
import json
import re
from pathlib import Path

import pytest

import tfds_builders
from jaxsent.run import checks, experiment
from tests.conftest import SHARED

ROOT = Path(__file__).parents[1]
SHARED_RECIPES = {"base", "wsidnet_transfer"}
CONFIGS = sorted({p.stem for p in (ROOT / "configs").glob("*.py")} - SHARED_RECIPES)
OWN = {"folder"}  # whose classes are the user's
CELLS = {
    "fi": "fi", "flickr": "flickr", "twitter1_5": "twitter1", "twitter1_4": "twitter1",
    "twitter1_3": "twitter1", "twitter2": "twitter2", "emotionroi": "emotionroi",
}  # fmt: skip
"""Columns of WSIDNet's tables -> ending of the config."""


def module(name):
    return importlib.import_module(f"configs.{name}")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_its_runbook(name):
    said = module(name).__doc__
    assert f"python run.py --config configs/{name}.py" in said
    parts = re.findall(r"(\w+\.py)?:(\w+_fold\d|fold\d)", said)
    for _, part in parts:
        module(name).get_config(part)


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - OWN))
def test_a_config_fits_its_data(name, tmp_path):
    """Keys exist, options are allowed, classes are as many as the set has; without any data."""
    config = module(name).get_config()
    config.init.checkpoint = ""
    checks.check(config)
    experiment.network(config.model)
    data, _, part = config.data.name.partition("/")
    builder = tfds_builders.builder_class(data)(
        data_dir=tmp_path, config=part or None, file_format="array_record"
    )
    features = builder.info.features
    assert config.model.num_classes is None  # it follows from the data
    assert experiment.class_count(config.data) == len(features[config.data.class_target].names)
    if config.loss.detect == "cross_entropy" and config.model.name != "classifier":
        assert config.model.detect_classes == len(features[config.data.detect_target].names)


@pytest.mark.parametrize(("network", "row"), [("wsidnet", "wsidnet"), ("backbone", "backbone")])
def test_every_cell_of_wsidnets_tables_has_its_number(network, row):
    path = SHARED / "spec" / "paper_tables.json"
    if not path.is_file():
        pytest.skip("needs ../shared/spec, which is beside a developer's checkout only")
    tables = json.loads(path.read_text())
    for column, value in zip(tables["columns"], tables["table2"][row], strict=True):
        said = module(f"{network}_{CELLS[column]}").__doc__
        assert f"{value:.2f}" in said, column


def test_wscnets_seven_sets():
    sets = {"fi", "flickr_cc", "instagram", "twitter1", "twitter2", "emotionroi", "emod"}
    assert {f"wscnet_{name}" for name in sets} <= set(CONFIGS)
