"""The page and clients that mean it ill, or do nothing: each of these was seen to harm others."""

import contextlib
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from jaxsent.app import server
from jaxsent.app.limits import Limits
from jaxsent.app.routes import create
from jaxsent.prediction.predictor import Predictor
from tests.app.stand_in import CARD, PREDICTOR, client, encoded, network, served

PHOTO = encoded()


def ask(port: int, body=PHOTO, **headers) -> tuple[int, dict]:
    """The status and the answer, as the client of docs/serve.md asks."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@contextlib.contextmanager
def raw(port: int, text: bytes):
    """A connection on which so much was sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text)
        yield connection


def head(length: int) -> bytes:
    return f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


def ended(connection: socket.socket) -> bool:
    """Whether the server ends it before the connection's own time-out."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def wait_for(port: int, count: int) -> None:
    """Until that many photographs are in the queue."""
    until = time.monotonic() + 10
    waiting = None
    while waiting != count:
        assert time.monotonic() < until, f"{waiting} wait, not {count}"
        time.sleep(0.02)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            waiting = json.load(response)["waiting"]


def test_idle_uploads_starve_nobody():
    limits = Limits(waiting=2)
    with served(create(PREDICTOR, limits)) as port, contextlib.ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(raw(port, head(len(PHOTO)) + PHOTO[:100]))
        assert ask(port)[0] == 200


def test_uploads_that_stop_give_their_memory_to_others():
    """Each has brought nearly all of a photograph, so that together they fill the memory."""
    limits = Limits(waiting=2, megabytes=0.5)
    with served(create(PREDICTOR, limits)) as port, contextlib.ExitStack() as stack:
        stopped = [stack.enter_context(raw(port, head(500_000) + bytes(499_000))) for _ in range(2)]
        time.sleep(0.3)  # until they have arrived
        assert ask(port, PHOTO + bytes(100_000))[0] == 200
        assert stopped[0].recv(100).startswith(b"HTTP/1.1 408")


def test_an_upload_that_never_ends_is_told_so():
    with (
        served(create(PREDICTOR, Limits(seconds=0.5))) as port,
        raw(port, head(len(PHOTO)) + PHOTO[:100]) as connection,
    ):
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_headers_that_never_end(monkeypatch):
    monkeypatch.setattr(server, "HEAD", 0.4)
    text = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    with served(create(PREDICTOR)) as port:
        for beginning in (b"", text):
            with raw(port, beginning) as connection:
                connection.settimeout(4)
                assert ended(connection), beginning
        with raw(port, text + b"\r\n") as connection:  # a whole one is kept alive
            for _ in range(2):
                assert b"200 OK" in connection.recv(1 << 16)
                time.sleep(0.6)
                connection.sendall(text + b"\r\n")
            connection.sendall(text)  # and its next has to end as well
            connection.settimeout(4)
            assert ended(connection)


def test_too_many_connections_cost_the_oldest_that_waits(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 20)
    with served(create(PREDICTOR)) as port, contextlib.ExitStack() as stack:
        many = [stack.enter_context(raw(port, b"GET")) for _ in range(25)]
        assert ask(port)[0] == 200
        many[0].settimeout(3)  # before its headers' time is up
        assert ended(many[0])


@pytest.mark.parametrize(
    ("auth", "megabytes", "status"),
    [("ann:secret", 3, 401), (None, 6, 413), (None, 3, 503)],
    ids=["401", "413", "503"],
)
def test_early_refusals_reach_python(auth, megabytes, status):
    """Their clients send all of a body before they read."""
    limits = Limits(megabytes=4, waiting=0 if status == 503 else 16)
    with served(create(PREDICTOR, limits, auth), buffer=1 << 16) as port:
        for _ in range(3):
            code, answer = ask(port, bytes(megabytes * 1_000_000))
            assert code == status and answer["error"]


def test_who_was_let_in_is_not_sent_away_because_others_were_quicker():
    go = threading.Event()

    def waiting(images):
        assert not images.any() or go.wait(10)
        return network(images)

    app = create(Predictor(CARD, waiting), Limits(waiting=2))
    with served(app) as port, contextlib.ExitStack() as stack:
        sending = [stack.enter_context(raw(port, head(len(PHOTO)) + PHOTO[:9])) for _ in range(4)]
        time.sleep(0.3)
        for connection in sending:
            connection.sendall(PHOTO[9:])
        wait_for(port, 4)
        assert ask(port)[0] == 503
        go.set()
        for connection in sending:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_an_early_refusal_does_not_wait_for_the_body():
    with served(create(PREDICTOR, Limits(waiting=0))) as port:
        began = time.monotonic()
        with raw(port, head(10_000_000) + b"x") as connection:
            answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 503") and b"connection: close" in answer
        assert time.monotonic() - began < 1.5
        expecting = head(10_000_000).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        with raw(port, expecting) as connection:
            connection.settimeout(2)  # nothing is sent before an answer, and nothing awaited
            assert connection.recv(1000).startswith(b"HTTP/1.1 503") and ended(connection)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:7860", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:7860", 200),
        ("photos.example", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.1.7", 403),
        ("", 403),
        ("[::1", 403),
    ],
)
def test_a_name_that_is_not_served(host, status):
    """Else a page of evil.example could make its name lead here (DNS rebinding)."""
    with guarded(hosts=["Photos.example"]) as c:
        for path in ("/health", "/"):
            assert c.get(path, headers={"host": host}).status_code == status
        same = {"host": host, "origin": f"http://{host}"}
        assert c.post("/", headers=same).status_code == status


def test_the_address_that_was_reached_is_served():
    with served(create(PREDICTOR)) as port:
        for host, status in (("127.0.0.2", b"200"), ("192.0.2.1", b"403")):
            text = f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n"
            with raw(port, text.encode()) as connection:
                assert connection.recv(100).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("origin", ["http://[::1", "http://[", "null", "", "http://localhost@x"])
def test_origins_that_are_no_address(origin):
    with guarded() as c:
        assert c.get("/health", headers={"origin": origin}).status_code == 403


@contextlib.contextmanager
def guarded(hosts=()):
    """A client of the guard alone, in front of something that always answers."""
    from starlette.responses import PlainTextResponse
    from starlette.testclient import TestClient

    from jaxsent.app.guard import Guard

    yield TestClient(Guard(PlainTextResponse("in"), hosts=hosts), "http://localhost")


def test_aborted_uploads_log_nothing(caplog, capfd):
    with served(create(PREDICTOR)) as port:
        for _ in range(5):
            with raw(port, head(len(PHOTO)) + PHOTO[:100]):
                time.sleep(0.02)
        assert ask(port)[0] == 200
    assert caplog.records == [] and capfd.readouterr().err == ""


SHEET = encoded(np.random.default_rng(0).integers(0, 256, (1500, 900, 3), np.uint8), quality=30)
FRAGMENT = head(len(SHEET)).replace(b"\r\n\r\n", b"\r\nAccept: text/html\r\n\r\n") + SHEET
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def deaf(port: int, text: bytes):
    """A connection that asked so, and reads nothing, with hardly a buffer."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.settimeout(10)
        connection.sendall(text)
        yield connection


def test_stopping_does_not_wait_for_clients(monkeypatch):
    """One sends nothing more, one reads nothing of a large answer, one has been answered."""
    monkeypatch.setattr(server, "PARTING", 0.5)
    with contextlib.ExitStack() as stack:
        with served(create(PREDICTOR), buffer=4096) as port:
            stack.enter_context(raw(port, b"POST /pre"))
            stack.enter_context(raw(port, head(len(PHOTO)) + PHOTO[:100]))
            stack.enter_context(deaf(port, FRAGMENT))
            assert stack.enter_context(raw(port, HEALTH)).recv(100)
            time.sleep(1)  # until the answer fills the buffers
            began = time.monotonic()
        assert time.monotonic() - began < 4


def test_stopping_answers_what_was_begun():
    """Photographs that wait for the network when the server is told to stop."""
    begun, go, answers = threading.Event(), threading.Event(), []

    def waiting(images):
        if images.any():  # the warm-up's are black
            begun.set()
            assert go.wait(10)
        return network(images)

    with served(create(Predictor(CARD, waiting))) as port:
        threads = [threading.Thread(target=lambda: answers.append(ask(port)[0])) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert begun.wait(10)
        wait_for(port, 3)
        threading.Timer(0.5, go.set).start()
    for thread in threads:
        thread.join()
    assert answers == [200, 200, 200]


@pytest.mark.parametrize("close", [False, True], ids=["kept", "closing"])
def test_an_answer_that_nobody_reads_is_dropped(monkeypatch, close):
    monkeypatch.setattr(server, "STALL", 0.5)
    more = b"\r\nConnection: close\r\nAccept" if close else b"\r\nAccept"
    text = FRAGMENT.replace(b"\r\nAccept", more)
    with served(create(PREDICTOR), buffer=4096) as port, deaf(port, text) as connection:
        time.sleep(2.5)
        answer = bytearray()
        while part := connection.recv(1 << 16):
            answer += part
    length = int(re.search(rb"content-length: (\d+)", answer)[1])
    assert len(answer) < length


def test_the_page_has_no_more_of_gradio_than_it_needs():
    """Every route that Gradio brings, whatever its next version adds."""
    needed = {"/", "/theme.css", "/favicon.ico", "/static/x", "/assets/x"}
    with client() as c:
        routes = {path.replace("{path:path}", "x") for path in gradios_paths(c.app)} - needed
        assert {"/gradio_api/upload", "/gradio_api/queue/join"} <= routes
        for path in sorted(routes):
            for method in ("GET", "POST"):
                assert c.request(method, path).status_code == 404, path
        for path in ("/assets/..%2fgradio_api/info", "/static/..%2f..%2froutes.py",
                     "/assets/%2e%2e/%2e%2e/routes.py", "/static//etc/passwd"):  # fmt: skip
            assert c.get(path).status_code in (403, 404), path


def gradios_paths(app) -> list[str]:
    """Of all that is mounted below our own."""
    while hasattr(app, "app"):
        app = app.app
    (mounted,) = [route.app for route in app.routes if type(route).__name__ == "Mount"]
    routes = []
    for route in mounted.routes:
        router = getattr(route, "original_router", None)
        routes += router.routes if router else [route]
    return [route.path for route in routes]


def test_gradio_reads_no_query():
    with client() as c:
        assert c.get("/?deep_link=x&page=../../x").text == c.get("/").text
