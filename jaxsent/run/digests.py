"""Whether files are still what was written: their SHA-256 beside them, or in them as a seal."""

import hashlib
import json
from pathlib import Path

from jaxsent import files
from jaxsent.errors import UserError

FILE = "digests.json"
SEAL = "jaxsent_seal"
"""Where the metadata of an exported file has its seal."""
UNSEALED = "unsealed" + 56 * "0"
"""What stands there while the digest of the whole is computed, as long as that is."""


def write(folder: Path) -> None:
    """Leaves the digest of every file below `folder` in its digests.json."""
    digests = {name: digest(folder / name) for name in _files(folder)}
    files.write_bytes(folder / FILE, json.dumps(digests).encode(), durable=True)


def damaged(folder: Path) -> str | None:
    """The first file that is gone or not as it was; None where all are.

    None too where there are no digests: older versions wrote none, and a crash may come before.
    """
    try:
        digests = json.loads((folder / FILE).read_bytes())
        pairs = sorted(digests.items())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError):
        return FILE
    for name, expected in pairs:
        try:
            if digest(folder / name) != expected:
                return name
        except OSError:
            return name
    return None


def sealed(data: bytes) -> bytes:
    """A file with UNSEALED in it -> with the digest of all of it there instead."""
    seal = hashlib.sha256(data).hexdigest()
    return data.replace(UNSEALED.encode(), seal.encode(), 1)


def check_seal(data: bytes, seal: str | None, path: Path) -> None:
    """Raises UserError where a sealed file is not as it was written; others have no seal (None)."""
    if seal is None:
        return
    unsealed = data.replace(seal.encode(), UNSEALED.encode(), 1)
    if hashlib.sha256(unsealed).hexdigest() != seal:
        raise UserError(f"{path}: damaged, it is not as it was written; export or fetch it again.")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[str]:
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith(FILE))
