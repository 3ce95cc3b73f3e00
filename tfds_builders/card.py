"""What can be told of a data set before it is prepared."""

from typing import NamedTuple


class Card(NamedTuple):
    """One line about a set, its size and classes, the folder it is read from, where to get it.

    `images` is the authors' number, None where the user decides; `classes` is empty where the
    folder decides; `layout` is empty for a set that is generated.
    """

    title: str
    images: int | None
    classes: tuple[str, ...]
    layout: str
    source: str
    homepage: str
    licence: str

    @property
    def instructions(self) -> str:
        """What TFDS calls the manual download: the folder that is expected, and from whom."""
        return f"{self.layout}. {self.source}" if self.layout else ""
