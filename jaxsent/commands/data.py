"""`jaxsent data`: from a user's folder to a prepared set, and what can be told of it."""

import json
import shutil
import textwrap
from pathlib import Path

DATA_DIR = "~/tensorflow_datasets"
LOOKED_IN = (DATA_DIR, "runs/prepared")
"""Where prepared sets are looked for by commands that only tell of them."""


def add(parser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shared = {"default": DATA_DIR, "metavar": "DIR", "help": f"prepared sets (default {DATA_DIR})"}

    prepare = actions.add_parser("prepare", help="build a set from the folder you have")
    prepare.add_argument("name", help="fi, twitter1/agree5_fold1, folder/holidays, …")
    prepare.add_argument(
        "--from", dest="source", metavar="DIR", help="the set as its authors ship it, or a .zip"
    )
    prepare.add_argument("--data-dir", **shared)
    prepare.add_argument(
        "--strict",
        action="store_true",
        help="stop where a file is missing, unreadable or of no class",
    )
    prepare.add_argument(
        "--force", action="store_true", help="prepare it again even where the folder is unchanged"
    )
    prepare.add_argument(
        "--beam", nargs="?", const="", metavar="OPTIONS",
        help="prepare flickr through Apache Beam, with its options in quotes (default: its direct "
        "runner on all cores)",
    )  # fmt: skip
    prepare.set_defaults(do=_prepare)

    listing = actions.add_parser("list", help="every set: prepared or not, size, where to get it")
    listing.add_argument(
        "--data-dir", action="append", metavar="DIR",
        help=f"prepared sets, as often as you like (default {' and '.join(LOOKED_IN)})",
    )  # fmt: skip
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(do=_list)

    card = actions.add_parser("croissant", help="print a prepared set's Croissant metadata (JSON)")
    card.add_argument("name", help="a prepared set")
    card.add_argument("--data-dir", **shared)
    card.set_defaults(do=_croissant)

    show = actions.add_parser("show", help="draw examples with their labels and regions")
    show.add_argument("name", help="a prepared set")
    show.add_argument("--data-dir", **shared)
    show.add_argument("--split", default="train", help="train (default), validation or test")
    show.add_argument("-n", type=int, default=16, help="examples, evenly over the split")
    show.add_argument("--out", type=Path, default=Path("examples.png"), help="the picture")
    show.set_defaults(do=_show)


def run(options) -> int:
    return options.do(options)


def _prepare(options) -> int:
    from tfds_builders import survey
    from tfds_builders.prepare import prepare

    name, _, variant = options.name.partition("/")
    beam = {} if options.beam is None else {"beam": options.beam.split()}
    builder = prepare(
        name, variant or None, options.data_dir, options.source, options.strict, **beam,
        force=options.force, changed="rebuild", tell=print,
    )  # fmt: skip
    contents = survey.load(builder.data_dir)
    if contents:
        _summary(contents)
        contents.check(options.strict)  # of a set that was there
    else:
        for split, info in builder.info.splits.items():
            print(f"{split}: {info.num_examples:,} images")
    print(f"prepared in {builder.data_dir}; use it as data.name={options.name}")
    return 0


def _summary(contents) -> None:
    from rich.table import Table

    from jaxsent.console import console

    table = Table("split", "class")
    for column in ("found", "expected"):
        table.add_column(column, justify="right")
    before = None
    for row in contents.rows():
        table.add_row(
            row.split if row.split != before else "",
            row.label,
            f"{row.found:,}",
            "" if row.expected is None else f"{row.expected:,}",
            end_section=row.label == "all",
        )
        before = row.split
    console.print(table)
    console.print(contents.text(), soft_wrap=True)


def _list(options) -> int:
    folders = [Path(folder).expanduser() for folder in options.data_dir or LOOKED_IN]
    sets = list(_sets(folders))
    if options.json:
        print(json.dumps(sets, indent=1, ensure_ascii=False))
        return 0
    print("\n\n".join(_block(one) for one in sets))
    return 0


def _block(one: dict) -> str:
    """A set in a few lines: name, size and state, then what else is known of it."""
    images = "as many images as you have" if one["images"] is None else f"{one['images']:,} images"
    prepared = [
        f"{p['name']}, {sum(p['splits'].values()):,} images, {p['size']} in {p['folder']}"
        for p in one["prepared"]
    ]
    facts = {
        "classes": ", ".join(one["classes"]) or "those of your folders",
        "prepared": "; ".join(prepared) or "no",
        "get": one["source"]
        if one["homepage"] in one["source"]
        else f"{one['source']} {one['homepage']}",
        "licence": one["licence"],
    }
    width = shutil.get_terminal_size().columns
    lines = [f"{one['name']}: {images}, {one['title']}"]
    lines += [f"  {name:9s} {text}" for name, text in facts.items()]
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=" " * 12, break_on_hyphens=False)
        for line in lines
    )


def _sets(folders: list[Path]):
    """What is known of each set, as JSON has it."""
    import tensorflow_datasets as tfds

    import tfds_builders
    from tfds_builders.prepare import prepared

    there = [one for folder in folders for one in prepared(folder)]
    for name in tfds_builders.names():
        cls = tfds_builders.builder_class(name)
        card = cls.CARD
        prepared_sets = []
        for one in there:
            if one.name.partition("/")[0] == name:
                info = tfds.builder_from_directory(one.folder).info
                splits = {split: s.num_examples for split, s in info.splits.items()}
                size = f"{int(info.dataset_size) / 1e6:,.0f} MB"
                prepared_sets.append(
                    {"name": one.name, "folder": str(one.folder), "splits": splits, "size": size}
                )
        yield {
            "name": name,
            "title": card.title,
            "images": card.images,
            "classes": list(card.classes),
            "configurations": list(cls.builder_configs),
            "layout": card.layout,
            "source": card.source,
            "homepage": card.homepage,
            "licence": card.licence,
            "prepared": prepared_sets,
        }


def _croissant(options) -> int:
    from jaxsent.data.croissant import croissant
    from tfds_builders.prepare import prepare

    name, _, variant = options.name.partition("/")
    metadata = croissant(prepare(name, variant or None, options.data_dir))
    print(json.dumps(metadata, indent=1, ensure_ascii=False))
    return 0


def _show(options) -> int:
    from jaxsent.report.set_sheet import draw
    from tfds_builders.prepare import prepare

    name, _, variant = options.name.partition("/")
    builder = prepare(name, variant or None, options.data_dir)
    draw(builder, options.split, options.n, options.out)
    print(options.out)
    return 0
