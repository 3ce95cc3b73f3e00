"""`jaxsent push RUN OWNER/NAME`."""

from pathlib import Path


def add(parser) -> None:
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("name", metavar="OWNER/NAME", help="of the model on the hub")
    parser.add_argument("--private", action="store_true", help="where it is made: for you only")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write what would be uploaded there, upload nothing"
    )


def run(options) -> int:
    from jaxsent.export import hub

    if options.out:
        for file in hub.write_folder(options.run, options.name, options.out):
            print(file)
        return 0
    print(hub.push(options.run, options.name, options.private))
    return 0
