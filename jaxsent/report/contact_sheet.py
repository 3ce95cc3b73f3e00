"""Photographs with what they evoke, as one HTML file that opens anywhere; written as they come."""

import contextlib
from html import escape
from importlib import resources
from pathlib import Path

from jaxsent.data import augment
from jaxsent.errors import UserError
from jaxsent.files import unwritable
from jaxsent.report.pictures import jpeg_uri, overlay, shrink
from jaxsent.report.words import percent
from jaxsent.run.provenance import Provenance

SHOWN = 3  # most probable classes


class ContactSheet:
    """An open sheet, as a context manager: `add` writes a card, so memory stays constant.

    It grows as FILE.part, which becomes the file at the end, or after an error where it is whole up
    to there; of a disk that is full the sheet before remains.

    Args:
      path: the file.
      model: what is named at the top; None for the model that comes with jaxsent.
      provenance: what it was trained on, and how good it is.

    Raises:
      UserError: the file cannot be written.
    """

    def __init__(self, path: Path, model: str | None, provenance: Provenance):
        template = resources.files("jaxsent.report").joinpath("template.html").read_text("utf-8")
        style = template[template.index("<style>") : template.index("</style>")] + "</style>"
        self.path, self.count = path, 0
        name = (Path(model).name or model) if model else "jaxsent’s model of photographs"
        title = f"What photographs evoke, by {escape(name)}"
        warning = f'<p class="summary"><strong>{escape(provenance.warning)}</strong></p>'
        about = provenance._replace(drawings=False).sentences()
        self.head = (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{title}</title>{style}</head>'
            f"<body><main><header><h1>{title}</h1>{warning if provenance.warning else ''}"
            '<p class="summary">Left what the network saw of a photograph, right its sentiment '
            "map. It says how raters would answer, never how a person pictured feels.</p>"
            f'<p class="note">{escape(" ".join(about))}</p></header>'
            '<section><div class="gallery">'
        )

    def __enter__(self):
        self.growing = self.path.with_name(f"{self.path.name}.part")
        self.whole = True
        try:
            self.file = self.growing.open("wb", buffering=0)
        except OSError as error:
            raise unwritable(self.path, error) from None
        try:
            self._write(self.head)
        except UserError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.whole:
                self._write(
                    f'</div><p class="note">{self.count:,} photographs.</p></section></main>'
                    "</body></html>\n"
                )
                self.growing.replace(self.path)
        finally:
            self.file.close()
            with contextlib.suppress(OSError):
                self.growing.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        data = text.encode(errors="replace")
        try:
            while data:
                data = data[self.file.write(data) :]
        except OSError as error:
            self.whole = False
            raise unwritable(self.path, error) from None

    def add(self, path: Path, prediction) -> None:
        """A card of a prediction. Raises UserError where it cannot be written."""
        self.count += 1
        y, x, h, w = prediction.box
        view = shrink(augment.crop(prediction.image, (y, x, h, w)))
        pictures = [(view, f"photograph {path.name}")]
        if prediction.sentiment_map is not None:
            pictures.append(
                (overlay(view, prediction.sentiment_map), f"sentiment map of {path.name}")
            )
        images = "".join(
            f'<img src="{jpeg_uri(picture)}" alt="{escape(alt)}" loading="lazy" '
            f'width="{picture.shape[1]}" height="{picture.shape[0]}">'
            for picture, alt in pictures
        )
        chances = list(zip(prediction.labels, prediction.probabilities, strict=True))[:SHOWN]
        rest = ", ".join(f"{escape(name)} {percent(float(p))}" for name, p in chances[1:])
        ratings = ", ".join(f"{escape(k)} {v:.1f}" for k, v in prediction.ratings.items())
        polarity = prediction.polarity or ""
        if polarity in ("", prediction.label):
            polarity = ""
        self._write(
            f'<article class="example"><div class="pair">{images}</div><p class="verdict">'
            f'<span class="said"><b>{escape(prediction.label)}</b> '
            f"<span>{percent(prediction.probability)}</span></span>"
            f"<span>{prediction.doubt or polarity}</span></p>"
            f'<p class="next">{"; ".join(filter(None, [rest and f"then {rest}", ratings]))}</p>'
            f'<p class="file">{escape(str(path))}</p></article>'
        )
