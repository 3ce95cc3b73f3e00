"""Whether the page bears a crowd: `python benchmarks/page_load.py --minutes 5`.

64 clients at once ask `jaxsent serve`: most with photographs of several formats and sizes; others
with what is broken or too large, some slowly, some stop in the middle, some go away. Every answer
is held against the numbers of `jaxsent predict` for the same file. A client that is told 503 comes
back after the time that it was told. The table says what came of it; the status is 1 where a
photograph was lost, an answer differs, anything is left on disk, or memory grew (from two minutes
on).

Linux only: memory, that of the decoders included, is read from /proc.
"""

import argparse
import collections
import contextlib
import io
import itertools
import json
import os
import random
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SAME = 1e-5  # JSON has six decimals, and predict asks 32 photographs at a time
GROWTH = 0.10
LONG = 2  # minutes from which on memory is judged
STOPPED = 30  # seconds after SIGTERM, of which Python needs some to end
SHARES = {"valid": 42, "broken": 6, "huge": 5, "slow": 5, "stopping": 3, "leaving": 3}  # of 64


class Tally:
    """What the clients saw; threads add to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = collections.Counter()
        self.seconds = collections.defaultdict(list)
        self.largest = 0.0
        self.faults = []

    def add(self, name: str, began: float | None = None) -> None:
        with self.lock:
            self.count[name] += 1
            if began is not None:
                self.seconds[name].append(time.monotonic() - began)

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)

    def differ(self, difference: float) -> None:
        with self.lock:
            self.largest = max(self.largest, difference)


class Crowd:
    """Clients of one server.

    Args:
      address: of its page.
      photos: {name: bytes}.
      expected: {name: {class: probability}}.
      until: when the last request begins, by the monotonic clock.
    """

    def __init__(self, address: str, photos: dict, expected: dict, until: float):
        self.address, self.photos, self.expected, self.until = address, photos, expected, until
        self.place = urllib.parse.urlsplit(address)
        self.tally = Tally()

    def run(self, count: int) -> None:
        roles = [name for name, share in SHARES.items() for _ in range(share)]
        threads = [
            threading.Thread(target=self._client, args=(role, seed))
            for seed, role in zip(range(count), itertools.cycle(roles))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, role: str, seed: int) -> None:
        rng = random.Random(seed)
        while time.monotonic() < self.until:
            try:
                getattr(self, role)(rng)
            except Exception as error:
                self.tally.fault(f"{role}: {type(error).__name__}: {error}")

    def valid(self, rng: random.Random) -> None:
        name = rng.choice(list(self.photos))
        html = rng.random() < 0.2
        while True:
            began = time.monotonic()
            code, body, wait = self.ask(self.photos[name], html)
            if code != 503:
                break
            self.tally.add("503", began)
            time.sleep(wait * rng.uniform(1, 1.5))
        self.judge(name, code, body, html, began, "valid")

    def judge(self, name: str, code: int, body: bytes, html: bool, began: float, kind: str) -> None:
        if code != 200:
            return self.tally.fault(f"{kind} {name}: {code} {body[:200]}")
        self.tally.add(kind, began)
        if html:
            text = re.search('data-said="([^"]*)"', body.decode())[1].replace("&quot;", '"')
        else:
            text = body
        answer = json.loads(text)["probabilities"]
        expected = self.expected[name]
        if answer.keys() != expected.keys():
            return self.tally.fault(f"{kind} {name}: other classes")
        difference = max(abs(answer[key] - p) for key, p in expected.items())
        if difference > SAME:
            self.tally.fault(f"{kind} {name}: differs by {difference:g}")
        return self.tally.differ(difference)

    def broken(self, rng: random.Random) -> None:
        whole = self.photos[rng.choice(list(self.photos))]
        kind = rng.randrange(3)
        if kind == 0:
            data = rng.randbytes(rng.randrange(1, 50_000))
        elif kind == 1:
            data = whole[: rng.randrange(10, len(whole) // 2)]
        else:
            data = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
        self.refused(data, "broken", (415, 422), rng)

    def huge(self, rng: random.Random) -> None:
        if rng.random() < 0.5:
            self.refused(bytes(25_000_000), "huge", (413,), rng)
        else:
            self.refused(BOMB, "huge", (413,), rng)

    def refused(self, data: bytes, name: str, codes: tuple, rng: random.Random) -> None:
        began = time.monotonic()
        code, body, wait = self.ask(data, html=False)
        if code == 503:
            self.tally.add("503", began)
            time.sleep(wait)
        elif code in codes:
            self.tally.add(name, began)
            time.sleep(rng.uniform(0, 0.5))
        else:
            self.tally.fault(f"{name}: {code} {body[:200]}")

    def slow(self, rng: random.Random) -> None:
        name = rng.choice(list(self.photos))
        data = self.photos[name]
        while True:
            with self.connected(len(data)) as connection:
                whole = True
                for part in np.array_split(np.frombuffer(data, np.uint8), 12):
                    if select.select([connection], [], [], rng.uniform(0.1, 0.4))[0]:
                        whole = False  # answered early
                        break
                    connection.sendall(part.tobytes())
                began = time.monotonic()
                code, body = answer_on(connection)
            if code != 503:
                break
            self.tally.add("503 after a slow upload" if whole else "503", began)
            time.sleep(rng.uniform(2, 3))
        self.judge(name, code, body, False, began, "slow")

    def stopping(self, rng: random.Random) -> None:
        data = next(iter(self.photos.values()))
        with self.connected(len(data)) as connection:
            connection.sendall(data[: len(data) // 2])
            end = min(self.until, time.monotonic() + rng.uniform(5, 20))
            time.sleep(max(end - time.monotonic(), 0))
        self.tally.add("stopping")

    def leaving(self, rng: random.Random) -> None:
        data = next(iter(self.photos.values()))
        with self.connected(len(data)) as connection:
            connection.sendall(data[: rng.randrange(len(data))])
        self.tally.add("leaving")
        time.sleep(rng.uniform(0, 0.2))

    def ask(self, data: bytes, html: bool) -> tuple[int, bytes, float]:
        """Status, body, and the seconds after which to come back."""
        headers = {"Accept": "text/html" if html else "application/json"}
        request = urllib.request.Request(f"{self.address}predict", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read(), 0
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), float(error.headers.get("retry-after", 0))

    @contextlib.contextmanager
    def connected(self, length: int):
        place = self.place.hostname, self.place.port
        with socket.create_connection(place, timeout=60) as connection:
            connection.sendall(
                f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            yield connection


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def photographs() -> dict[str, bytes]:
    """{name: bytes}: drawn, in the formats and sizes that people have."""
    rng = np.random.default_rng(0)
    kinds = [
        (320, 240, "JPEG"), (500, 375, "JPEG"), (640, 480, "PNG"), (800, 600, "WEBP"),
        (1024, 768, "JPEG"), (400, 400, "GIF"), (600, 900, "TIFF"), (900, 600, "BMP"),
        (1600, 1200, "JPEG"), (4000, 3000, "JPEG"), (1200, 900, "PNG"),
    ]  # fmt: skip
    photos = {}
    for width, height, form in kinds:
        coarse = rng.integers(0, 256, (height // 40, width // 40, 3), np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        file = io.BytesIO()
        Image.fromarray(image).save(file, form)
        photos[f"{width}x{height}.{form.lower()}"] = file.getvalue()
    return photos


def bomb() -> bytes:
    """A GIF of a few bytes that says it is 65,000 × 65,000."""
    file = io.BytesIO()
    Image.new("P", (8, 8)).save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = (65_000).to_bytes(2, "little") * 2
    return bytes(data)


BOMB = bomb()


def predictions(photos: dict[str, bytes], folder: Path, model: list[str]) -> dict[str, dict]:
    """{name: {class: probability}} of `jaxsent predict --json`."""
    for name, data in photos.items():
        (folder / name).write_bytes(data)
    command = [sys.executable, "-m", "jaxsent", "predict", *model, str(folder), "--json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    answers = map(json.loads, lines.splitlines())
    return {Path(answer["file"]).name: answer["probabilities"] for answer in answers}


@contextlib.contextmanager
def serving(folder: Path, model: list[str]):
    """`jaxsent serve` in an empty folder, temporary files included -> process and address."""
    environment = os.environ | {"TMPDIR": str(folder)}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{environment.get('PYTHONPATH', '')}"
    command = [sys.executable, "-m", "jaxsent", "serve", *model, "--port", "0"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        for line in process.stdout:
            if line.startswith("Ready: "):
                break
        else:
            sys.exit("jaxsent serve does not start.")
        yield process, line.split()[1]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def reading(photo: bytes, times: int = 200) -> tuple[float, float, float]:
    """Milliseconds to read a photograph: in this process, and in one of its own; then the median.

    The first two are the quickest of many, in turns: where other programs want the processor, a
    median says how long a process waits for it.
    """
    sys.path.insert(0, str(ROOT))
    from jaxsent.app import decoders, decoding
    from jaxsent.app.limits import Limits

    geometry, limits = decoding.Geometry(256, 224, "bilinear"), Limits()
    decoder = decoders.Decoder(geometry, limits)
    inside, outside = [], []
    for turn in range(times + 10):
        began = time.perf_counter()
        decoding.sight(photo, geometry, limits, picture=False)
        between = time.perf_counter()
        decoder.look(photo, picture=False)
        if turn >= 10:
            inside.append(between - began)
            outside.append(time.perf_counter() - between)
    decoder.close()
    return 1e3 * min(inside), 1e3 * min(outside), 1e3 * statistics.median(outside)


def memory(process: int) -> float:
    """MB that a process and its children hold, /proc's resident set."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(folder.name) == process or int(fields[1]) == process:
                    total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total / 1e6


def watch(process: int, samples: list, stop: threading.Event) -> None:
    while not stop.wait(1):
        samples.append((time.monotonic(), memory(process)))


def quantile(values: list[float], share: float) -> float:
    values = sorted(values)
    return values[min(int(share * len(values)), len(values) - 1)] if values else float("nan")


def stopped(process: subprocess.Popen, crowd: Crowd) -> float:
    """Seconds from SIGTERM to the end, with clients that send nothing more and read nothing."""
    with crowd.connected(1000), crowd.connected(1000) as other:
        other.sendall(b"x")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=sum(SHARES.values()))
    parser.add_argument(
        "--model", help="as jaxsent serve takes it (default: the one of photographs)"
    )
    options = parser.parse_args()
    model = [options.model] if options.model else []
    photos, samples, stop = photographs(), [], threading.Event()
    milliseconds = reading(photos["500x375.jpeg"])
    with tempfile.TemporaryDirectory() as files, tempfile.TemporaryDirectory() as empty:
        expected = predictions(photos, Path(files), model)
        with serving(Path(empty), model) as (process, address):
            watcher = threading.Thread(target=watch, args=(process.pid, samples, stop))
            watcher.start()
            began = time.monotonic()
            crowd = Crowd(address, photos, expected, began + 60 * options.minutes)
            try:
                crowd.run(options.clients)
            finally:
                stop.set()
                watcher.join()
            written = sum(1 for path in Path(empty).rglob("*") if path.is_file())
            files_open = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            ending = stopped(process, crowd)
            status = process.returncode
        remains = list(Path(empty).rglob("*"))
    return report(
        crowd.tally, options, samples, (written, files_open, ending, status, remains, milliseconds)
    )


def report(tally: Tally, options: argparse.Namespace, samples: list, end: tuple) -> int:
    """Prints the table; the exit status."""
    written, files_open, ending, status, remains, milliseconds = end
    first, last = samples[0][0], samples[-1][0]
    share = [(at - first) / max(last - first, 1e-9) for at, _ in samples]
    warm = statistics.median([m for s, (_, m) in zip(share, samples) if 0.2 <= s <= 0.4] or [0])
    late = statistics.median([m for s, (_, m) in zip(share, samples) if s >= 0.8] or [0])
    valid, full = tally.seconds["valid"] + tally.seconds["slow"], tally.seconds["503"]

    def times(values: list[float]) -> str:
        return f"{quantile(values, 0.5):.3f}, {quantile(values, 0.99):.3f}"

    rows = {
        "clients, minutes": f"{options.clients}, {options.minutes:g}",
        "requests": f"{tally.count.total():,}",
        "photographs answered, of those sent slowly": f"{len(valid):,}, {tally.count['slow']:,}",
        "lost, or answered otherwise than by jaxsent predict": f"{len(tally.faults):,}",
        "largest difference from jaxsent predict": f"{tally.largest:.1e}",
        "seconds to an answer: median, p99": times(valid),
        "told 503": f"{len(full):,}",
        "told 503 after a slow upload": f"{tally.count['503 after a slow upload']:,}",
        "seconds to a 503: median, p99": times(full),
        "broken, too large: refused": f"{tally.count['broken']:,}, {tally.count['huge']:,}",
        "uploads that stopped, that were given up": f"{tally.count['stopping']:,}, "
        f"{tally.count['leaving']:,}",
        "milliseconds to read 500x375.jpeg here, in a process of its own; its median": (
            "{:.1f}, {:.1f}; {:.1f}".format(*milliseconds)
        ),
        "memory after warm-up, at the end (MB)": f"{warm:,.0f}, {late:,.0f}",
        "open files at the end": files_open,
        "files on disk: while it ran, afterwards": f"{written}, {len(remains)}",
        "seconds from SIGTERM to the end, its status": f"{ending:.1f}, {status}",
    }  # fmt: skip
    print("| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    faults = list(tally.faults)
    if options.minutes >= LONG and late > (1 + GROWTH) * warm:
        faults.append(f"memory grew from {warm:,.0f} to {late:,.0f} MB")
    if written or remains:
        faults.append(f"on disk: {written} files, {remains}")
    if ending > STOPPED or status:
        faults.append(f"stopped after {ending:.1f} s with status {status}")
    if not valid:
        faults.append("no photograph was answered")
    for text in faults[:20]:
        print(text, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
