"""A network with nothing to learn, photographs for it, and a client of its page."""

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from jaxsent.app.routes import DEFAULT, create
from jaxsent.app.server import server
from jaxsent.commands import serve
from jaxsent.emotions import MIKELS
from jaxsent.prediction.predictor import Card, Predictor


def network(images: np.ndarray, classes: int = 8) -> dict[str, np.ndarray]:
    """Fear where it is dark, awe where it is bright, without anything to learn or compile."""
    bright = images.mean((1, 2, 3)) / 255
    rows = np.stack([bright if name == "awe" else 0 * bright for name in MIKELS], 1)
    rows[:, MIKELS.index("fear")] = 1 - bright
    ramp = np.linspace(0, 1, 7, dtype=np.float32)
    maps = np.broadcast_to(ramp[None, :, None, None], (len(images), 7, 7, 8))
    return {
        "class_probabilities": rows[:, :classes].astype(np.float32),
        "detect_probabilities": rows.astype(np.float32),
        "class_maps": maps,
        "sentiment_map": maps[..., 0],
    }


CARD = Card(MIKELS, MIKELS, resize=32, image_size=32, interpolation="bilinear")
PREDICTOR = Predictor(CARD, network)


def encoded(image=None, form="JPEG", **options) -> bytes:
    image = np.full((48, 64, 3), 200, np.uint8) if image is None else image
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, **options)
    return file.getvalue()


@contextlib.contextmanager
def client(predictor=PREDICTOR, limits=DEFAULT, auth=None, **options):
    app = create(predictor, limits, auth, **options)
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as c:
        yield c


@contextlib.contextmanager
def served(app, buffer: int | None = None) -> Iterator[int]:
    """The port of a server as the command runs it; `buffer` bytes are on their way at most."""
    door = serve.bind("127.0.0.1", 0)
    if buffer:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    running = server(app)
    thread = threading.Thread(target=running.run, args=([door],))
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield door.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()
        door.close()
