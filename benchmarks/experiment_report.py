"""Tables and plots of what experiment.py measured, for docs/experiments.md.

    python benchmarks/experiment_report.py runs/experiment --docs docs

It prints the tables, and with --docs puts them between their markers in DOCS/experiments.md and
writes the plots DOCS/experiments_*.svg. Intervals are of 95 %, from 2,000 resamples of the themes
of OASIS (of the scenes of emoji_scenes), the same for every row, so that differences are paired.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.experiment_measures import (
    MEASURES,
    accuracy,
    auc,
    cluster_weights,
    interval,
    scores,
)
from benchmarks.experiment_plots import forest

PLAIN = "plain backbone"
LOGISTIC = "logistic regression"  # whose decision value is the logit of a probability
NO_BACKBONE = ("colours", "principles")
LITE = {"efficientnet_lite0": "Lite0", "efficientnet_lite2": "Lite2"}


class Row(NamedTuple):
    """What was predicted for N photographs by S seeds.

    Attributes:
      positive: {"class" or "detect": (S, N)} probability of positive.
      lines: of results.jsonl, of the first seed.
      decision: whether it is a decision value's logistic function, and no probability.
    """

    positive: dict[str, np.ndarray]
    lines: list[dict]
    decision: bool


# Reading --------------------------------------------------------------------------------------


def read(out: Path) -> tuple[dict, dict]:
    """{(set, backbone, variant): {(seed, fold): line}} of what is tested, {set: columns}."""
    tests, columns = defaultdict(dict), {}
    for text in (out / "results.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["kind"] == "test" and "diverged" not in line:
            place = line["set"], line["backbone"], line["variant"]
            tests[place][line["seed"], line["fold"]] = line
    for path in out.glob("*.columns.json"):
        values = json.loads(path.read_text())
        columns[path.name.split(".")[0]] = {k: np.array(v) for k, v in values.items()}
    return tests, columns


def oasis_rows(tests, columns, backbone: str) -> dict[str, Row]:
    """Variants whose five folds are all there, by name."""
    fold = columns["fold"]
    folds = sorted(set(fold))
    rows = {}
    for (name, trunk, variant), lines in tests.items():
        seeds = [s for s in range(9) if all((s, k) in lines for k in folds)]
        if name != "oasis" or trunk != backbone or not seeds:
            continue
        if variant.startswith(NO_BACKBONE) and backbone != next(iter(LITE)):
            continue
        decision = "decision" in lines[seeds[0], folds[0]]
        positive = {}
        for branch in ("decision",) if decision else ("class", "detect"):
            if branch not in lines[seeds[0], folds[0]]:
                continue
            table = np.full((len(seeds), len(fold)), np.nan)
            for i, s in enumerate(seeds):
                for k in folds:
                    values = np.array(lines[s, k][branch])
                    table[i, fold == k] = values if decision else values[:, 1]
            if decision:  # so that p > ½ where the decision value is above 0
                table, branch = 1 / (1 + np.exp(-table)), "class"
            positive[branch] = table
        rows[variant] = Row(positive, [lines[seeds[0], k] for k in folds], decision)
    return rows


# Tables ---------------------------------------------------------------------------------------


def percent(mean: float, values: np.ndarray) -> str:
    low, high = interval(values)
    return f"{100 * mean:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def of_seeds(values: np.ndarray, resampled: np.ndarray) -> str:
    """(S,) of the seeds, (R,) means of resamples -> mean, interval, and deviation of the seeds."""
    deviation = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return percent(values.mean(), resampled) + deviation


def signed(mean: float, values: np.ndarray) -> str:
    low, high = interval(values)
    mark = "" if low <= 0 <= high else " **≠**"
    return f"{100 * mean:+.1f} ({100 * low:+.1f} … {100 * high:+.1f}){mark}".replace("-", "−")


def table(head: list[str], body: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *body))


def classification_table(rows: dict[str, Row], y, weights) -> str:
    """Each row's measures, and its accuracy and AUC less those of the plain backbone."""
    plain = {m: scores(f, weights, rows[PLAIN].positive["class"], y) for m, f in MEASURES.items()}
    majority = max(y.mean(), 1 - y.mean())
    body = [["always the majority", f"{100 * majority:.1f}", "", "", "", "50.0", "", ""]]
    order = sorted(
        rows, key=lambda v: -scores(accuracy, weights[:1], rows[v].positive["class"], y).mean
    )
    for variant in order:
        row = rows[variant]
        own = {m: scores(f, weights, row.positive["class"], y) for m, f in MEASURES.items()}
        gap = {
            m: signed(own[m].mean - plain[m].mean, own[m].resampled - plain[m].resampled)
            for m in ("accuracy", "AUC")
        }
        if variant == PLAIN:
            gap = dict.fromkeys(gap, "0")
        seeds = len(row.positive["class"])
        body.append(
            [
                variant, percent(own["accuracy"].mean, own["accuracy"].resampled),
                gap["accuracy"], percent(own["AUC"].mean, own["AUC"].resampled), gap["AUC"],
                f"{100 * own['balanced'].mean:.1f}",
                "–" if row.decision and variant != LOGISTIC else f"{own['log loss'].mean:.3f}",
                f"{100 * own['accuracy'].deviation:.1f}" if seeds > 1 else "–",
            ]
        )  # fmt: skip
    head = ["", "accuracy", "less the plain", "AUC", "less the plain", "balanced", "log loss",
            "SD of seeds"]  # fmt: skip
    return table(head, body)


def detection_table(rows: dict[str, Row], y, weights) -> str:
    """The detection branch against the majority, and against the classification branch."""
    majority = accuracy(weights, np.ones(len(y)), y)
    body = []
    for variant, row in rows.items():
        if "detect" not in row.positive:
            continue
        acc = scores(accuracy, weights, row.positive["detect"], y)
        area = scores(auc, weights, row.positive["detect"], y)
        other = scores(auc, weights, row.positive["class"], y)
        body.append(
            [
                variant, percent(acc.mean, acc.resampled),
                signed(acc.mean - np.mean(y), acc.resampled - majority),
                percent(area.mean, area.resampled),
                signed(area.mean - other.mean, area.resampled - other.resampled),
            ]
        )  # fmt: skip
    head = ["", "accuracy", "less the majority", "AUC", "less the classification branch"]
    return table(head, body)


def backbone_table(small: dict[str, Row], large: dict[str, Row], y, weights) -> str:
    """Lite2 less Lite0, row by row."""
    body = []
    for variant in [v for v in small if v in large]:
        cells = [variant]
        for measure in (accuracy, auc):
            one, two = (
                scores(measure, weights, rows[variant].positive["class"], y)
                for rows in (small, large)
            )
            cells += [f"{100 * one.mean:.1f}", f"{100 * two.mean:.1f}"]
            cells += [signed(two.mean - one.mean, two.resampled - one.resampled)]
        body.append(cells)
    head = ["", "Lite0", "Lite2", "difference", "Lite0, AUC", "Lite2, AUC", "difference"]
    return table(head, body)


def settings_table(rows: dict[str, Row]) -> str:
    """What the inner folds chose, for each fold that was tested."""
    body = []
    for variant, row in rows.items():
        if row.decision or ", " in variant:
            continue
        chosen = [line["setting"] for line in row.lines]
        body.append([variant, *(f"{lr:g}, {decay:g}, {epochs:g}" for lr, decay, epochs in chosen)])
    return table(["", *(f"fold {k}" for k in range(1, 6))], body)


def scene_rows(tests) -> dict[str, dict]:
    """Variant -> {"right", "detected": (S, N)}, {"rows": (S, N, 4)}, {"pointing": (S, N)}."""
    rows = {}
    for (name, _, variant), lines in tests.items():
        if name == "emoji_scenes":
            rows[variant] = [lines[key] for key in sorted(lines)]
    return rows


def scene_table(rows: dict[str, list], columns) -> tuple[str, dict]:
    """Accuracy of the eight emotions, and how well the map finds the emoji."""
    label = columns["label"][columns["fold"] == 5]
    weights = cluster_weights(np.arange(len(label)))
    body, f_scores = [], {}
    for variant, lines in rows.items():
        cells = [variant]
        for branch in ("class", "detect"):
            if branch not in lines[0]:
                cells.append("–")
                continue
            right = np.array([np.array(line[branch]).argmax(1) == label for line in lines])
            cells.append(of_seeds(right.mean(1), weights @ right.mean(0) / weights.sum(1)))
        if "region" in lines[0]:
            region = np.array([line["region"] for line in lines], np.float64)
            mae, _, p, r = region.mean(0).T
            f_seeds = np.array([_f(*line[:, 2:].mean(0)) for line in region])
            total = weights.sum(1)
            f = np.mean(
                [_f(weights @ x[:, 2] / total, weights @ x[:, 3] / total) for x in region], 0
            )
            hits = np.array([line["pointing"] for line in lines])
            cells += [of_seeds(f_seeds, f), ", ".join(f"{100 * x:.0f}" for x in f_seeds)]
            cells += [f"{100 * p.mean():.1f}", f"{100 * r.mean():.1f}", f"{mae.mean():.3f}"]
            cells += [of_seeds(hits.mean(1), weights @ hits.mean(0) / total)]
            f_scores[variant] = (f_seeds.mean(), f_seeds.min(), f_seeds.max())
        else:
            cells += ["–"] * 6
        body.append(cells)
    head = ["", "accuracy", "detection branch", "map F", "F by seed", "precision", "recall", "MAE",
            "pointing"]  # fmt: skip
    return table(head, body), f_scores


def _f(p, r):
    return 2 * p * r / np.maximum(p + r, 1e-9)


# Plots ----------------------------------------------------------------------------------------


def points(rows: dict[str, Row], branch: str, measure, y, weights) -> dict[str, tuple]:
    """{row: (mean, low, high)} in percent, best first."""
    out = {}
    for variant, row in rows.items():
        if branch in row.positive:
            s = scores(measure, weights, row.positive[branch], y)
            out[variant] = tuple(100 * v for v in (s.mean, *interval(s.resampled)))
    return dict(sorted(out.items(), key=lambda item: -item[1][0]))


# The page -------------------------------------------------------------------------------------


def report(out: Path) -> tuple[dict[str, str], dict[str, str]]:
    """({name: table}, {name: svg}) of what there is."""
    tests, columns = read(out)
    tables, plots = {}, {}
    if "oasis" in columns:
        y = columns["oasis"]["polarity"].astype(int)
        weights = cluster_weights(columns["oasis"]["theme"])
        rows = {short: oasis_rows(tests, columns["oasis"], b) for b, short in LITE.items()}
        for short, own in rows.items():
            if PLAIN in own:
                tables[f"oasis {short}"] = classification_table(own, y, weights)
                tables[f"detection {short}"] = detection_table(own, y, weights)
                tables[f"settings {short}"] = settings_table(own)
        if all(PLAIN in own for own in rows.values()):
            tables["backbones"] = backbone_table(rows["Lite0"], rows["Lite2"], y, weights)
        groups = {
            short: points({k: v for k, v in own.items() if ", " not in k or v.decision}, "class",
                          accuracy, y, weights)
            for short, own in rows.items() if own
        }  # fmt: skip
        plots["accuracy"] = forest(
            groups, "Accuracy on OASIS, %", 100 * max(y.mean(), 1 - y.mean())
        )
        detection = points(rows["Lite0"], "detect", auc, y, weights)
        if detection:
            title = "AUC of the detection branch on OASIS, Lite0, %"
            plots["detection"] = forest({"": detection}, title, 50)
    if "emoji_scenes" in columns:
        rows = scene_rows(tests)
        tables["scenes"], f_scores = scene_table(rows, columns["emoji_scenes"])
        best = sorted(f_scores.items(), key=lambda item: -item[1][0])
        if best:
            maps = {name: tuple(100 * v for v in triple) for name, triple in best}
            title = "F of the sentiment map on emoji_scenes, %: mean and range of the seeds"
            plots["maps"] = forest({"": maps}, title)
    return tables, plots


def fill(page: str, tables: dict[str, str]) -> str:
    """A page with each table between `<!-- table: NAME -->` and `<!-- end -->` made anew."""
    for name, text in tables.items():
        mark = re.escape(f"<!-- table: {name} -->")
        page = re.sub(
            rf"({mark}\n).*?(<!-- end -->)", lambda m, t=text: f"{m[1]}\n{t}\n\n{m[2]}", page,
            flags=re.DOTALL,
        )  # fmt: skip
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of experiment.py --out")
    parser.add_argument("--docs", type=Path, help="the folder whose experiments.md is filled")
    options = parser.parse_args()
    tables, plots = report(options.out)
    for name, text in tables.items():
        print(f"## {name}\n\n{text}\n")
    if options.docs:
        page = options.docs / "experiments.md"
        page.write_text(fill(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
        for name, svg in plots.items():
            (options.docs / f"experiments_{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
