"""The server: `POST /predict`, `GET /health`, the examples, and the page at `/`."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from jaxsent.app.answer import answer
from jaxsent.app.examples import Picture
from jaxsent.app.guard import Guard
from jaxsent.app.limits import Limits, Refused, too_heavy
from jaxsent.app.page import mount
from jaxsent.app.worker import Worker
from jaxsent.prediction.prediction import Prediction

DEFAULT = Limits()
PATIENCE = 4  # a body this many times too large is read to its end, so that its sender hears why


def create(
    predictor,
    limits: Limits = DEFAULT,
    auth: str | None = None,
    examples: Sequence[Picture] = (),
    ready: Callable[[], None] = lambda: None,
) -> Guard:
    """The whole as an ASGI application; the network is compiled as it starts.

    Args:
      predictor: as `jaxsent.load` gives it.
      limits: of photographs, queue and time.
      auth: "user:password".
      examples: photographs that the page offers.
      ready: called once the network is compiled.
    """
    worker = Worker(predictor, limits)

    @contextlib.asynccontextmanager
    async def life(app):
        worker.warm_up()
        ready()
        yield
        worker.close()

    model = predictor.card.provenance.to_dict()

    def numbers(prediction: Prediction) -> dict:
        return prediction.to_dict() | {"model": model}

    app = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        """JSON as `jaxsent predict --json`, or the page's fragment where HTML is asked for."""
        html = "text/html" in request.headers.get("accept", "")
        try:
            with worker.place():
                async with asyncio.timeout(limits.seconds):
                    data = await _body(request, limits)
                    content = await worker.ask(data, answer if html else numbers)
        except TimeoutError:
            raise Refused(504, f"No answer within {limits.seconds:g} seconds.") from None
        return HTMLResponse(content) if html else JSONResponse(content)

    @app.get("/health")
    async def health() -> dict:
        return {"status": "ok", "version": version("jaxsent"), "waiting": worker.waiting}

    @app.get("/examples/{index}")
    async def example(index: int) -> Response:
        if not 0 <= index < len(examples):
            raise Refused(404, f"Expected an example below {len(examples)}; found {index}.")
        return Response(examples[index].jpeg, media_type="image/jpeg")

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        wait = {"retry-after": "2"} if error.code == 503 else None
        return JSONResponse({"error": str(error)}, error.code, wait)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "The network failed; its owner's terminal says why."}, 500)

    return Guard(mount(app, predictor.card, limits, examples), auth)


async def _body(request: Request, limits: Limits) -> bytes:
    """The body, at most as large as a photograph may be. Raises Refused."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Refused(
            415,
            "Expected the bytes of a photograph as the body, found a form. With curl: "
            "--data-binary @photo.jpg",
        )
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= limits.bytes:
            parts.append(part)
        elif size > PATIENCE * limits.bytes:
            break
    if size > limits.bytes:
        raise too_heavy(limits)
    return b"".join(parts)
