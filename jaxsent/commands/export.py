"""`jaxsent export [MODEL] --format FORMAT`."""

from pathlib import Path

from jaxsent.export import FORMATS


def add(parser) -> None:
    parser.add_argument(
        "model", type=Path, nargs="?",
        help="folder of a run, or a .safetensors of jaxsent (default: the model of photographs "
        "that comes with jaxsent)",
    )  # fmt: skip
    kinds = ", ".join(f"{name} ({suffix})" for name, (suffix, _) in FORMATS.items())
    parser.add_argument("--format", required=True, help=kinds)
    parser.add_argument(
        "--out", type=Path,
        help="file; default model.SUFFIX in the run's folder, and photographs.SUFFIX here for the "
        "model of photographs",
    )  # fmt: skip


def run(options) -> int:
    from jaxsent.export import export

    model, out = options.model, options.out
    if model is None:
        from jaxsent.prediction.predictor import SHIPPED

        suffix = FORMATS[options.format][0] if options.format in FORMATS else ""
        model, out = SHIPPED, out or Path(f"photographs{suffix}")
    print(export(model, options.format, out))
    return 0
