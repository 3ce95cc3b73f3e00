"""The command `jaxsent serve`: its options, its examples, a run that it serves."""

import signal

import pytest
import uvicorn
from starlette.testclient import TestClient

from jaxsent import commands
from jaxsent.app import examples
from jaxsent.commands import serve
from jaxsent.emotions import MIKELS
from jaxsent.errors import UserError
from jaxsent.run.provenance import DRAWN, OPENMOJI
from tests.app.stand_in import client, encoded


def parsed(*arguments):
    return commands.parser().parse_args(["serve", "runs/x", *map(str, arguments)])


def test_options(monkeypatch, capsys):
    assert parsed().host == "127.0.0.1"
    monkeypatch.setenv("JAXSENT_AUTH", "ann:secret")
    assert parsed().auth == "ann:secret"
    for wrong, message in [
        (("--auth", "ann"), "expected USER:PASSWORD"),
        (("--auth", ":x"), "expected USER:PASSWORD"),
        (("--max-megapixels", 500), "at most 89"),
        (("--timeout", 0), "--timeout: expected a number above 0"),
    ]:
        with pytest.raises(UserError, match=message):
            serve.check(parsed(*wrong))
    serve.check(parsed("--host", "0.0.0.0"))
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("JAXSENT_AUTH")
    serve.check(parsed("--host", "0.0.0.0"))
    assert "Anyone who reaches 0.0.0.0 may use this page" in capsys.readouterr().err
    with serve.bind("127.0.0.1", 0) as door:
        door.listen()
        port = door.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"127.0.0.1:{port} cannot be served \(Address already"
        ):
            serve.bind("127.0.0.1", port)


def test_examples(tmp_path):
    with pytest.raises(UserError, match="expected a folder with photographs; found none"):
        examples.from_folder(tmp_path)
    (tmp_path / "beach.png").write_bytes(encoded(form="PNG"))
    (picture,) = examples.from_folder(tmp_path)
    assert picture.name == "beach"
    with client(examples=[picture]) as c:
        assert 'alt=\\"beach\\"' in c.get("/").text
        shown = c.get("/examples/0")
        assert shown.headers["content-type"] == "image/jpeg" and shown.content == picture.jpeg


def test_the_command(run, monkeypatch, capsys):
    """It serves the run, on loopback, and says where once the network is compiled."""
    served = []

    def once(server, sockets):
        with sockets[0] as door, TestClient(server.config.app, "http://localhost") as c:
            page = c.get("/").text
            served.append((door.getsockname(), c.post("/predict", content=encoded()).json(), page))
            for host in ("photos.example", "a.example"):
                assert c.get("/health", headers={"host": host}).status_code == 200
        signal.raise_signal(signal.SIGTERM)  # as uvicorn does at its end

    monkeypatch.setattr(uvicorn.Server, "run", once)
    names = ["--allow-host", "photos.example", "--allow-host", "a.example"]
    monkeypatch.setattr("sys.argv", ["jaxsent", "serve", str(run), "--port", "0", *names])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        commands.main()
    signal.signal(signal.SIGTERM, before)
    assert stop.value.code == 0
    ((host, port), body, page) = served[0]
    assert DRAWN in page and OPENMOJI in page and "scene 8" in page
    assert body["model"]["warning"] == DRAWN
    assert host == "127.0.0.1" and set(body["probabilities"]) == set(MIKELS)
    assert f"Ready: http://127.0.0.1:{port}/" in capsys.readouterr().out
