"""The page as a browser shows it."""

import csv
import io
import re
import shutil

import cv2
import numpy as np
import pytest

import jaxsent
from jaxsent.app import examples
from jaxsent.app.routes import create
from tests.app.stand_in import encoded, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


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

    violations = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']}" for v in violations if v["impact"] in ("serious", "critical")]


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program chromium to open the page")
def test_in_a_browser(run, browser, tmp_path):
    photo, other, broken = (tmp_path / n for n in ("beach.jpg", '=dark, "odd".png', "notes.jpg"))
    scene = cv2.imdecode(np.frombuffer(examples.scenes()[2].jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    photo.write_bytes(encoded(cv2.resize(scene, (640, 480))))
    other.write_bytes(encoded(np.zeros((300, 200, 3), np.uint8), "PNG"))
    broken.write_bytes(b"no photograph")
    predictor = jaxsent.load(run)
    prediction = predictor(photo)
    with served(create(predictor, examples=examples.scenes())) as port:
        address = f"http://127.0.0.1:{port}/"
        for width, scheme in ((1280, "light"), (390, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            requests, problems = [], []
            page.on("request", lambda request, requests=requests: requests.append(request.url))
            page.on("pageerror", lambda error, problems=problems: problems.append(str(error)))
            page.goto(address)
            choose = page.locator("input[type=file][multiple]")
            choose.wait_for(state="attached")
            assert faults(page) == []

            choose.set_input_files(photo)
            heading = page.locator(".answer h2")
            heading.wait_for()
            assert heading.inner_text().split()[0] == prediction.label
            assert f"beach.jpg: {prediction.label}, " in page.locator(".status").inner_text()
            picture, slider = page.locator(".photo"), page.get_by_label("Strength of the map")
            page.get_by_label(re.compile(f"^{prediction.label}")).check()
            assert page.locator(".heat:visible").get_attribute("data-map") == prediction.label
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
            assert float(table[0][prediction.label]) == pytest.approx(
                prediction.probability, abs=0.02
            )

            page.get_by_role("button", name="Take a photograph").click()
            page.get_by_role("button", name="Take the photograph").click()
            page.get_by_text("camera.jpg:").wait_for(state="attached")
            page.locator("[data-example]").first.click()
            page.get_by_text("scene 1:").wait_for(state="attached")
            assert problems == []
            own = (address, "data:", "blob:")
            assert [url for url in requests if not url.startswith(own)] == []
            page.close()
