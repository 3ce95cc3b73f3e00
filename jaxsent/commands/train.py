"""`jaxsent train CONFIG`: what `python run.py --config CONFIG` does, from anywhere."""

OVERRIDES = True
"""It takes --config.KEY=VALUE."""


def add(parser) -> None:
    parser.add_argument(
        "config",
        help="one that comes with jaxsent, such as wsidnet_fi or cam:emotionroi, or a file",
    )
    parser.add_argument("--workdir", metavar="DIR", help="folder of the run; default runs/CONFIG")
    parser.add_argument("--distributed", action="store_true", help="many hosts: find the others")
    parser.add_argument(
        "--accept-changes", action="store_true",
        help="go on with a run though values of training differ; they are recorded",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, metavar="N",
        help="train N runs, in seed0, seed1, … of the run's folder, and tell mean ± sd",
    )  # fmt: skip
    parser.epilog = "--config.KEY=VALUE sets a key of the config, as --config.data.source=FOLDER."


def run(options) -> int:
    from jaxsent import startup
    from jaxsent.commands import run_py

    startup.restart_with_huge_pages()
    arguments = ["--config", options.config, *options.overrides]
    arguments += ["--workdir", options.workdir] if options.workdir else []
    arguments += [f"--seeds={options.seeds}"] if options.seeds is not None else []
    for name in ("distributed", "accept_changes", "debug"):
        arguments += [f"--{name}"] if getattr(options, name) else []
    return run_py.run(["jaxsent train", *arguments])
