"""The page and its endpoint: what they say, what they refuse, and how a browser shows them."""

import base64
import contextlib
import csv
import io
import json
import re
import shutil
import struct
import tempfile
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

import jaxsent
from jaxsent import commands
from jaxsent.app import examples
from jaxsent.app.answer import answer
from jaxsent.app.limits import Limits
from jaxsent.app.routes import DEFAULT, create
from jaxsent.app.wheel import RADIUS, wheel
from jaxsent.commands import serve
from jaxsent.emotions import MIKELS, POLARITY, POSITIVE, WHEEL
from jaxsent.errors import UserError
from jaxsent.prediction.predictor import Card, Predictor
from jaxsent.training import loop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


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
    with TestClient(app, "http://testserver", raise_server_exceptions=False) as c:
        yield c


# What it says


def test_json_is_what_the_command_prints():
    photo = encoded(form="PNG")
    with client() as c:
        response = c.post("/predict", content=photo)
    said = response.json()
    expected = PREDICTOR(photo).to_dict()
    assert response.status_code == 200
    assert {**said, "seconds": 0} == {**expected, "seconds": 0}
    assert list(said["probabilities"]) == list(PREDICTOR(photo).labels)


def test_every_kind_of_photograph():
    frames = [Image.new("RGB", (40, 30), c) for c in ("white", "black")]
    moving = io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    with client() as c:
        for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
            assert c.post("/predict", content=encoded(form=form)).status_code == 200, form
        first = c.post("/predict", content=moving.getvalue()).json()
    assert first["label"] == "awe"


def test_the_fragment_holds_everything():
    with client() as c:
        accept = {"accept": "text/html"}
        text = c.post("/predict", content=encoded(), headers=accept).text
    assert re.search("<h2>awe <small>78.4.%</small></h2>", text)
    said = re.search('data-said="([^"]*)"', text)[1].replace("&quot;", '"')
    assert json.loads(said)["label"] == "awe"
    assert text.count('type="radio"') == text.count('class="heat"') == 1 + len(MIKELS)
    assert "Inside the frame" in text  # the central square of 64 × 48
    heat = re.search('data-map="fear" alt="" src="data:image/png;base64,([^"]*)"', text)[1]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(heat), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels[0, 0, 3] == 0 and pixels[-1, 0, 3] == 255  # opaque where it evokes most


def test_a_network_of_polarity():
    """Its polarity is the answer; the detection branch's emotions are on the wheel."""

    def two(images):
        out = network(images)
        out["class_probabilities"] = np.full((len(images), 2), [0.25, 0.75], np.float32)
        return out

    text = answer(Predictor(CARD._replace(classes=POLARITY), two)(np.zeros((32, 32, 3), np.uint8)))
    assert re.search("<h2>positive <small>75.0.%</small></h2>", text)
    assert "The detection branch’s emotions" in text and "fear 100%" in text
    assert "Inside the frame" not in text  # all of it was seen


def test_a_network_without_detection_branch_shows_no_maps():
    def plain(images):
        return {"class_probabilities": network(images)["class_probabilities"]}

    text = answer(Predictor(CARD._replace(emotions=()), plain)(np.zeros((32, 32, 3), np.uint8)))
    assert "This network has no detection branch" in text
    assert "radio" not in text and "heat" not in text and "range" not in text
    assert "wheel" in text


def test_areas_of_the_wheel():
    p = dict(zip(MIKELS, np.linspace(0.01, 0.24, 8).tolist()))
    drawn = wheel(p)
    sectors = re.findall(r'class="(\w+)" d="M0 0L\S+ \S+?A([\d.]+)', drawn)
    assert [sign == "positive" for sign, _ in sectors] == [name in POSITIVE for name in WHEEL]
    for (_, radius), name in zip(sectors, WHEEL, strict=True):
        assert (float(radius) / RADIUS) ** 2 == pytest.approx(p[name], abs=2e-3)
    heights = {n: float(y) for y, n in re.findall(r'y="(\S+)" text-anchor="\w+">(\w+)', drawn)}
    assert max(heights[n] for n in POSITIVE & set(WHEEL)) < heights["fear"]  # positive is above
    assert wheel({"positive": 0.4, "negative": 0.6}) == ""


# What it refuses


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


class Slow:
    """A predictor that answers when it is told to."""

    def __init__(self):
        self.card, self.go, self.asked = CARD, threading.Event(), threading.Semaphore(0)

    def __call__(self, image):
        if image.shape != (64, 64, 3):  # the warm-up's
            self.asked.release()
            assert self.go.wait(10)
        return PREDICTOR(image)


def test_a_full_queue_and_its_end():
    slow, answers = Slow(), []
    with client(slow, Limits(waiting=2)) as c:

        def ask():
            answers.append(c.post("/predict", content=encoded()).status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert slow.asked.acquire(timeout=10)
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
    def failing(image):
        if image.shape != (64, 64, 3):
            raise RuntimeError("/private/secret")
        return PREDICTOR(image)

    failing.card = CARD
    with client(failing) as c:
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
        for origin in ("https://evil.example", "null", "http://testserver:81"):
            response = c.post("/predict", content=encoded(), headers={"origin": origin})
            assert response.status_code == 403
            assert not [h for h in response.headers if h.startswith("access-control")]
        ours = {"origin": "http://testserver"}
        page = c.get("/", headers=ours)
        assert page.status_code == 200
        assert not [h for h in page.headers if h.startswith("access-control")]
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert c.post("/predict", content=encoded(), headers=ours).status_code == 200


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
        said = [
            c.get("/"), c.get("/health"), c.get("/examples/0"), c.get("/examples/99"),
            c.get("/theme.css"), c.post("/predict", content=photo),
            c.post("/predict", content=photo, headers={"accept": "text/html"}),
            c.post("/predict", content=photo[:5000]),
        ]  # fmt: skip
        assert [r.status_code for r in said] == [200, 200, 200, 404, 200, 200, 200, 422]
        assert list(tmp_path.iterdir()) == []
    for response in said:
        for part in (tmp_path, Path.home(), Path(jaxsent.__file__).parents[1], "site-packages"):
            assert str(part).encode() not in response.content, (response.url, part)


# The command


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


@pytest.fixture
def run(tiny_config, tmp_path):
    """A real run, tiny, whose photographs are cut."""
    tiny_config.eval.resize = 40
    loop.train(tiny_config, tmp_path / "run")
    return tmp_path / "run"


def test_the_command(run, monkeypatch, capsys):
    """It serves the run, on loopback, and says where once the network is compiled."""
    served = []

    def once(server, sockets):
        with sockets[0] as door, TestClient(server.config.app) as c:
            served.append((door.getsockname(), c.post("/predict", content=encoded()).json()))

    monkeypatch.setattr(uvicorn.Server, "run", once)
    monkeypatch.setattr("sys.argv", ["jaxsent", "serve", str(run), "--port", "0"])
    assert commands.main() == 0
    ((host, port), said) = served[0]
    assert host == "127.0.0.1" and set(said["probabilities"]) == set(MIKELS)
    assert f"Ready: http://127.0.0.1:{port}/" in capsys.readouterr().out


# The browser


@contextlib.contextmanager
def served(app):
    """The address of a running server."""
    door = serve.bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, args=([door],))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        door.close()


@pytest.fixture
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-fake-device-for-media-stream",
                  "--use-fake-ui-for-media-stream"],
        )  # fmt: skip
        yield chromium
        chromium.close()


def faults(page) -> list[str]:
    """What axe-core calls serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium to open the page")
def test_in_a_browser(run, browser, tmp_path):
    photo, other, broken = (tmp_path / n for n in ("beach.jpg", '=dark, "odd".png', "notes.jpg"))
    scene = cv2.imdecode(np.frombuffer(examples.scenes()[2].jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    photo.write_bytes(encoded(cv2.resize(scene, (640, 480))))
    other.write_bytes(encoded(np.zeros((300, 200, 3), np.uint8), "PNG"))
    broken.write_bytes(b"no photograph")
    predictor = jaxsent.load(run)
    said = predictor(photo)
    with served(create(predictor, examples=examples.scenes())) as address:
        for width, scheme in ((1280, "light"), (390, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            asked, problems = [], []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("pageerror", lambda error, problems=problems: problems.append(str(error)))
            page.goto(address)
            choose = page.locator("input[type=file][multiple]")
            choose.wait_for(state="attached")
            assert faults(page) == []

            choose.set_input_files(photo)
            heading = page.locator(".answer h2")
            heading.wait_for()
            assert heading.inner_text().split()[0] == said.label
            assert f"beach.jpg: {said.label}, " in page.locator(".status").inner_text()
            picture, slider = page.locator(".photo"), page.get_by_label("Strength of the map")
            page.get_by_label(re.compile(f"^{said.label}")).check()
            assert page.locator(".heat:visible").get_attribute("data-map") == said.label
            shots = {}
            for strength in ("0", "100"):
                slider.fill(strength)
                shots[strength] = picture.screenshot()
            assert shots["0"] != shots["100"]
            page.screenshot(path=tmp_path / f"{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator(".wheel").bounding_box()["width"] > 250
            assert faults(page) == []

            choose.set_input_files([photo, broken, other])
            page.get_by_text("2 looked at, 1 refused.").wait_for()
            assert "found 13 bytes of something else" in page.locator(".several").inner_text()
            page.get_by_role("button", name="odd").click()
            assert page.locator(".answer h2").inner_text().split()[0] == predictor(other).label
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert faults(page) == []
            with page.expect_download() as download:
                page.get_by_role("button", name="Download as CSV").click()
            table = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
            assert [row["file"] for row in table] == [photo.name, other.name]
            assert float(table[0][said.label]) == pytest.approx(said.probability, abs=0.02)

            page.get_by_role("button", name="Take a photograph").click()
            page.get_by_role("button", name="Take the photograph").click()
            page.get_by_text("camera.jpg:").wait_for(state="attached")
            page.locator("[data-example]").first.click()
            page.get_by_text("scene 1:").wait_for(state="attached")
            assert problems == []
            assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
            page.close()
