"""`jaxsent baseline FEATURES SET`: features and an SVM, as in both papers' tables."""

from pathlib import Path

from jaxsent.commands.data import DATA_DIR


def add(parser) -> None:
    parser.add_argument(
        "features", choices=("gch", "lch", "principles"),
        help="colour histograms of the image or of 16 blocks, or principles of art",
    )  # fmt: skip
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
    parser.add_argument("--workdir", type=Path, help="folder of the run; default runs/gch_SET")


def run(options) -> int:
    from jaxsent.baselines import svm
    from jaxsent.data.batches import class_names
    from jaxsent.emotions import POLARITY
    from jaxsent.report import write_report
    from tfds_builders.prepare import prepare

    name, _, variant = options.name.partition("/")
    builder = prepare(name, variant or None, options.data_dir, options.source)
    workdir = options.workdir or Path("runs") / "_".join(
        filter(None, (options.features, name, variant))
    )
    scores = svm.evaluate(builder, options.features, options.target, options.kernel)
    names = {"label": class_names(builder), "polarity": POLARITY}
    results = {
        "model": options.features,
        "data": options.name,
        "split": "test",
        "classes": names[options.target],
        "kernel": options.kernel,
        **scores,
    }
    title = f"{options.features.upper()} and an SVM on {options.name}"
    page = write_report(workdir / "report", title=title, results=results)
    low, high = scores["accuracy_interval"]
    print(f"accuracy {scores['accuracy']:.3f} (95 %: {low:.3f}–{high:.3f})\nreport: {page}")
    return 0
