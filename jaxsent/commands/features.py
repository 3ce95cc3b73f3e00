"""`jaxsent features MODEL SET`: what a network sees in every image, for other programs."""

from pathlib import Path

from jaxsent.commands.data import DATA_DIR


def add(parser) -> None:
    parser.add_argument(
        "model", help="a run's folder, BACKBONE=FILE as vgg16=vgg16.pth, or efficientnet_lite0"
    )
    parser.add_argument("name", metavar="SET", help="a set: fi, twitter1/agree5_fold1, …")
    parser.add_argument("--from", dest="source", metavar="DIR", help="its folder, if not prepared")
    parser.add_argument("--data-dir", default=DATA_DIR, metavar="DIR", help="prepared sets")
    parser.add_argument(
        "--branch", choices=("both", "classification", "detection"), default="both",
        help="of a run: what its classifier reads, the pooled detection vector, or both (default)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, nargs="+", metavar="FILE",
        help=".npz or .parquet, or several (default features/MODEL_SET.npz)",
    )  # fmt: skip


def run(options) -> int:
    from jaxsent.baselines import feature_file, network_features
    from jaxsent.startup import keep_programs
    from tfds_builders.prepare import prepare

    keep_programs()
    name, _, variant = options.name.partition("/")
    model = Path(options.model.partition("=")[0]).name
    default = Path("features") / f"{'_'.join(filter(None, (model, name, variant)))}.npz"
    files = options.out or [default]
    for file in files:
        feature_file.check_writable(file)
    extractor = network_features.open_model(options.model, options.branch)
    builder = prepare(name, variant or None, options.data_dir, options.source)
    table = network_features.extract(extractor, builder)
    for file in files:
        feature_file.write(file, table)
        print(f"{file}: {table.features.shape[1]} numbers of each of {len(table.file)} images")
    return 0
