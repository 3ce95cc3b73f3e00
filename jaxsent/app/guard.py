"""What every request passes: who asks, by which name, from which page, and for what."""

import base64
import hmac
import ipaddress
from collections.abc import Iterable

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

    The rest of Gradio stays shut: uploads to disk, files by path, its queue, fetching of addresses.
    The page needs none of it, and its answers hold paths of this machine.

    Args:
      app: what is guarded.
      auth: "user:password", asked for by HTTP Basic of page and programs alike; None for nobody's.
      hosts: names it is asked for by, beside this machine's own and the address that was reached.
    """

    def __init__(self, app, auth: str | None = None, hosts: Iterable[str] = ()):
        self.app = app
        self.expected = auth and b"Basic " + base64.b64encode(auth.encode())
        self.hosts = frozenset(host.strip("[]").rstrip(".").lower() for host in hosts)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return None  # no websockets here

        async def send_guarded(message):
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent.update(HEADERS)
                for name in [n for n in sent if n.startswith("access-control-")]:
                    del sent[name]
            await send(message)

        refusal = self._refusal(scope)
        # Nothing of ours reads a query, and what Gradio reads of one leads to files.
        scope = scope | {"query_string": b""}
        return await (refusal or self.app)(scope, receive, send_guarded)

    def _refusal(self, scope) -> JSONResponse | None:
        headers, path = Headers(scope=scope), scope["path"]
        host, origin = headers.get("host", ""), headers.get("origin")
        local = (scope.get("server") or ("",))[0]
        if not self._is_served(name_of(host), local):
            return _error(
                403,
                f"Not served by the name {host[:80]!r}. Whoever runs this may allow it: jaxsent "
                "serve --allow-host NAME.",
            )
        if origin is not None and origin.partition("://")[2] != host:
            return _error(403, "Another site's page asked for this.")
        if self.expected and path not in OPEN:
            credentials = headers.get("authorization", "").encode()
            if not hmac.compare_digest(credentials, self.expected):
                return _error(401, "A user and a password are needed.")
        if path not in PATHS and not path.startswith(FOLDERS):
            return _error(404, "There is nothing here.")
        return None

    def _is_served(self, name: str, local: str) -> bool:
        """Whether a page that was loaded by this name can only be ours.

        A name of somebody else's may be made to lead here after its page is loaded (DNS rebinding);
        an address may not, nor may this machine's own names.
        """
        if name in self.hosts or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
            return address.is_loopback or address == ipaddress.ip_address(local)
        except ValueError:
            return False


def name_of(host: str) -> str:
    """A Host header without its port: "[::1]:7860" -> "::1", "Example.org.:80" -> "example.org"."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal():
        name = host
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return name.rstrip(".").lower()


def _error(code: int, message: str) -> JSONResponse:
    challenge = (
        {"www-authenticate": 'Basic realm="jaxsent", charset="UTF-8"'} if code == 401 else None
    )
    return JSONResponse({"error": message}, code, challenge)
