"""Small files that ask for gigabytes, minutes or for ever are refused before they are decoded."""

import concurrent.futures
import io
import os
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxsent.data import header, photograph
from jaxsent.errors import UserError

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def encoded(form: str, pixels=NOISE, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return struct.pack(">I", size) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return header.PNG + chunk(b"IHDR", ihdr) + b"".join(chunks) + chunk(b"IEND", b"")


def progressive(scans: int) -> bytes:
    """A JPEG whose last scan comes again and again, as a decoder would have to follow."""
    data = encoded("JPEG", progressive=True)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * scans + data[end:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(30_000, 30_000, chunk(b"IDAT", zlib.compress(bytes(99)))), "megapixels"),
        (png(9_000, 9_000, chunk(b"IDAT", zlib.compress(bytes(99)))), "cut short"),
        (png(8, 8, chunk(b"iCCP", b"", length=2**31 - 1)), "cut short"),
        (png(0, 8, chunk(b"IDAT", b"")), "broken PNG header"),
        (header.PNG + chunk(b"IDAT", b""), "cut short"),
        (encoded("PNG", np.zeros((1, 60_000, 3), np.uint8)), "100 times as long as wide"),
        (encoded("BMP", np.zeros((60_000, 1, 3), np.uint8)), "100 times as long as wide"),
        (progressive(100), "at most 100 scans"),
        (encoded("JPEG")[:-2], "cut short"),
        (encoded("PNG")[:-20], "cut short"),
        (b"\xff\xd8" + b"\xff\xe1\x00\x02" * 200_000, "cut short"),
    ],
)
def test_what_asks_for_too_much(data, expected):
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(UserError, match=expected):
        photograph.read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 30e6


@pytest.mark.parametrize(
    "data",
    [
        encoded("JPEG"), encoded("JPEG", progressive=True),
        encoded("JPEG", restart_marker_blocks=2), encoded("JPEG") + bytes(50),
        encoded("PNG"), encoded("PNG") + b"more",
        encoded("JPEG", comment=b"\xff\xd9 is no end, \xff\xda no scan " * 100), progressive(50),
    ],
)  # fmt: skip
def test_what_is_ordinary(data):
    header.check(data, "a")
    assert photograph.read(data).shape == NOISE.shape


def test_limits_are_raised_by_the_environment(monkeypatch):
    large = np.zeros((300, 400, 3), np.uint8)
    monkeypatch.setenv("JAXSENT_MEGAPIXELS", "0.1")
    for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF"):
        with pytest.raises(UserError, match=r"at most 0.1 megapixels, found 400 × 300 .*_MEGAPIX"):
            photograph.read(encoded(form, large))
    for given in (large, Image.fromarray(large)):
        with pytest.raises(UserError, match="0.1 megapixels"):
            photograph.read(given)
    monkeypatch.setenv("JAXSENT_MEGAPIXELS", "0.12")
    assert photograph.read(encoded("PNG", large)).shape == large.shape
    monkeypatch.setenv("JAXSENT_MEGAPIXELS", "many")
    with pytest.raises(UserError, match="JAXSENT_MEGAPIXELS='many': expected a number"):
        photograph.read(encoded("PNG", large))


def test_the_size_of_a_file_is_looked_at_before_it_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXSENT_MEGABYTES", "0.01")
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(10**12)  # no disk holds it, and no memory
    with pytest.raises(UserError, match=r"a.png: expected at most 0.01 MB, found 1000000"):
        photograph.read(path)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    for name in ("pipe.jpg", "zero.jpg", "circle.jpg", "absent.jpg", "."):
        with pytest.raises(UserError, match=str(tmp_path / name)):
            photograph.read(tmp_path / name)
    with pytest.raises(UserError, match="cannot be a path"):
        photograph.read("a\0b.jpg")


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    """Those of all threads at once would not fit into memory."""
    inside, most = [0], [0]

    def pixels(picture, data, name):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        inside[0] -= 1
        return NOISE, None

    monkeypatch.setattr(photograph, "_pixels", pixels)
    for large, together in ((1, 1), (10**9, 4)):
        monkeypatch.setattr(photograph, "LARGE", large)
        most[0] = 0
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(photograph.read, [encoded("PNG")] * 12))
        assert (most[0] == 1) == (together == 1)
