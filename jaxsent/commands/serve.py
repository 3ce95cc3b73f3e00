"""`jaxsent serve [MODEL]`: the page to drop photographs on, and its HTTP endpoint."""

import importlib.util
import os
import signal
import socket
import sys
from pathlib import Path

from jaxsent.errors import UserError

AUTH = "JAXSENT_AUTH"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add(parser) -> None:
    parser.add_argument(
        "model", nargs="?",
        help="a run's folder, an exported file, or hf:OWNER/NAME (default: the model of "
        "photographs that comes with jaxsent)",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address (default this machine only)")
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one (default 7860)")
    parser.add_argument(
        "--auth", default=os.environ.get(AUTH), metavar="USER:PASSWORD",
        help=f"asked of page and programs; from the environment's {AUTH}, other users of this "
        "machine do not see it among its processes",
    )  # fmt: skip
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="another name that the page may be asked for by; may be repeated",
    )  # fmt: skip
    parser.add_argument("--max-mb", type=float, default=20, metavar="N", help="of a file (20)")
    parser.add_argument(
        "--max-megapixels", type=float, default=50, metavar="N", help="of an image (50)"
    )
    parser.add_argument(
        "--timeout", type=float, default=30, metavar="SECONDS", help="for an answer (30)"
    )
    parser.add_argument(
        "--queue", type=int, default=16, metavar="N", help="photographs that may wait (16)"
    )
    parser.add_argument(
        "--examples",
        type=Path,
        metavar="DIR",
        help="photographs to offer (default: none, or drawn scenes where the network knows those)",
    )


def run(options) -> int:
    for package in (
        "gradio",
        "uvicorn",
    ):  # not imported yet: Gradio would make folders, see page.py
        if importlib.util.find_spec(package) is None:
            raise UserError(f"The page needs the package {package}: pip install 'jaxsent[app]'")
    check(options)
    signal.signal(signal.SIGTERM, _stop)
    from jaxsent.app import examples
    from jaxsent.app.limits import Limits
    from jaxsent.app.routes import create
    from jaxsent.app.server import server
    from jaxsent.prediction.predictor import load

    door = bind(options.host, options.port)
    offered = examples.from_folder(options.examples) if options.examples else []
    limits = Limits(options.max_mb, options.max_megapixels, options.timeout, options.queue)
    address = f"http://{_written(options.host)}:{door.getsockname()[1]}/"
    predictor = load(options.model)
    for sentence in predictor.card.provenance.sentences():
        print(sentence, file=sys.stderr)
    if predictor.card.provenance.drawings and not options.examples:
        offered = examples.scenes()
    app = create(
        predictor, limits, options.auth, offered,
        ready=lambda: print(f"Ready: {address} (Ctrl-C stops it)", flush=True),
        hosts=(options.host, *options.allow_host),
    )  # fmt: skip
    server(app).run([door])
    return 0


def check(options) -> None:
    """Raises UserError for a value whose harm would show only later."""
    from jaxsent.app.limits import LARGEST

    if options.auth is not None and not all(options.auth.partition(":")):
        raise UserError("--auth: expected USER:PASSWORD, neither of them empty.")
    if options.max_megapixels > LARGEST:
        raise UserError(
            f"--max-megapixels {options.max_megapixels:g}: at most {LARGEST}; larger images are "
            "taken for attacks."
        )
    if not 0 <= options.port <= 65535:
        raise UserError(f"--port {options.port}: expected 0 to 65535.")
    for name in ("max_mb", "max_megapixels", "timeout", "queue"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')}: expected a number above 0.")
    if options.host not in LOOPBACK and options.auth is None:
        print(
            f"Anyone who reaches {options.host} may use this page; --auth asks for a password.",
            file=sys.stderr,
        )


def bind(host: str, port: int) -> socket.socket:
    """A socket at that address, not listening yet. Raises UserError where it is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
    except OSError as error:
        door.close()
        raise UserError(
            f"{host}:{port} cannot be served ({error.strerror}); choose another --port, or 0 for "
            "a free one."
        ) from None
    return door


def _stop(number: int, frame) -> None:
    """As SIGTERM's handler: nothing temporary stays behind, as where the system ends a process."""
    raise SystemExit(0)


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
