"""The figure, the page and CONTRIBUTING.md against the contract and the modules that there are."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"


@pytest.fixture(scope="module")
def drawing():
    """docs/architecture.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs" / "architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            value = getattr(value, part, None)
        return value is not None
    return False


def test_the_committed_figure_is_what_the_script_draws(drawing):
    assert drawing.FILE.read_text(encoding="utf-8") == drawing.svg(), (
        "run python docs/architecture.py"
    )


def test_every_module_directly_in_jaxsent_has_one_place_in_the_contract(drawing):
    entries = [path for path in (ROOT / "jaxsent").iterdir() if path.stem != "__init__"]
    modules = [f"jaxsent.{path.stem}" for path in entries
               if path.suffix == ".py" or (path / "__init__.py").is_file()]  # fmt: skip
    placed = [name for line in drawing.layers() for name in line]
    assert sorted(placed) == sorted([*modules, "tfds_builders"])


def test_every_stop_is_a_module_drawn_with_its_layer(drawing):
    figure = drawing.svg()
    for stop in drawing.stops():
        assert importlib.util.find_spec(drawing.full_name(stop)), stop.module
        assert f">{stop.module}</text>" in figure
    assert drawing.layer_of("jaxsent.data.batches") == drawing.layer_of("jaxsent.models")
    assert drawing.layer_of("jaxsent.training.step") < drawing.layer_of("jaxsent.losses")
    with pytest.raises(LookupError, match="jaxsent.dat "):
        drawing.layer_of("jaxsent.dat")


def test_no_name_is_longer_than_its_card(drawing):
    for stop in drawing.stops():
        room = drawing.RIGHT - drawing.LEFT if stop.whole() else drawing._half()
        assert len(stop.module) * 7 <= room - 12, stop.module  # 0.6 of 11.5 a letter


def test_the_page_gives_the_reason_of_every_layer_in_order(drawing):
    rows = re.findall(r"^\| (`.+?`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    short = [[name.removeprefix("jaxsent.") for name in line] for line in drawing.layers()]
    assert [re.findall(r"`(\w+)`", row) for row in rows] == short


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_what_a_page_names_exists(page):
    spans = re.findall(r"`([^`\n]+)`", (ROOT / page).read_text(encoding="utf-8"))
    names = [s for s in spans if re.fullmatch(r"(jaxsent|tfds_builders)(\.\w+)+", s)]
    paths = [s for s in spans if re.fullmatch(r"\.?\w+(/\w+)*/?(\.\w+)?", s) and "/" in s]
    assert names or page == "CONTRIBUTING.md"
    assert len(paths) > 2
    assert not [name for name in names if not exists(name)]
    assert not [path for path in paths if not (ROOT / path).exists()]
