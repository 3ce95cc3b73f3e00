"""What every request passes: who asks, from which page, and for what."""

import base64
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

OPEN = ("/health",)  # without a password
PATHS = ("/", "/health", "/predict", "/theme.css", "/favicon.ico")
FOLDERS = ("/examples/", "/assets/", "/static/")
HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'self'",  # Gradio compiles its templates in the browser
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """ASGI middleware.

    The rest of Gradio stays shut: uploads to disk, files by path, fetching of addresses. The page
    needs none of it, and its answers hold paths of this machine.

    Args:
      app: what is guarded.
      auth: "user:password", asked for by HTTP Basic of page and programs alike; None for nobody's.
    """

    def __init__(self, app, auth: str | None = None):
        self.app = app
        self.expected = auth and b"Basic " + base64.b64encode(auth.encode())

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return None  # no websockets here
        headers, path = Headers(scope=scope), scope["path"]

        async def send_guarded(message):
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent.update(HEADERS)
                for name in [n for n in sent if n.startswith("access-control-")]:
                    del sent[name]
            await send(message)

        refusal = self._refusal(headers, path)
        return await (refusal or self.app)(scope, receive, send_guarded)

    def _refusal(self, headers, path) -> JSONResponse | None:
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return _error(403, "Another site's page asked for this.")
        if self.expected and path not in OPEN:
            credentials = headers.get("authorization", "").encode()
            if not hmac.compare_digest(credentials, self.expected):
                return _error(401, "A user and a password are needed.")
        if path not in PATHS and not path.startswith(FOLDERS):
            return _error(404, "There is nothing here.")
        return None


def _error(code: int, message: str) -> JSONResponse:
    challenge = (
        {"www-authenticate": 'Basic realm="jaxsent", charset="UTF-8"'} if code == 401 else None
    )
    return JSONResponse({"error": message}, code, challenge)
