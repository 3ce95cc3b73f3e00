"""The server of connections: uvicorn's, with an end to those whose client does nothing."""

import asyncio
import time

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10  # seconds that a client may take for a request's headers
STALL = 10  # seconds that a client may leave an answer unread
GRACE = 10  # seconds for what was begun when the server is told to stop
PARTING = 2  # seconds, of those, for clients that are waited for
CONNECTIONS = 512  # at once; most systems allow a process 1,024 files


class Protocol(H11Protocol):
    """A connection that is ended where its client keeps it waiting.

    uvicorn waits for ever for headers that began, for an answer to be read and, when it is told to
    stop, for either.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._since = time.monotonic()
        self._head = self.loop.call_later(HEAD, transport.abort)
        self._end: asyncio.TimerHandle | None = None
        if len(self.connections) > CONNECTIONS:
            idle = [c for c in self.connections if c.waits_for_client()]
            min(idle, key=lambda connection: connection._since).transport.abort()

    def waits_for_client(self) -> bool:
        """Whether nothing happens here before the client sends or reads something."""
        cycle = self.cycle
        done = cycle is None or cycle.response_complete
        return done or cycle.more_body or self.flow.write_paused

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head = _cancelled(self._head)
        elif self._head is None:
            self._head = self.loop.call_later(HEAD, self.transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        self._head, self._end = _cancelled(self._head), _cancelled(self._end)
        super().connection_lost(error)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._end_in(STALL)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end = _cancelled(self._end)
        self._end_if_closing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._end_if_closing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._end_if_closing()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(PARTING, self._part)

    def _part(self) -> None:
        if self.waits_for_client():
            self.transport.abort()

    def _end_if_closing(self) -> None:
        # A transport closes when all is written, and that may be never.
        if self.transport.is_closing():
            self._end_in(STALL)

    def _end_in(self, seconds: float) -> None:
        if self._end is None:
            self._end = self.loop.call_later(seconds, self.transport.abort)


def server(app) -> uvicorn.Server:
    """For an ASGI application; `.run([socket])` serves it until SIGINT or SIGTERM."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
    )


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
