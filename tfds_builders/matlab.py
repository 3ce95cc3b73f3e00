"""Read Matlab files, so that whatever is wrong with one is told in a line."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from jaxsent.errors import UserError

# What SciPy raises for files that are of another kind, cut short or damaged.
_BROKEN = (
    MatReadError, NotImplementedError, OSError, ValueError, TypeError, IndexError, KeyError,
    struct.error, zlib.error,
)  # fmt: skip


def variables(data: bytes, path: Path) -> dict[str, np.ndarray]:
    """The variables of a file of version 7 or older, by name; `path` is for the message.

    Raises UserError for another kind of file.
    """
    try:
        content = scipy.io.loadmat(io.BytesIO(data))
    except _BROKEN as error:
        raise UserError(
            f"{path}: expected a Matlab file of version 7 or older ({error}); save it with -v7"
        ) from None
    return {name: value for name, value in content.items() if not name.startswith("__")}
