"""Names of files as text that is safe to print and to write."""

import json
import os
from pathlib import Path

import pytest

from jaxsent.data.listing import shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"caf\xc3\xa9 1.jpg", "café 1.jpg"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        (b"a\x1b[31mred.jpg", r"a\x1b[31mred.jpg"),
        (b"two\nlines\r.jpg", r"two\nlines\r.jpg"),
        ("a\u202egpj.exe".encode(), r"a\u202egpj.exe"),
        ("\u5199\u771f.png".encode(), "写真.png"),
    ],
)
def test_names_as_text(name, expected):
    text = shown(Path(os.fsdecode(name)))
    assert text == expected
    assert json.loads(json.dumps(text)) == text
    text.encode("utf-8")
