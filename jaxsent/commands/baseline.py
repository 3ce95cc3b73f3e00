"""`jaxsent baseline FEATURES SET`: features and an SVM, as in both papers' tables."""

from pathlib import Path

from jaxsent.commands.data import DATA_DIR


def add(parser) -> None:
    parser.add_argument(
        "features",
        help="gch, lch or principles; sentibank=FILE, deepsentibank=FILE; a file of `jaxsent "
        "features`; or what that takes: a run's folder, vgg16=FILE, …",
    )
    parser.add_argument("name", help="a set: fi, twitter1/agree5_fold1, …")
    parser.add_argument("--from", dest="source", metavar="DIR", help="its folder, if not prepared")
    parser.add_argument("--data-dir", default=DATA_DIR, metavar="DIR", help="prepared sets")
    parser.add_argument(
        "--target", choices=("polarity", "label"), default="polarity",
        help="what is told apart (default polarity)",
    )  # fmt: skip
    parser.add_argument(
        "--kernel", choices=("rbf", "linear"), default="rbf",
        help="of the SVM (default rbf, as LIBSVM's)",
    )  # fmt: skip
    parser.add_argument(
        "--branch", choices=("both", "classification", "detection"), default="both",
        help="of a run: whose features (default both)",
    )  # fmt: skip
    parser.add_argument(
        "--workdir", type=Path, help="folder of the run; default runs/gch_SET, or gch_SET_label"
    )


def run(options) -> int:
    from jaxsent.baselines import sources, svm
    from jaxsent.data.batches import class_names
    from jaxsent.emotions import POLARITY
    from jaxsent.report import write_report
    from jaxsent.startup import keep_programs
    from tfds_builders.prepare import prepare

    keep_programs()
    name, _, variant = options.name.partition("/")
    builder = prepare(name, variant or None, options.data_dir, options.source)
    source = sources.open_source(options.features, builder, options.name, options.branch)
    target = "label" if options.target == "label" else ""
    workdir = options.workdir or Path("runs") / "_".join(
        filter(None, (source.name, name, variant, target))
    )
    scores = svm.evaluate(builder, source.features, options.target, options.kernel)
    names = {"label": class_names(builder), "polarity": POLARITY}
    results = {
        "model": source.name,
        "data": options.name,
        "split": "test",
        "classes": names[options.target],
        "kernel": options.kernel,
        **scores,
    }
    shown = source.name.upper() if source.name in ("gch", "lch") else source.name
    page = write_report(
        workdir / "report", title=f"{shown} and an SVM on {options.name}", results=results
    )
    low, high = scores["accuracy_interval"]
    print(f"accuracy {scores['accuracy']:.3f} (95 %: {low:.3f}–{high:.3f})\nreport: {page}")
    return 0
