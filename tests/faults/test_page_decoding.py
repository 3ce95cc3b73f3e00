"""Photographs that hang, crash or fill the decoder: the server and the others do not notice."""

import os
import signal
import struct
import threading
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from jaxsent.app import decoders
from jaxsent.app.decoding import Geometry, Sight
from jaxsent.app.limits import Limits, Refused
from jaxsent.data.header import PNG
from jaxsent.prediction.predictor import Predictor, look
from tests.app.stand_in import CARD, client, encoded, network

GEOMETRY = Geometry(CARD.resize, CARD.image_size, CARD.interpolation)
PHOTO = encoded(np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8))
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's limits")


def grey16(width: int, height: int) -> bytes:
    """A black PNG of 16 bits, quickly made and slowly read."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes((1 + 2 * width) * height), 1)),
        (b"IEND", b""),
    )
    return PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.fixture
def decoder():
    """Of a function of limits; ended with the test."""
    started = []

    def start(limits: Limits) -> decoders.Decoder:
        started.append(decoders.Decoder(GEOMETRY, limits))
        return started[-1]

    yield start
    for one in started:
        one.close()


def refusal(decoder, data) -> Refused:
    with pytest.raises(Refused) as info:
        decoder.look(data, False)
    return info.value


def test_pixels_are_those_of_predict(decoder):
    """Also of a large JPEG, which predict decodes at a part of its size, and turned by EXIF."""
    large = cv2.resize(cv2.imdecode(np.frombuffer(PHOTO, np.uint8), 1), (2400, 1808))
    one = decoder(Limits())
    for photo in (PHOTO, encoded(large), encoded(large, exif=turned_by(6)), encoded(form="GIF")):
        view = look(photo, CARD)
        for picture in (False, True):
            sight = one.look(photo, picture)
            np.testing.assert_array_equal(sight.pixels, view.pixels)
        assert sight.shown.shape[1] <= 960
        scale = sight.shown.shape[1] / shape(photo)[1]
        np.testing.assert_allclose(sight.box, scale * np.array(view.box), atol=1)


def turned_by(orientation: int):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def shape(photo: bytes) -> tuple[int, int]:
    from jaxsent.data import photograph

    return photograph.read(photo).shape[:2]


@LINUX
def test_a_photograph_that_fills_the_memory(decoder):
    class Tight(Limits):
        memory = 60_000_000  # of which 8 megapixels at 16 bits take more

    one = decoder(Tight())
    pid = one.process.pid
    error = refusal(one, grey16(4000, 2000))
    assert error.code == 422 and "do not decode" in str(error)
    assert isinstance(one.look(PHOTO, True), Sight) and one.process.pid == pid


@LINUX
@pytest.mark.slow
def test_a_photograph_that_takes_too_long(decoder):
    """The kernel ends the process, and the next has one of its own."""
    one = decoder(Limits(megapixels=89, decoding=0))
    one.look(PHOTO, False)
    pid = one.process.pid
    assert refusal(one, grey16(9000, 9800)).code == 422
    assert one.look(PHOTO, False).pixels.shape == (32, 32, 3) and one.process.pid != pid


@LINUX
def test_its_bounds(decoder):
    one = decoder(Limits(decoding=7))
    one.look(PHOTO, False)
    bounds = {
        line[:25].strip(): line[25:].split()[0]
        for line in Path(f"/proc/{one.process.pid}/limits").read_text().splitlines()
    }
    assert 7 < int(bounds["Max cpu time"]) < 20
    assert int(bounds["Max file size"]) == int(bounds["Max core file size"]) == 0
    own = 1e9  # of the libraries, at most
    assert one.limits.memory < int(bounds["Max address space"]) < one.limits.memory + own


def test_a_process_that_says_nothing_more(decoder):
    one = decoder(Limits(seconds=0.5))
    assert one.look(PHOTO, False)
    os.kill(one.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    error = refusal(one, PHOTO)
    assert error.code == 422 and "breaks the decoder" in str(error)
    assert time.monotonic() - began < 5
    assert one.look(PHOTO, False)


def test_a_process_that_died_meanwhile_costs_nobody_an_answer(decoder):
    one = decoder(Limits())
    one.look(PHOTO, False)
    one.process.kill()
    one.process.wait()
    assert one.look(PHOTO, False)


def test_no_password_is_told_to_it(decoder, monkeypatch):
    monkeypatch.setenv("JAXSENT_AUTH", "ann:secret")
    one = decoder(Limits())
    one.look(PHOTO, False)
    assert b"ann:secret" not in Path(f"/proc/{one.process.pid}/environ").read_bytes()


def test_one_bad_file_costs_no_other_its_answer(monkeypatch):
    """While one hangs, and is ended, those after it are answered by the other process."""
    hanging = []
    send = decoders.frames.send

    def send_and_stop(channel, fields, data=b""):
        if data == b"hang":
            (one,) = [d for d in started[0].all if d.channel is channel]
            os.kill(one.process.pid, signal.SIGSTOP)
            hanging.append(one.process.pid)
        send(channel, fields, data)

    started = []
    make = decoders.Decoders.__init__

    def remember(self, *arguments):
        started.append(self)
        make(self, *arguments)

    monkeypatch.setattr(decoders.frames, "send", send_and_stop)
    monkeypatch.setattr(decoders.Decoders, "__init__", remember)
    with client(Predictor(CARD, network), Limits(seconds=3)) as c:
        bad = []
        thread = threading.Thread(
            target=lambda: bad.append(c.post("/predict", content=b"hang").status_code)
        )
        thread.start()
        while not hanging:
            time.sleep(0.01)
        for _ in range(5):
            began = time.monotonic()
            assert c.post("/predict", content=PHOTO).status_code == 200
            assert time.monotonic() - began < 2
        assert not bad  # it hung all the time
        thread.join()
        assert bad[0] in (422, 504)
        assert [c.post("/predict", content=PHOTO).status_code for _ in range(4)] == [200] * 4
        until = time.monotonic() + 10
        while hanging[0] in [one.process.pid for one in started[0].all]:
            assert time.monotonic() < until
            time.sleep(0.05)
