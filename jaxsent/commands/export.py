"""`jaxsent export RUN --format FORMAT`."""

from pathlib import Path


def add(parser) -> None:
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--format", required=True, help="torch (.pth) or safetensors")
    parser.add_argument("--out", type=Path, help="file; default model.pth in the run's folder")


def run(options) -> int:
    from jaxsent.export import export

    print(export(options.run, options.format, options.out))
    return 0
