"""The server: `POST /predict`, `GET /health`, the examples, and the page at `/`."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

from jaxsent.app.answer import answer
from jaxsent.app.early import PATIENCE, Early
from jaxsent.app.examples import Picture
from jaxsent.app.guard import Guard
from jaxsent.app.limits import Limits, Refused
from jaxsent.app.page import mount
from jaxsent.app.uploads import Uploads, check_headers
from jaxsent.app.worker import Worker
from jaxsent.prediction.prediction import Prediction
from jaxsent.prediction.predictor import Predictor

DEFAULT = Limits()


def create(
    predictor: Predictor,
    limits: Limits = DEFAULT,
    auth: str | None = None,
    examples: Sequence[Picture] = (),
    ready: Callable[[], None] = lambda: None,
    hosts: Iterable[str] = (),
) -> Early:
    """The whole as an ASGI application; the network is compiled as it starts.

    Args:
      predictor: as `jaxsent.load` gives it.
      limits: of photographs, queue and time.
      auth: "user:password".
      examples: photographs that the page offers.
      ready: called once the network is compiled.
      hosts: as Guard.
    """
    worker, uploads = Worker(predictor, limits), Uploads(limits)

    @contextlib.asynccontextmanager
    async def life(app):
        worker.start()
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
        deadline = asyncio.get_running_loop().time() + limits.seconds
        check_headers(request, limits)
        worker.check_room()
        try:
            async with uploads.body(request, deadline) as data, asyncio.timeout_at(deadline):
                with worker.place():
                    content = await worker.ask(data, answer if html else numbers, picture=html)
        except TimeoutError:
            raise Refused(504, f"No answer within {limits.seconds:g} seconds.") from None
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
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

    guarded = Guard(mount(app, predictor.card, limits, examples), auth, hosts)
    return Early(guarded, PATIENCE * limits.bytes)
