"""The papers' tables: numbers, the runs that fill them, formats, and making what is missing."""

import csv
import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

from jaxsent import commands, models
from jaxsent.baselines import svm
from jaxsent.commands import run_py
from jaxsent.errors import UserError
from jaxsent.evaluation import compare, compared_maps
from jaxsent.metrics import HIGHER_IS_BETTER
from jaxsent.paper import TABLES, Cell, Run, Table
from jaxsent.paper.fill import fill, fill_cell
from jaxsent.paper.formats import FORMATS
from jaxsent.paper.reproduce import Sources, Step, command, missing, reproduce
from jaxsent.paper.table import DETECTORS, GEOMETRY, OUTSIDE_MAPS, REGIONAL
from tests.conftest import SHARED
from tfds_builders import builder_class

ROOT = Path(__file__).parents[2]
ALL = {run for table in TABLES.values() for cell in table.cells for run in cell.runs}
ALL |= {run.needs for run in ALL if run.needs}
RUNS = {run for run in ALL if not run.baseline}


def finish(folder: Path, run: str, **results):
    report = folder / run / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "results.json").write_text(json.dumps(results))


def test_the_numbers_are_the_papers():
    path = SHARED / "spec" / "paper_tables.json"
    if not path.is_file():
        pytest.skip("needs ../shared/spec, which is beside a developer's checkout only")
    printed = json.loads(path.read_text())
    for name, key in (("wsidnet1", "table1"), ("wsidnet2", "table2")):
        table = TABLES[name]
        cells = [cell for cell in table.cells if cell.row != "Backbone, features from FI"]  # ours
        numbers = [cell.paper and round(100 * cell.paper, 2) for cell in cells]
        assert numbers == [value for row in printed[key].values() for value in row]
    text = printed["wscnet_text"]
    papers = {
        (t.name, c.row, c.column): c.paper for t in TABLES.values() for c in t.cells if c.paper
    }
    assert papers["wscnet2", "WSCNet", "FI"] == pytest.approx(
        text["fi_classification_branch"] / 100
    )
    assert papers["wscnet3", "k = 4", "FI"] == pytest.approx(text["fi_detection_branch"] / 100)
    assert papers["wscnet_fig6", "WSCNet", "R"] == text["emotionroi_recall"]
    lies = "WSCNet, all classes"
    correct, low = (papers["wscnet_fig12", lies, case] for case in ("correct", "low overlap"))
    assert correct == pytest.approx(text["emotionroi_correct_percent"] / 100)
    assert low == pytest.approx(text["emotionroi_low_overlap_percent"] / 100)


WSCNET_ROWS = {  # as IV-B2 and the captions name them
    "wscnet2": (
        "Principles of art", "SentiBank", "DeepSentiBank", "ImageNet AlexNet", "ImageNet VGG-16",
        "ImageNet ResNet-101", "Fine-tuned AlexNet", "Fine-tuned VGG-16", "Fine-tuned Res101",
        "Sun et al.", "Yang et al.", "WILDCAT", "SPN", "WSCNet",
    ),
    "wscnet3": tuple(f"k = {k}" for k in (1, 2, 4, 8, 16)),
    "wscnet4": ("Base: k = 1, no coupling", "k = 4 + sentiment map, coupling"),
    "wscnet5": (
        "Random", "Centre crop", "Objectness", "Faster R-CNN", "IttiKoch", "GBVS", "CAM", "WILDCAT",
        "SPN", "WSCNet", "CASNet, trained on SALICON",
    ),
}  # fmt: skip
PLACEHOLDERS = ("_FEATURES", "_WEIGHTS", "_MAPS")


def test_every_row_of_the_papers_can_be_made(tmp_path):
    """By runs; where one needs a file of the user's, what is left out says which."""
    path = SHARED / "spec" / "paper_tables.json"
    if not path.is_file():
        pytest.skip("needs ../shared/spec, which is beside a developer's checkout only")
    printed = json.loads(path.read_text())
    rows = {"wsidnet1": TABLES["wsidnet1"].rows, **WSCNET_ROWS}
    assert len(rows["wsidnet1"]) == len(printed["table1"])
    for number, row in enumerate(printed["table1"].values()):
        cells = TABLES["wsidnet1"].cells[7 * number :][:7]
        assert all(cell.runs for cell in cells), cells[0].row
        assert [cell.paper is None for cell in cells] == [value is None for value in row]
    rows["wsidnet2"] = ("Backbone", "WSIDNet")
    assert len(printed["table2"]) == 2
    weights = dict.fromkeys(("vgg16", "resnet101", "alexnet"), "W")
    for name, names in rows.items():
        for row in names:
            cells = tuple(c for c in TABLES[name].cells if c.row == row)
            assert any(cell.runs for cell in cells), (name, row)
            lines, made = [], []

            def make(arguments, check, made=made):
                made.append(" ".join(arguments))
                return SimpleNamespace(returncode=0)

            table = Table("t", "T", cells)
            reproduce(table, Sources(tmp_path, weights=weights), lines.append, make)
            assert not any(ending in line for line in made for ending in PLACEHOLDERS)
            for line in lines:
                if line.startswith("left out"):
                    assert any(f" {flag} {outside}=" in line.partition("(needs")[2]
                               for flag, known in (("--features", DETECTORS),
                                                   ("--maps", OUTSIDE_MAPS))
                               for outside in known), line  # fmt: skip
            assert made or lines


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ml_collections' own
@pytest.mark.parametrize("run", sorted(RUNS), ids=lambda run: run.name)
def test_every_command_is_understood(run, monkeypatch):
    """Config, part and every key exist; the network can be made of them."""
    from jaxsent.run import experiment

    monkeypatch.chdir(ROOT)
    arguments = command(Step(run, "train"))
    assert arguments[:2] == ["jaxsent", "train"]
    values = run_py.parse(["jaxsent train", "--config", *arguments[2:]])
    assert values.workdir == f"runs/{run.name}"
    values.config.model.num_classes = 2
    experiment.network(values.config.model)
    compared_maps.check(values.config.eval.compare)
    assert values.config.init.weights or values.config.init.checkpoint
    assert run.data in values.config.data.name


def test_a_run_has_one_recipe():
    """Runs of one name differ in what is evaluated only."""
    recipes = {}
    for run in ALL:
        trained = tuple(o for o in run.options if not o.startswith("eval."))
        recipes.setdefault(run.name, set()).add((run.config, trained, run.weights))
    assert {name for name, runs in recipes.items() if len(runs) > 1} == set()


def test_average_ranks_of_table_v(tmp_path):
    """Of the weakly supervised rows that have all six metrics; CASNet and Grad-CAM have none."""
    table = TABLES["wscnet5"]
    values = {"wildcat_emod": 0.3, "spn_emod": 0.2, "cam_emod": 0.1, "casnet_emod": 0.9}
    for name, value in values.items():
        attention = dict.fromkeys(HIGHER_IS_BETTER, value)
        others = {"grad_cam": attention, "gbvs": attention}
        finish(tmp_path, name, attention=attention | {"baselines": others}, geometry=GEOMETRY)
    ranks = {f.cell.row: f.value for f in fill(table, tmp_path) if f.cell.column == "AVG"}
    # Best of three in four metrics where more is better, worst in EMD and KL.
    expected = {"WILDCAT": (4 * 1 + 2 * 3) / 6, "SPN": 2, "CAM": (4 * 3 + 2 * 1) / 6}
    assert {row: rank for row, rank in ranks.items() if rank} == pytest.approx(expected)
    assert "AVG" in FORMATS["text"](table, fill(table, tmp_path))


def test_colour_histograms_through_the_table(tmp_path, monkeypatch, capsys, prepared):
    run = next(run for run in ALL if run.baseline == "lch" and not run.options)
    arguments = command(Step(run, "train"), Sources(tmp_path, {run.data: "D"}, {}, ("data.dir=P",)))
    assert arguments[:3] == ["jaxsent", "baseline", "lch"]
    assert arguments[3].split("/")[0] == run.data
    assert arguments[-4:] == ["--from", "D", "--data-dir", "P"]
    status, out, _ = call(monkeypatch, capsys, "baseline", "gch", "emoji_scenes/tiny",
                          "--data-dir", prepared, "--workdir", tmp_path / "run")  # fmt: skip
    assert status == 0
    results = json.loads((tmp_path / "run" / "report" / "results.json").read_text())
    assert results["count"] == 32
    assert f"accuracy {results['accuracy']:.3f}" in out


BASELINES = {run.name: run for run in ALL if run.baseline}


def test_rows_of_features_are_commands():
    """Each says which outside file it needs; the target is that of the paper's column."""
    sources = Sources(
        Path("R"), {"fi": "F"}, {"vgg16": "V"}, ("data.dir=P", "seed=1"), {"sentibank": "S"}
    )
    expected = {  # features, set, options; --workdir and --data-dir are the same for all
        "sentibank_fi": ("sentibank=S fi", "--from F"),
        "sentibank_fi_label": ("sentibank=S fi", "--target label --from F"),
        "deepsentibank_twitter1_agree3_fold2": (
            "deepsentibank=DEEPSENTIBANK_FEATURES twitter1/agree3_fold2", ""
        ),
        "imagenet_vgg16_emod": ("vgg16=V emod", ""),
        "imagenet_resnet101_emod": ("resnet101=RESNET101_WEIGHTS emod", ""),
        "principles_emotionroi_label": ("principles emotionroi", "--target label"),
        "gch_oasis_fold5": ("gch oasis/fold5", ""),
        "wscnet_fi_svm": ("R/wscnet_fi fi", "--target label --from F"),
        "affective_regions_average_fi": (
            "affective_regions=R/finetuned_fi fi", "--fusion average --from F"
        ),
        "affective_regions_features_twitter1_agree3_fold2": (
            "affective_regions=R/cam_twitter1_agree3_fold2 twitter1/agree3_fold2",
            "--fusion features",
        ),
        "global_local_average_twitter2_fold1": (
            "global_local=R/finetuned_twitter2_fold1 twitter2/fold1", "--fusion average"
        ),
    }  # fmt: skip
    for name, (what, options) in expected.items():
        arguments = f"baseline {what} --workdir R/{name} {options} --data-dir P"
        assert command(Step(BASELINES[name], "train"), sources) == ["jaxsent", *arguments.split()]


@pytest.mark.parametrize("run", sorted(BASELINES.values()), ids=lambda run: run.name)
def test_every_row_of_features_is_understood(run):
    """The command parses, the features are known, and the set and its part exist."""
    arguments = command(Step(run, "train"))
    options = commands.parser().parse_args(arguments[1:])
    name, _, part = options.name.partition("/")
    assert not part or part in {c.name for c in builder_class(name).BUILDER_CONFIGS}
    known = {*svm.FEATURES, *DETECTORS, *models.BACKBONES, *REGIONAL, "run"}
    assert run.baseline in known
    assert (options.target == "label") == ("target=label" in run.options)


def test_both_branches_follow_their_run(tmp_path):
    table = TABLES["wscnet_branches"]
    names = [(step.run.name, step.mode) for step in missing(table, tmp_path)]
    assert names == [("wscnet_fi", "train"), ("wscnet_fi_svm", "train")]
    finish(tmp_path, "wscnet_fi", accuracy=0.7, detection_accuracy=0.6)
    finish(tmp_path, "wscnet_fi_svm", accuracy=0.71)
    assert [f.value for f in fill(table, tmp_path)] == [0.7, 0.6, 0.71]
    assert [cell.paper for cell in table.cells] == [0.7007, 0.6851, 0.7018]


def test_features_that_are_not_at_hand_are_left_out(tmp_path):
    runs = [BASELINES[name] for name in ("gch_fi", "sentibank_fi", "imagenet_vgg16_emod")]
    cells = tuple(Cell(run.name, "FI", None, (run,)) for run in runs)
    called, lines = [], []

    def make(arguments, check):
        called.append(arguments[4])
        return SimpleNamespace(returncode=0)

    def made(**sources):
        called.clear()
        lines.clear()
        reproduce(Table("t", "T", cells), Sources(tmp_path, **sources), lines.append, make)
        return [features.partition("=")[0] for features in called]

    assert made() == ["gch"]
    assert "needs --features sentibank=FILE, 1,200 numbers an image" in lines[0]
    assert "needs --weights vgg16=FILE" in lines[1]
    assert made(features={"sentibank": "S"}, weights={"vgg16": "V"}) == [
        "gch",
        "sentibank",
        "vgg16",
    ]


def test_the_mean_of_folds_and_its_interval(tmp_path):
    runs = tuple(Run(f"a{i}", "wsidnet_twitter2.py:fold1") for i in range(3))
    cell = Cell("row", "column", 0.5, runs, ("ten_crop_accuracy", "accuracy"))
    assert fill_cell(cell, tmp_path).missing == runs
    for i, run in enumerate(runs):
        finish(tmp_path, run.name, accuracy=0.6 + i / 10, accuracy_interval=[0.5 + i / 10, 0.8])
    filled = fill_cell(cell, tmp_path)
    assert filled.value == pytest.approx(0.7)
    assert filled.difference == pytest.approx(0.2)
    assert filled.interval[0] == pytest.approx(0.7 - math.sqrt(3 * 0.1**2) / 3)
    assert filled.interval[1] == pytest.approx(0.7 + math.sqrt(0.2**2 + 0.1**2 + 0) / 3)
    finish(tmp_path, "a1", accuracy=0.1, ten_crop_accuracy=0.9)
    assert fill_cell(cell, tmp_path).value == pytest.approx((0.6 + 0.9 + 0.8) / 3)
    assert fill_cell(cell, tmp_path).interval is None


@pytest.fixture
def table():
    first = Run("first", "wsidnet_fi.py", weights="vgg16")
    cells = (
        Cell("Theirs", "FI & co", 0.5),
        Cell("Ours", "FI & co", 0.75, (first,)),
        Cell("Ours", "map", None, (first,), ("sentiment_map.baselines.gbvs.f",)),
        Cell("Ours", "other", None, (Run("second", "wsidnet_twitter2.py:fold1", needs=first),)),
    )
    return Table("t", "A table", cells)


def test_formats(table, tmp_path):
    finish(tmp_path, "first", accuracy=0.7, accuracy_interval=[0.65, 0.72],
           sentiment_map={"baselines": {"gbvs": {"f": 0.4}}}, geometry=GEOMETRY)  # fmt: skip
    filled = fill(table, tmp_path)
    texts = {name: form(table, filled) for name, form in FORMATS.items()}
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [row["ours"] for row in rows] == ["", "0.7", "0.4", ""]
    assert (rows[1]["paper"], rows[1]["difference"], rows[1]["low"]) == ("0.75", "-0.05", "0.65")
    assert rows[3]["missing"] == "second"
    for name in ("text", "markdown"):
        for part in ("50.00", "75.00", "70.00", "−5.00", "65.00–72.00", "40.00"):
            assert part in texts[name], (name, part)
    lines = texts["markdown"].splitlines()[2:]
    assert {line.count("|") for line in lines} == {len(table.columns) + 3}
    latex = texts["latex"].splitlines()
    assert r"FI \& co" in texts["latex"]
    body = [line for line in latex if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in body} == {len(table.columns) + 1}


def test_what_is_missing_is_made_once_and_in_order(table, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    sources = Sources(tmp_path, {"twitter2": "T2"}, {"vgg16": "v.pth"}, ("train.steps=1",))
    called = []

    def call(arguments, check):
        assert arguments[1:4] == ["-m", "jaxsent", "train"]
        called.append(arguments[1:])
        name = Path(arguments[arguments.index("--workdir") + 1]).name
        failed = name == "second" and len(called) == 2
        if not failed:
            result = (
                {"sentiment_map": {"baselines": {"gbvs": {"f": 0.4}}}, "geometry": GEOMETRY}
                if name == "first"
                else {}
            )
            finish(tmp_path, name, accuracy=0.5, **result)
        return SimpleNamespace(returncode=int(failed))

    lines = []
    with pytest.raises(UserError, match="second ended with status 1; what is done stays done"):
        reproduce(table, sources, lines.append, call)
    reproduce(table, sources, lines.append, call)
    reproduce(table, sources, lines.append, call)
    names = [Path(a[a.index("--workdir") + 1]).name for a in called]
    assert names == ["first", "second", "second"]
    assert lines[0].startswith("[1/2] jaxsent train wsidnet_fi --workdir")
    assert "--config.init.weights=v.pth" in called[0]
    assert f"--config.init.checkpoint={tmp_path / 'first'}" in called[1]
    assert "--config.data.source=T2" in called[1]
    assert called[1][-1] == "--config.train.steps=1"


def test_a_run_that_lacks_a_number_is_evaluated_again(table, tmp_path):
    finish(tmp_path, "first", accuracy=0.5)
    finish(tmp_path, "second", accuracy=0.5)
    steps = missing(table, tmp_path)
    assert [(s.run.name, s.mode) for s in steps] == [("first", "eval")]
    assert command(steps[0]) == ["jaxsent", "eval", "runs/first"]


def test_maps_of_another_geometry_are_made_again(table, tmp_path):
    """A table's rows share one: those of centre crops, as older versions left them, are no row."""
    maps = {"baselines": {"gbvs": {"f": 0.4}}}
    for geometry, left in (("crop", 1), (None, 1), (GEOMETRY, 0)):
        finish(tmp_path, "first", accuracy=0.5, sentiment_map=maps, geometry=geometry)
        finish(tmp_path, "second", accuracy=0.5)
        assert len(missing(table, tmp_path)) == left


def test_a_run_tested_on_another_set(tmp_path):
    run = Run("casnet_salicon", "casnet_salicon.py", weights="vgg16", tested_on="emod")
    cell = Cell("CASNet", "CC", None, (run,), ("attention.cc",))
    table = Table("t", "A table", (cell,))
    assert [step.mode for step in missing(table, tmp_path)] == ["train", "eval"]
    finish(tmp_path, "casnet_salicon", attention={"cc": 0.1}, geometry=GEOMETRY)
    (step,) = missing(table, tmp_path)
    sources = Sources(tmp_path, {"emod": "E", "salicon": "S"}, options=("data.dir=D", "seed=1"))
    assert command(step, sources) == [
        "jaxsent", "eval", str(tmp_path / "casnet_salicon"), "--data", "emod",
        "--config.data.dir=D", "--config.data.source=E",
    ]  # fmt: skip
    results = {"attention": {"cc": 0.5}, "geometry": GEOMETRY}
    (tmp_path / "casnet_salicon" / "report" / "emod").mkdir()
    (tmp_path / "casnet_salicon" / "report" / "emod" / "results.json").write_text(
        json.dumps(results)
    )
    assert fill_cell(cell, tmp_path).value == 0.5


def test_maps_of_the_users_are_named_and_scored_once(tmp_path):
    """Left out while their file is not named; with it all in one evaluation, or in the training."""
    names = ("GBVS", "Faster R-CNN", "Learned saliency")
    cells = [c for c in TABLES["wscnet5"].cells if c.row in names and c.column == "CC"]
    table = Table("t", "A table", tuple(cells))
    called, lines = [], []

    def make(arguments, check):
        called.append(arguments[4:])
        return SimpleNamespace(returncode=0)

    def made(**maps):
        called.clear()
        lines.clear()
        reproduce(table, Sources(tmp_path, {}, {"resnet101": "R"}, maps=maps), lines.append, make)
        return [" ".join(arguments) for arguments in called]

    (alone,) = made()
    assert alone.startswith("wscnet_emod ") and "saliency" not in alone
    left = [line for line in lines if line.startswith("left out")]
    assert [line.partition("(needs ")[2] for line in left] == [
        "--maps faster_rcnn=PATH, a .csv or .json of boxes)",
        "--maps saliency=PATH, a folder of maps named as the set's images)",
    ]
    (both,) = made(saliency="my maps", faster_rcnn="b.csv")
    assert "'gbvs'" in both and both.count("'saliency=my maps','faster_rcnn=b.csv')") == 1
    attention = {"cc": 0.1, "baselines": {"gbvs": {"cc": 0.2}}}
    finish(tmp_path, "wscnet_emod", attention=attention, geometry=GEOMETRY)
    assert made() == []
    (again,) = made(saliency="s", faster_rcnn="b.csv")
    assert again.startswith(f"{tmp_path}/wscnet_emod --config.eval.compare=('random',")
    assert again.endswith("'saliency=s','faster_rcnn=b.csv')")
    attention["baselines"] |= {"saliency": {"cc": 0.3}, "faster_rcnn": {"cc": 0.4}}
    finish(tmp_path, "wscnet_emod", attention=attention, geometry=GEOMETRY)
    assert made() == []
    assert [one.value for one in fill(table, tmp_path)] == [0.2, 0.4, 0.3]


def test_pcnn_asks_for_predictions_before_it_goes_on(tmp_path):
    cell = next(c for c in TABLES["wsidnet1"].cells if (c.row, c.column) == ("PCNN", "FI"))
    table = Table("t", "A table", (cell,))
    steps = missing(table, tmp_path)
    assert [(step.run.name, step.mode) for step in steps] == [
        ("pcnn_flickr", "train"), ("pcnn_flickr", "predict"), ("pcnn_flickr_kept", "train"),
        ("pcnn_fi", "train"),
    ]  # fmt: skip
    sources = Sources(tmp_path, {"flickr": "F"})
    folder = tmp_path / "pcnn_flickr"
    assert command(steps[1], sources) == [
        "jaxsent", "eval", str(folder), "--split", "train", "--config.data.source=F",
    ]  # fmt: skip
    predictions = folder / "report" / "train" / "predictions.csv"
    assert f"--config.data.subset={predictions}" in command(steps[2], sources)
    predictions.parent.mkdir(parents=True)
    predictions.touch()
    finish(tmp_path, "pcnn_flickr", accuracy=0.5)
    assert [s.run.name for s in missing(table, tmp_path)] == ["pcnn_flickr_kept", "pcnn_fi"]


def test_weights_that_are_not_named(table, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match="--weights vgg16=FILE"):
        reproduce(table, Sources(tmp_path))


def call(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["jaxsent", *map(str, arguments)])
    status = commands.main()
    out = capsys.readouterr()
    return status, out.out, out.err


def test_the_commands(tmp_path, monkeypatch, capsys):
    finish(tmp_path, "wsidnet_fi", accuracy=0.9, accuracy_interval=[0.89, 0.91])
    status, out, _ = call(monkeypatch, capsys, "tables", "wsidnet2", "--runs", tmp_path)
    assert status == 0
    assert "90.00" in out
    assert "0.82" in out  # its difference to 89.18
    assert "67 runs of jaxsent reproduce --table wsidnet2, one by one with --commands" in out
    assert "--workdir" not in out
    arguments = ("tables", "wsidnet2", "--runs", tmp_path, "--commands")
    assert (
        f"--workdir {tmp_path}/wsidnet_twitter2_fold3" in call(monkeypatch, capsys, *arguments)[1]
    )
    status, out, _ = call(monkeypatch, capsys, "tables", "--runs", tmp_path, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["table"] for row in rows} == set(TABLES)
    status, out, _ = call(monkeypatch, capsys, "reproduce", "--table", "wsidnet2", "--runs",
                          tmp_path, "--weights", "vgg16=V", "--dry-run")  # fmt: skip
    assert "train wsidnet_fi " not in out
    assert len(out.splitlines()) == 3 * (1 + 15 + 5 + 1) + 1  # but wsidnet_fi
    status, _, err = call(monkeypatch, capsys, "tables", "wsidnet7")
    assert status == 2
    assert "There is no table 'wsidnet7'; there are wsidnet1" in err
    status, _, err = call(monkeypatch, capsys, "reproduce", "--table", "oasis", "--source", "x")
    assert "expected NAME=FILE" in err
    for flag, expected in (
        ("--source", "asks for emotionroi, fi, flickr, "),
        ("--weights", "vgg16"),
    ):
        arguments = ("--table", "wsidnet2", "--dry-run", flag, "fii=FOLDER")
        status, out, err = call(monkeypatch, capsys, "reproduce", *arguments)
        assert (status, out) == (2, "")
        assert f"{flag} fii=…: wsidnet2" in err
        assert expected in err


# Comparing ------------------------------------------------------------------------------------


def predictions(folder: Path, right: dict[str, bool]):
    (folder / "report").mkdir(parents=True, exist_ok=True)
    with (folder / "report" / "predictions.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "prediction", "a", "b"])
        writer.writerow(["unlabelled.jpg", "", "a", 1, 0])
        for name, is_right in right.items():
            writer.writerow([name, "a", "a" if is_right else "b", 1, 0])
    finish(folder.parent, folder.name, accuracy=float(np.mean(list(right.values()))))


def test_a_paired_comparison(tmp_path):
    rng = np.random.default_rng(0)
    first = {f"{i}.jpg": bool(rng.random() < 0.6) for i in range(400)}
    second = {f: r if rng.random() < 0.8 else not r for f, r in first.items()}
    second |= {"elsewhere.jpg": True}
    for name, right in (("one", first), ("two", second)):
        predictions(tmp_path / name, right)
    assert compare.correct(tmp_path / "one") == first
    pair = compare.paired(first, second)
    change = np.array([int(second[f]) - first[f] for f in first])
    assert (pair.images, pair.difference) == (400, pytest.approx(change.mean()))
    drawn = [rng.choice(change, 400).mean() for _ in range(4000)]
    np.testing.assert_allclose(pair.interval, np.quantile(drawn, [0.025, 0.975]), atol=0.006)
    gained, lost = (change == 1).sum(), (change == -1).sum()
    assert pair.p == pytest.approx(binomtest(gained, gained + lost).pvalue)
    assert compare.paired(first, first).p == 1
    with pytest.raises(UserError, match="share no test image"):
        compare.paired(first, {"other.jpg": True})


def test_the_compare_command(tmp_path, monkeypatch, capsys):
    right = {f"{i}.jpg": i % 3 > 0 for i in range(30)}
    predictions(tmp_path / "one", right)
    predictions(tmp_path / "two", dict.fromkeys(right, True))
    status, out, _ = call(monkeypatch, capsys, "compare", tmp_path / "one", tmp_path / "two")
    assert status == 0
    assert "the same 30 images: +33.3 points" in " ".join(out.split())
    assert "10 gained, 0 lost" in out
    _, out, _ = call(monkeypatch, capsys, "compare", tmp_path / "one", tmp_path / "two", "--json")
    assert json.loads(out)["differences"][str(tmp_path / "two")]["gained"] == 10
    status, _, err = call(monkeypatch, capsys, "compare", tmp_path / "one", tmp_path)
    assert status == 2
    assert "expected a finished run" in err
