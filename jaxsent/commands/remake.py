"""`jaxsent remake --from FOLDER_OF_OASIS`: the model that comes with jaxsent, made again."""

from pathlib import Path


def add(parser) -> None:
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, metavar="DIR",
        help="OASIS as its authors gave it: OASIS.csv and images/",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("photographs"), metavar="DIR",
        help="for model.safetensors and its card (default photographs)",
    )  # fmt: skip


def run(options) -> int:
    from jaxsent.prediction import remake
    from jaxsent.run.provenance import measured
    from jaxsent.startup import keep_programs

    keep_programs()
    results = remake.make(options.source.expanduser(), options.out)
    print(measured(results))
    print(f"{options.out / 'model.safetensors'}, and its card {options.out / 'README.md'}.")
    return 0
