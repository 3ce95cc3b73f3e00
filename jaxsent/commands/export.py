"""`jaxsent export RUN --format FORMAT`."""

from pathlib import Path

from jaxsent.export import FORMATS


def add(parser) -> None:
    parser.add_argument("run", type=Path, help="folder of the run")
    kinds = ", ".join(f"{name} ({suffix})" for name, (suffix, _) in FORMATS.items())
    parser.add_argument("--format", required=True, help=kinds)
    parser.add_argument("--out", type=Path, help="file; default model.SUFFIX in the run's folder")


def run(options) -> int:
    from jaxsent.export import export

    print(export(options.run, options.format, options.out))
    return 0
