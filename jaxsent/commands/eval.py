"""`jaxsent eval RUN`: tests a run again, or on another split; it needs nothing but the run."""

from pathlib import Path

OVERRIDES = True
"""It takes --config.KEY=VALUE."""


def add(parser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--split", help="train, validation or test (default: the run's test split)")
    parser.add_argument(
        "--data", metavar="SET", help="another prepared set of the same classes, as emod"
    )
    parser.add_argument("--distributed", action="store_true", help="many hosts: find the others")
    parser.epilog = (
        "--config.KEY=VALUE sets a key that changes no weights: of eval, and where the data are, "
        "as --config.data.dir=DIR."
    )


def run(options) -> int:
    from jaxsent.commands import run_py
    from jaxsent.run import config_files

    def call() -> None:
        config = config_files.of_run(options.run)
        if options.data:
            config.data.name, config.data.source = options.data, ""  # the run's source is its own
        run_py.override(config, options.overrides)
        config.data.test_split = options.split or config.data.test_split
        run_py.evaluate(config, options.run, options.distributed)

    return run_py.status(call, options.debug)
