"""`jaxsent baseline ROW SET`: what the papers compare with and no config trains."""

from pathlib import Path

from jaxsent.commands.data import DATA_DIR


def add(parser) -> None:
    parser.add_argument(
        "features",
        metavar="ROW",
        help="for an SVM: gch, lch or principles; sentibank=FILE, deepsentibank=FILE; a file of "
        "`jaxsent features`; or what that takes: a run's folder, vgg16=FILE, … By a trained "
        "network: affective_regions=RUN, global_local=RUN",
    )
    parser.add_argument("name", metavar="SET", help="a set: fi, twitter1/agree5_fold1, …")
    parser.add_argument("--from", dest="source", metavar="DIR", help="its folder, if not prepared")
    parser.add_argument("--data-dir", default=DATA_DIR, metavar="DIR", help="prepared sets")
    parser.add_argument(
        "--target", choices=("polarity", "label"),
        help="what an SVM tells apart (default polarity); a network tells what it learnt",
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
        "--fusion", choices=("average", "product", "max", "features"), default="average",
        help="of a photograph and its region: of probabilities (default average), or features, "
        "for an SVM",
    )  # fmt: skip
    parser.add_argument(
        "--saliency", default="gbvs", metavar="MAP",
        help="of global_local: spectral_residual, … (default gbvs), or a folder of maps",
    )  # fmt: skip
    parser.add_argument(
        "--workdir", type=Path, help="folder of the run; default runs/gch_SET, or gch_SET_label"
    )


def run(options) -> int:
    from jaxsent.paper.table import REGIONAL
    from jaxsent.startup import keep_programs
    from tfds_builders.prepare import prepare

    keep_programs()
    name, _, variant = options.name.partition("/")
    builder = prepare(name, variant or None, options.data_dir, options.source)
    regional = options.features.partition("=")[0] in REGIONAL
    row, results, outputs = (_regions if regional else _svm)(options, builder)
    target = "label" if options.target == "label" else ""
    workdir = options.workdir or Path("runs") / "_".join(filter(None, (row, name, variant, target)))
    _write(workdir, {"data": options.name, **results}, outputs)
    return 0


def _svm(options, builder) -> tuple[str, dict, dict]:
    """-> the row's name, its results, and what predictions.csv is written of."""
    from jaxsent import metrics
    from jaxsent.baselines import sources, svm
    from jaxsent.data import records
    from jaxsent.data.batches import class_names
    from jaxsent.emotions import POLARITY
    from jaxsent.evaluation import rows

    target = options.target or "polarity"
    source = sources.open_source(options.features, builder, options.name, options.branch)
    predicted, truth = svm.predict(builder, source.features, target, options.kernel)
    results = {
        "model": source.name,
        "split": "test",
        "classes": class_names(builder) if target == "label" else POLARITY,
        "kernel": options.kernel,
        **metrics.classification_scores(predicted, truth),
    }
    files = rows.as_bytes(records.names(builder, "test"))
    return source.name, results, {"file": files, "truth": truth, "class_probabilities": predicted}


def _regions(options, builder) -> tuple[str, dict, dict]:
    from jaxsent.errors import UserError
    from jaxsent.evaluation import region_rows

    kind, _, run = options.features.partition("=")
    if not run:
        raise UserError(f"{kind}: say whose answers: {kind}=RUN, the folder of a finished run.")
    results, outputs = region_rows.evaluate(
        kind, Path(run).expanduser(), builder, options.fusion, saliency=options.saliency,
        kernel=options.kernel, target=options.target,
    )  # fmt: skip
    return f"{kind}_{options.fusion}", results, outputs


def _write(workdir: Path, results: dict, outputs: dict) -> None:
    from jaxsent.evaluation import rows
    from jaxsent.report import network, write_report

    shown = results["model"].upper() if results["model"] in ("gch", "lch") else results["model"]
    method = network(results) if "fusion" in results else f"{shown} and an SVM"
    title = f"{method} on {results['data']}"
    page = write_report(workdir / "report", title=title, results=results)
    rows.write_predictions(page.parent / "predictions.csv", results["classes"], outputs)
    rows.write_maps(page.parent / "maps.csv", outputs.get("maps", ()), outputs)
    low, high = results["accuracy_interval"]
    print(f"accuracy {results['accuracy']:.3f} (95 %: {low:.3f}–{high:.3f})")
    if "whole_accuracy" in results:
        print(f"of whole photographs alone {results['whole_accuracy']:.3f}")
    print(f"report: {page}")
