"""What the page refuses, and what it never tells."""

import struct
import tempfile
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

import jaxsent
from jaxsent.app import examples
from jaxsent.app.limits import Limits
from jaxsent.prediction.predictor import Predictor
from tests.app.stand_in import CARD, client, encoded, network


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 × 60,000."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")))
    )


BROKEN = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "PNG")[:60]
WIDE = encoded(np.zeros((1000, 2000, 3), np.uint8), "PNG")


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b"x" * 60_001, "", 413, "Expected at most 0.05 MB"),
        (b"x" * 500_000, "", 413, "Expected at most 0.05 MB"),
        (WIDE, "", 413, "at most 1 megapixels; found 2,000 × 1,000, which is 2.0"),
        (bomb(), "", 413, "at most 1 megapixels"),
        (b"", "", 415, "found 0 bytes of something else"),
        (b"not an image", "image/jpeg", 415, "Expected a photograph as JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415, "something else"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415, "--data-binary @photo.jpg"),
        (BROKEN, "", 422, "The photograph"),
    ],
    ids="bytes many-bytes pixels bomb empty text svg form broken".split(),
)
def test_refusals(body, kind, status, message):
    with client(limits=Limits(megabytes=0.05, megapixels=1)) as c:
        response = c.post("/predict", content=body, headers={"content-type": kind})
        assert c.post("/predict", content=encoded()).status_code == 200
    assert response.status_code == status
    assert message in response.json()["error"]


class Slow(Predictor):
    """A predictor that answers when it is told to."""

    def __init__(self):
        super().__init__(CARD, self.wait)
        self.go, self.started = threading.Event(), threading.Semaphore(0)

    def wait(self, images):
        if images.any():  # the warm-up's are black
            self.started.release()
            assert self.go.wait(10)
        return network(images)


def test_a_full_queue_and_its_end():
    slow, answers = Slow(), []
    with client(slow, Limits(waiting=2)) as c:

        def ask():
            answers.append(c.post("/predict", content=encoded()).status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert slow.started.acquire(timeout=10)
        while c.get("/health").json()["waiting"] < 2:
            pass
        refused = c.post("/predict", content=encoded())
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert "2 photographs are waiting" in refused.json()["error"]
        slow.go.set()
        for thread in threads:
            thread.join()
        assert answers == [200, 200]
        assert c.get("/health").json()["waiting"] == 0


def test_time_runs_out():
    slow = Slow()
    with client(slow, Limits(seconds=0.2)) as c:
        response = c.post("/predict", content=encoded())
        assert response.status_code == 504
        assert response.json() == {"error": "No answer within 0.2 seconds."}
        slow.go.set()
        assert c.post("/predict", content=encoded()).status_code == 200


def test_a_failure_shows_no_traceback():
    def failing(images):
        if images.any():
            raise RuntimeError("/private/secret")
        return network(images)

    with client(Predictor(CARD, failing)) as c:
        response = c.post("/predict", content=encoded())
    assert response.status_code == 500
    assert response.json() == {"error": "The network failed; its owner's terminal says why."}


def test_password():
    with client(auth="ann:s:ecret") as c:
        assert c.get("/health").json()["status"] == "ok"
        for call in (c.get("/"), c.get("/theme.css"), c.post("/predict", content=encoded())):
            assert call.status_code == 401
            assert call.headers["www-authenticate"].startswith("Basic")
        assert c.post("/predict", content=encoded(), auth=("ann", "s:ecre")).status_code == 401
        assert c.post("/predict", content=encoded(), auth=("ann", "s:ecret")).status_code == 200
        assert c.get("/", auth=("ann", "s:ecret")).status_code == 200


def test_other_sites_are_refused():
    with client() as c:
        for origin in ("https://evil.example", "null", "http://localhost:81", "http://[::1"):
            response = c.post("/predict", content=encoded(), headers={"origin": origin})
            assert response.status_code == 403
            assert not [h for h in response.headers if h.startswith("access-control")]
        own_origin = {"origin": "http://localhost"}
        page = c.get("/", headers=own_origin)
        assert page.status_code == 200
        assert not [h for h in page.headers if h.startswith("access-control")]
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert c.post("/predict", content=encoded(), headers=own_origin).status_code == 200


def test_gradios_own_doors_are_shut():
    with client() as c:
        form = {"files": ("a.jpg", encoded())}
        assert c.post("/gradio_api/upload", files=form).status_code == 404
        for path in ("gradio_api/file=/etc/passwd", "file=/etc/passwd", "config", "docs",
                     "monitoring", "gradio_api/info", "openapi.json", "predictx"):  # fmt: skip
            assert c.get(f"/{path}").status_code == 404, path


def test_nothing_of_the_machine_and_nothing_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    photo = encoded(np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8), "PNG")
    assert len(photo) > 2**21  # more than servers hold in memory by default
    with client(examples=examples.scenes()) as c:
        responses = [
            c.get("/"), c.get("/health"), c.get("/examples/0"), c.get("/examples/99"),
            c.get("/theme.css"), c.post("/predict", content=photo),
            c.post("/predict", content=photo, headers={"accept": "text/html"}),
            c.post("/predict", content=photo[:5000]),
        ]  # fmt: skip
        assert [r.status_code for r in responses] == [200, 200, 200, 404, 200, 200, 200, 422]
        assert list(tmp_path.iterdir()) == []
    for response in responses:
        for part in (tmp_path, Path.home(), Path(jaxsent.__file__).parents[1], "site-packages"):
            assert str(part).encode() not in response.content, (response.url, part)
