"""What a builder found in a user's folder against what it expected."""

import concurrent.futures
import dataclasses
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import cv2
from absl import logging

from jaxsent.augment import decode, has_alpha
from jaxsent.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


@dataclasses.dataclass
class Survey:
    """Counts of a set, and the files that are missing or cannot be decoded."""

    name: str
    layout: str
    expected: int
    found: int = 0
    missing: list[str] = dataclasses.field(default_factory=list)
    undecodable: list[str] = dataclasses.field(default_factory=list)

    def short(self) -> bool:
        """Whether any image is wanting."""
        return bool(self.missing or self.undecodable or self.found != self.expected)

    def log(self, strict: bool) -> None:
        """Tell a person, as a UserError if `strict` and anything is short."""
        if strict and self.short():
            raise UserError(f"{self.text()}; restore the files or prepare without strict")
        logging.log(logging.WARNING if self.short() else logging.INFO, "%s", self.text())

    def text(self) -> str:
        """The counts and the first names, in a line."""
        text = f"{self.name}: {self.layout}; {self.found} of {self.expected} images usable"
        for kind in ("missing", "undecodable"):
            if files := getattr(self, kind):
                more = ", ..." if len(files) > 10 else ""
                text += f"; {len(files)} {kind}: {', '.join(files[:10])}{more}"
        return text


def content(paths: Iterable[Path]) -> dict[Path, str | None]:
    """Each image's digest of its decoded pixels, or None where it cannot be decoded.

    Two files of the same picture share a digest even if their metadata differ.
    """
    paths = list(paths)
    cv2.setNumThreads(1)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(paths, pool.map(_digest, paths), strict=True))


def opaque(path: Path) -> io.BytesIO:
    """The file as it is, or re-encoded on white if it has transparency, which readers differ on."""
    data = path.read_bytes()
    if has_alpha(data):
        _, png = cv2.imencode(".png", decode(data, str(path))[..., ::-1])
        data = png.tobytes()
    return io.BytesIO(data)


def _digest(path: Path) -> str | None:
    try:
        image = decode(path.read_bytes(), str(path))
    except (UserError, OSError):
        return None
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
