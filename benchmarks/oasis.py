"""Five-fold cross-validation on OASIS, no theme on both sides: the table of the README.

    python benchmarks/oasis.py --source FOLDER_OF_OASIS

Runs what is not finished yet in --workdir, so it can be stopped and called again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIGS = ("backbone_oasis", "wscnet_oasis", "wsidnet_oasis")
FOLDS = range(1, 6)
NUMBERS = ("accuracy", "ten_crop_accuracy", "detection_accuracy")


def finished(config: str, fold: int, seed: int, options) -> dict:
    """Results of one run, which is made where it is missing."""
    workdir = Path(options.workdir) / f"{config}_fold{fold}_seed{seed}"
    results = workdir / "report" / "results.json"
    if not results.is_file():
        command = [
            sys.executable, ROOT / "run.py", f"--config={ROOT / 'configs' / config}.py",
            f"--workdir={workdir}", f"--config.data.name=oasis/fold{fold}",
            f"--config.data.source={options.source}", f"--config.seed={seed}", *options.override,
        ]  # fmt: skip
        subprocess.run(command, check=True)
    return json.loads(results.read_text())


def table(options) -> str:
    """Markdown: each network's accuracy by fold, their mean, and the number of images."""
    lines = [
        "| network | "
        + " | ".join(f"fold {f}" for f in FOLDS)
        + " | mean | ten crops | detection |",
        "|---|" + "---|" * (len(FOLDS) + 3),
    ]
    majority = {}
    for config in options.configs:
        runs = {f: [finished(config, f, s, options) for s in options.seeds] for f in FOLDS}
        majority = {f: r[0]["majority"] for f, r in runs.items()}
        cells = [f"{statistics.mean(r['accuracy'] for r in runs[f]):.3f}" for f in FOLDS]
        for name in NUMBERS:
            values = [r.get(name) for f in FOLDS for r in runs[f]]
            known = None not in values
            cells.append(f"{statistics.mean(values):.3f}" if known else "–")
        lines.append(f"| `{config}` | " + " | ".join(cells) + " |")
    cells = [f"{majority[f]:.3f}" for f in FOLDS]
    cells += [f"{statistics.mean(majority.values()):.3f}", "–", "–"]
    lines.append("| always the majority | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="folder with OASIS.csv and images/")
    parser.add_argument("--workdir", default="runs/oasis")
    parser.add_argument("--configs", nargs="+", default=CONFIGS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options, options.override = parser.parse_known_args()
    print(table(options))


if __name__ == "__main__":
    main()
