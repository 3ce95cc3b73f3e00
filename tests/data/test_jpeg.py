"""Parts of JPEGs against the whole that OpenCV and Pillow decode."""

import importlib.util
import io
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from jaxsent.data import jpeg

SAMPLING = {
    name: getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}")
    for name in ("444", "422", "420", "440", "411")
}
KINDS = (*SAMPLING, "grey", "progressive", "restarts", "cmyk", "exif")


def picture(height=203, width=277):
    """Colours that change from pixel to pixel, so that a neighbour too few shows."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 6, width // 6, 3), np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(image, rng.integers(0, 40, image.shape, np.uint8))


def pillows(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, **options)
    return file.getvalue()


def exif(orientation, order="<"):
    """Pillow writes the byte order that it is told."""
    tags = Image.Exif()
    tags.endian = order
    tags[0x010F] = "a camera"
    tags[0x0112] = orientation
    return tags.tobytes()


def encoded(kind):
    options = {
        "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
    }.get(kind, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING.get(kind, SAMPLING["420"])])
    if kind == "cmyk":
        return pillows(Image.fromarray(picture()).convert("CMYK"))
    if kind == "exif":
        return pillows(Image.fromarray(picture()), exif=exif(1))
    image = picture()[..., 0] if kind == "grey" else picture()
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def needs_turbojpeg():
    """Skips where the package has no wheel; where it is installed, not to find it is a failure."""
    if importlib.util.find_spec("turbojpeg") is None:
        pytest.skip("the package turbojpeg is not installed, as it has no wheel for this machine")
    assert jpeg._turbojpeg() is not None


@pytest.fixture(params=["turbojpeg", "opencv"])
def library(request, monkeypatch):
    """Both ways to decode, as one machine may have only the second."""
    if request.param == "opencv":
        monkeypatch.setattr(jpeg, "_turbojpeg", lambda: None)
    else:
        needs_turbojpeg()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_a_part_is_that_of_the_whole(kind, factor, library):
    data = encoded(kind)
    whole = cv2.imdecode(np.frombuffer(data, np.uint8), jpeg.REDUCED[factor])
    height, width = whole.shape[:2]
    assert (height, width) == (-(-203 // factor), -(-277 // factor))
    rng = np.random.default_rng(factor)
    boxes = [(0, 0, height, width), (height - 1, width - 1, 1, 1), (0, width - 3, 2, 3)]
    for _ in range(40):
        y, x = rng.integers(0, height), rng.integers(0, width)
        boxes.append((y, x, rng.integers(1, height - y + 1), rng.integers(1, width - x + 1)))
    for y, x, h, w in boxes:
        part = jpeg.decode_part(data, tuple(int(v) for v in (y, x, h, w)), factor)
        np.testing.assert_array_equal(part, whole[y : y + h, x : x + w], err_msg=f"{y, x, h, w}")


def test_turbojpeg_is_what_decodes(monkeypatch):
    """Else the tests above would compare OpenCV with itself."""
    needs_turbojpeg()
    monkeypatch.setattr(jpeg.cv2, "imdecode", None)
    for kind in set(KINDS) - {"cmyk"}:
        assert jpeg.decode_part(encoded(kind), (3, 5, 40, 30)).shape == (40, 30, 3)


def test_no_broken_file_stops_turbojpeg(monkeypatch):
    """After each, however far it goes, the next whole one is decoded by it again."""
    needs_turbojpeg()
    whole, opencv = encoded("420"), jpeg.cv2.imdecode
    for length in [*range(2, 700, 23), *range(700, len(whole), len(whole) // 9)]:
        monkeypatch.setattr(jpeg.cv2, "imdecode", opencv)
        if jpeg.shape(whole[:length]):
            jpeg.decode_part(whole[:length], (150, 40, 50, 60))
        monkeypatch.setattr(jpeg.cv2, "imdecode", None)
        assert jpeg.decode_part(whole, (3, 5, 40, 30)).shape == (40, 30, 3), length


def test_threads_do_not_meet(library):
    files = [encoded(kind) for kind in ("444", "420", "grey", "progressive")]
    boxes = [(0, 0, 203, 277), (50, 60, 100, 90), (3, 200, 200, 20), (100, 0, 3, 277)]
    expected = [jpeg.decode_part(d, b) for d, b in zip(files, boxes)]
    wrong = []

    def work(i):
        for _ in range(100):
            if (jpeg.decode_part(files[i], boxes[i]) != expected[i]).any():
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i % 4,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_what_exif_turns_has_no_shape(orientation, order):
    data = pillows(Image.fromarray(picture()), exif=exif(orientation, order))
    assert jpeg.shape(data) == ((203, 277) if orientation == 1 else None)
    assert jpeg.shape(data, stored=True) == (203, 277)


@pytest.mark.parametrize(
    "tiff", [b"", b"XX*\0", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\xff"]
)
def test_broken_exif_is_no_reason_to_fail(tiff):
    """What the sane part of it does not turn, or nobody can tell."""
    data = pillows(Image.fromarray(picture()), exif=b"Exif\0\0" + tiff)
    assert jpeg.shape(data) in (None, (203, 277))
    assert jpeg.shape(data, stored=True) == (203, 277)
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if jpeg.shape(data):
        np.testing.assert_array_equal(jpeg.decode_part(data, (0, 0, 203, 277)), upright)


@pytest.mark.parametrize("kind", ["420", "progressive"])
def test_a_broken_file_has_no_part_or_opencvs(kind, library):
    data = encoded(kind)
    for length in range(len(data) // 20, len(data), len(data) // 20):
        cut = data[:length]
        if not jpeg.shape(cut):
            continue
        whole = cv2.imdecode(np.frombuffer(cut, np.uint8), cv2.IMREAD_COLOR_RGB)
        part = jpeg.decode_part(cut, (150, 40, 50, 60))
        if whole is None:
            assert part is None
        else:
            np.testing.assert_array_equal(part, whole[150:200, 40:100])


def test_the_size_of_other_files_is_not_told():
    png = cv2.imencode(".png", picture())[1].tobytes()
    for data in (b"", b"\xff\xd8", png, encoded("420")[:30]):
        assert jpeg.shape(data) is None
