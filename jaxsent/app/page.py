"""The page: Gradio's frame around our own component, which talks to `POST /predict` alone.

Gradio's image and file components write uploads to disk and name them by path in their answers, so
the component is ours: photographs go from the browser's memory to the server's.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from importlib import resources
from string import Template

# Read as gradio is imported. It makes a folder at its start, by default in one that all users of
# the machine share; nothing is ever put there.
FOLDER = tempfile.TemporaryDirectory(prefix="jaxsent-")
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=FOLDER.name)

import gradio as gr  # noqa: E402
from fastapi import FastAPI  # noqa: E402

from jaxsent.app.examples import Picture  # noqa: E402
from jaxsent.app.limits import Limits  # noqa: E402
from jaxsent.data import photograph  # noqa: E402
from jaxsent.prediction import answers  # noqa: E402


def mount(app: FastAPI, card, limits: Limits, examples: Sequence[Picture]) -> FastAPI:
    """Puts the page at `/` of the app and returns it."""

    async def inside():
        return _mounted(app, _text(card, limits, examples))

    # Outside an event loop Gradio makes some and closes none; this thread may have one already.
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(asyncio.run, inside()).result()


def _text(card, limits, examples) -> str:
    return Template(_asset("page.html")).substitute(
        kinds=", ".join(photograph.formats()),
        megabytes=f"{limits.megabytes:g}",
        megapixels=f"{limits.megapixels:g}",
        bytes=limits.bytes,
        classes=escape(", ".join(card.classes)),
        ratings=escape(", ".join(card.ratings)),
        doubts=", ".join(answers.doubts(card)),
        about=_about(card.provenance),
        credit=escape(" ".join(sorted({p.credit for p in examples} - {""}))),
        examples="".join(
            f'<button type="button" data-example="{escape(picture.name)}">'
            f'<img src="examples/{i}" alt="{escape(picture.name)}"></button>'
            for i, picture in enumerate(examples)
        ),
        offered="" if examples else " hidden",
    )


def _about(provenance) -> str:
    warning = f'<strong class="warning" role="note">{escape(provenance.warning)}</strong> '
    facts = " ".join(provenance._replace(drawings=False).sentences())
    return (warning if provenance.warning else "") + escape(facts)


def _mounted(app, text) -> FastAPI:
    with gr.Blocks(title="jaxsent", analytics_enabled=False) as page:
        gr.HTML(text, js_on_load=_asset("page.js"), apply_default_css=False)
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif"]
    mono = ["ui-monospace", "Menlo", "Consolas", "monospace"]
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        theme=gr.themes.Base(font=sans, font_mono=mono),
        head=f"<style>{_asset('page.css')}</style>",  # as css= Gradio would rewrite it
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
