"""`jaxsent eval RUN`: tests a run again, or on another split; it needs nothing but the run."""

from pathlib import Path

OVERRIDES = True
"""It takes --config.KEY=VALUE."""


def add(parser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run, or of its seeds")
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
    from jaxsent.paper import seeds

    def call() -> None:
        several = seeds.folders(options.run)
        for one in several or [options.run]:
            test(one)
        if several and not (options.split or options.data):
            from jaxsent.training.seeds import summarise

            summarise(options.run)

    def test(folder: Path) -> None:
        from jaxsent.run import config_files

        config = config_files.of_run(folder)
        if options.data:
            config.data.name, config.data.source = options.data, ""  # the run's source is its own
        run_py.override(config, options.overrides)
        config.data.test_split = options.split or config.data.test_split
        run_py.evaluate(config, folder, options.distributed)

    return run_py.status(call, options.debug)
