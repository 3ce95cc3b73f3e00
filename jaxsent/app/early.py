"""Answers that are ready before their request is: refusals, of which the sender is to hear why."""

import asyncio
import contextlib

from starlette.datastructures import Headers, MutableHeaders

LINGER = 5  # seconds
PATIENCE = 4  # times as many bytes as a photograph may have


class Early:
    """ASGI middleware: sends such an answer at once, then reads the rest of the body and drops it.

    To close a connection on which bytes arrive resets it, and a client that is still sending, as
    those of Python are, loses the answer with it.

    Args:
      app: what answers.
      most: bytes that are read and dropped.
    """

    def __init__(self, app, most: int):
        self.app, self.most = app, most

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        unread = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        # Who asks first whether to send has not begun to, before somebody reads.
        sending = headers.get("expect", "").lower() != "100-continue"

        async def received():
            nonlocal unread, sending
            sending = True
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def drop():
            dropped = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    while unread and dropped < self.most:
                        dropped += len((await received()).get("body", b""))

        async def send_early(message):
            if message["type"] == "http.response.start" and unread:
                MutableHeaders(scope=message)["connection"] = "close"
            last = message["type"] == "http.response.body" and not message.get("more_body")
            if not (last and unread and sending):
                return await send(message)
            await send({**message, "more_body": True})
            await drop()
            return await send({"type": "http.response.body", "body": b""})

        return await self.app(scope, received, send_early)
