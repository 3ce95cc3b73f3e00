"""The site: it builds, needs no network, and what its pages tell to run runs."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import SHARED
from tests.tfds_builders import test_oasis, trees

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOK = ROOT / "notebooks" / "jaxsent.ipynb"
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
QUICK = {"configuration.md", "method.md", "metrics.md"}
ELSEWHERE = {"serve.md": "tests/app/test_serve.py starts the server and asks it"}
CHECKOUT = ("run.py", "configs", "jaxsent", "tfds_builders", "tests", "benchmarks",
            "pyproject.toml")  # fmt: skip
RUNNABLE = ("sh", "python")
FENCE = re.compile(r"(?:<!-- no-test: (.+) -->\n)?^```(.*)\n([\s\S]*?)^```$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, the file that it is, whether it is run, why not, its text."""

    language: str
    title: str
    skipped: bool
    reason: str
    text: str


def blocks(page: str) -> list[Block]:
    parsed = []
    for reason, about, text in FENCE.findall((DOCS / page).read_text(encoding="utf-8")):
        language = re.match(r"(?:\{ *\.)?(\w*)", about)[1]
        title = re.search(r'title="([^"]+)"', about)
        parsed.append(Block(language, title[1] if title else "", "no-test" in about, reason, text))
    return parsed


@pytest.mark.parametrize("page", PAGES)
def test_blocks_are_run_or_say_why_not(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text.count("\n```") % 2 == 0
    assert text.count("\n```") == 2 * len(blocks(page)), "a fence that is not at a line's start"
    for block in blocks(page):
        assert block.language, "a block without a language"
        assert block.skipped == bool(block.reason), block


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout, since pages add files to it, and a home of its own."""
    for name in CHECKOUT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "home").mkdir()
    return tmp_path


def oasis(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    rows = [(f"{theme} {i}", 2 * i) for theme in test_oasis.THEMES for i in (1, 2, 3)]
    test_oasis.write_csv(folder, rows)
    for seed, (name, _) in enumerate(rows):
        test_oasis.write_photo(folder, name, seed)


def postcards(folder: Path) -> None:
    for emotion in ("amusement", "awe", "fear", "sadness"):
        for i in range(10):
            trees.photograph(folder / f"{emotion}-{i}.jpg", f"{emotion}{i}")


def scene(folder: Path) -> None:
    if not (SHARED / "data" / "scene").is_dir():
        pytest.skip("needs ../shared/data/scene, which is beside a developer's checkout only")
    folder.symlink_to(SHARED / "data" / "scene")


FOLDERS = {"FOLDER_OF_OASIS": oasis, "FOLDER_OF_POSTCARDS": postcards, "FOLDER_OF_SCENE": scene}
"""Folders that a page speaks of, and what makes a small one."""


def run(block: Block, folder: Path) -> None:
    if block.title:
        return write(folder / block.title, block)
    programs = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    began = time.perf_counter()
    done = subprocess.run(
        [*programs[block.language], block.text], cwd=folder, capture_output=True, text=True,
        check=False, env=environment(folder),
    )  # fmt: skip
    print(f"$ {block.text}{done.stdout}{done.stderr}[{time.perf_counter() - began:.0f} s]\n")
    assert done.returncode == 0, block.text + done.stdout + done.stderr
    return None


def environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {
        "HOME": str(folder / "home"), "PATH": path, "PYTHONPATH": str(folder),
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".pytest_cache" / "xla"),
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }  # fmt: skip


def write(path: Path, block: Block) -> None:
    """A file as the page has it; a diff's lines go behind the one that stands before them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if block.language != "diff":
        path.write_text(block.text, encoding="utf-8")
        return
    before, *added = block.text.splitlines()
    text = path.read_text(encoding="utf-8")
    assert text.count(before[1:] + "\n") == 1, before
    new = "".join(line[1:] + "\n" for line in added)
    path.write_text(text.replace(before[1:] + "\n", before[1:] + "\n" + new), encoding="utf-8")


def runs(page: str):
    """The blocks of a page that are run, or files."""
    return [b for b in blocks(page) if not b.skipped and (b.title or b.language in RUNNABLE)]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page not in QUICK))
        for page in PAGES
        if page not in ELSEWHERE and runs(page)
    ],
)
def test_a_page_does_what_it_says(page, checkout):
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, make in FOLDERS.items():
        if name in text:
            make(checkout / name)
    for block in runs(page):
        run(block, checkout)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return folder


def test_the_site_fetches_nothing(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    fetched = re.compile(
        r"<(?:script|img|iframe|link|source)\b[^>]*?(?:src|href)=\"?(?:https?:)?//"
    )
    for page in pages:
        assert not fetched.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", sheet.read_text()), sheet


def test_the_site_has_equations_and_every_command(site):
    from jaxsent.commands import COMMANDS

    method = (site / "method.html").read_text(encoding="utf-8")
    equations = (DOCS / "method.md").read_text(encoding="utf-8").count("```math")
    assert method.count('class="equation"') == equations <= method.count("<math")
    commands = (site / "commands.html").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"usage: jaxsent {command}" in commands


def test_every_page_is_in_the_navigation(site):
    for page in PAGES:
        assert f'href="{Path(page).with_suffix(".html")}"' in (site / "index.html").read_text(), (
            page
        )


def test_importing_jaxsent_is_quick():
    """Less than a third of a second: nothing large is imported before it is used."""
    program = (
        "import sys, time; t = time.perf_counter(); import jaxsent; t = time.perf_counter() - t\n"
        "large = {'jax', 'flax', 'numpy', 'tensorflow_datasets', 'cv2'} & set(sys.modules)\n"
        "sys.exit(f'{t:.2f} s, {large}' if large or t > 0.3 else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_notebook_is_committed_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not c.get("outputs") and not c.get("execution_count") for c in cells)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own
def test_the_notebook_runs(checkout):
    client = pytest.importorskip("nbclient", reason="needs the extra docs")
    nbformat = pytest.importorskip("nbformat")
    book = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(checkout)}}
    client.NotebookClient(book, timeout=900, resources=place).execute(env=environment(checkout))
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3


def test_the_site_tells_of_every_key(monkeypatch):
    """With default, values and meaning: a key without a comment in base.py fails here."""
    pytest.importorskip("latex2mathml", reason="needs the extra docs")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import hooks

    from configs import base

    rows = [line.split(" | ") for line in hooks.keys().splitlines() if line.startswith("| `")]
    table = {row[0].strip("| `"): row[1:] for row in rows}
    config = base.get_config()
    expected = {"seed"} | {
        f"{section}.{key}" for section in config if section != "seed" for key in config[section]
    }
    assert set(table) == expected
    assert table["augment.flip"][:2] == ["`0.5`", "from 0 to 1"]
    assert table["model.readout"][1] == "mean, flatten, max"
    assert all(len(meaning.strip(" |")) > 8 for *_, meaning in table.values())
