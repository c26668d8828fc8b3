# SPDX-License-Identifier: GPL-2.0-or-later
"""The four ways over TLS and over HTTP/2: Hypercorn serves them all on one port, and ALPN decides which HTTP.

The program behind it is made with Starlette, so it is called for each request and each WebSocket, whatever carries
them. The same code runs on HTTP/1.1, on HTTP/2, and as a WebSocket on a stream of HTTP/2 (RFC 8441), and what differs
on the wire is the protocol alone.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from weakref import WeakSet

from hypercorn.asyncio import run, serve
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.protocol import ws_stream
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ..wire import background
from .news_server import LONGEST_WAIT, cursor_of
from .publisher import Publisher, Update
from .servers import BACKLOG, PATIENCE, Listening, Server

# Hypercorn has no setting for permessage-deflate (RFC 7692): it takes it up wherever it is offered. Our other servers
# do not, and what is compared is the ways.
vars(ws_stream)["server_extensions_handshake"] = lambda offered, known: None

FIELDS = {"Cache-Control": "no-store"}  # a response is for one client and one moment


class NewsApplication(Starlette):
    """The updates of a publisher in each of the four ways, at ``/news/`` and the way's name; elsewhere a page.

    What it says of updates are methods, for whoever wants it said otherwise.

    Args:
        publisher: has the updates.
        longest_wait: seconds after which a long poll is answered with 204.
    """

    def __init__(self, publisher: Publisher, longest_wait: float = LONGEST_WAIT) -> None:
        self.publisher, self._longest_wait = publisher, longest_wait
        push, follow = WebSocketRoute("/news/websocket", self._push), Route("/news/eventsource", self._event_stream)
        poll, page = Route("/news/{way}", self._poll), Route("/{way:path}", self._page)
        super().__init__(routes=[push, follow, poll, page])

    def page(self, way: str) -> str:
        """A page, in HTML."""
        return "<!doctype html><title>news</title>\n"

    def content(self, updates: list[Update]) -> str:
        """The content of a poll's response; without any it is 204."""
        return "".join(f"{update.payload}\n" for update in updates)

    def event(self, update: Update) -> str:
        """An event of an event stream."""
        return f"id: {update.number}\ndata: {update.payload}\n\n"

    def message(self, update: Update) -> str:
        """A message of a WebSocket."""
        return update.payload

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(self.page(request.path_params["way"]), headers=FIELDS)

    async def _poll(self, request: Request) -> Response:
        limit = self._longest_wait if request.path_params["way"] == "longpoll" else 0
        content = self.content(await self.publisher.wait_after(_cursor(request), limit))
        return PlainTextResponse(content, headers=FIELDS) if content else Response(status_code=204, headers=FIELDS)

    async def _event_stream(self, request: Request) -> Response:
        return StreamingResponse(self._events(_cursor(request)), headers=FIELDS, media_type="text/event-stream")

    async def _events(self, after: int) -> AsyncIterator[str]:
        yield ""  # the head goes out now: an EventSource is open before there is news
        async for update in self.publisher.follow(after):
            yield self.event(update)

    async def _push(self, connection: WebSocket) -> None:
        async def send(after: int) -> None:
            async for update in self.publisher.follow(after):
                await connection.send_text(self.message(update))

        after = _cursor(connection)
        await connection.accept()
        sending = asyncio.ensure_future(send(after))
        while (await connection.receive())["type"] != "websocket.disconnect":
            pass  # it is the client that closes
        sending.cancel()


def _cursor(asked: HTTPConnection) -> int:
    try:
        return cursor_of(asked.headers.get("Last-Event-ID", asked.query_params.get("after", "")))
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


class _Settings(Config):
    """Hypercorn's, for a certificate that is in no file, and for connections that must be broken off."""

    loglevel = "CRITICAL"  # clients that leave are nothing to write into the page
    graceful_timeout = 3 * PATIENCE  # longer than we wait: what it cancels with an open transport may never end
    include_date_header = include_server_header = False  # so that the same bytes come on every day
    tls: ssl.SSLContext | None = None
    writers: WeakSet[asyncio.StreamWriter]  # of its connections
    ssl_enabled = property(lambda self: self.tls is not None)

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self.tls


class _Connection(TCPServer):
    """Hypercorn's, which nobody else knows of."""

    async def run(self) -> None:
        cast(_Settings, self.config).writers.add(self.writer)
        await super().run()


vars(run)["TCPServer"] = _Connection


@asynccontextmanager
async def asgi_serving(
    application: NewsApplication, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0, **more: Any
) -> AsyncIterator[Listening]:
    """Serve an application with Hypercorn while the block runs; ``more`` are settings of Hypercorn's."""
    stop, config, listener = asyncio.Event(), _Settings(), socket.create_server((host, port), backlog=BACKLOG)
    listening, config.writers = Listening(listener.getsockname()[1]), WeakSet()
    for name, value in {"bind": f"fd://{listener.detach()}", "backlog": BACKLOG, "tls": tls, **more}.items():
        setattr(config, name, value)
    answering = set[asyncio.Task[None]]()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            answering.add(task := asyncio.ensure_future(application(scope, receive, send)))
            await asyncio.wait([task])
            answering.discard(task)

    running = asyncio.ensure_future(serve(cast(Any, answer), config, shutdown_trigger=stop.wait, mode="asgi"))
    try:
        yield listening
    finally:
        # Hypercorn waits for whoever waits for news.
        for task in answering:
            task.cancel()
        stop.set()
        await asyncio.wait([running], timeout=PATIENCE)
        for writer in config.writers:  # of clients that do not read, so that what was sent never leaves
            writer.transport.abort()
        await asyncio.wait([running], timeout=PATIENCE)
        # Whatever of such a connection waits still is cancelled when the loop ends; Python 3.11 tells stderr of that.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)


def asgi_news_server(
    publisher: Publisher, tls: ssl.SSLContext | None = None, longest_wait: float = LONGEST_WAIT, host: str = "127.0.0.1"
) -> Server:
    """A server that delivers the updates of a publisher in all four ways, over HTTP/1.1 and HTTP/2.

    Args:
        publisher: has the updates.
        tls: as ``tls_contexts`` makes it, with the protocols to choose from; without it a client has to know that
            HTTP/2 is understood (RFC 9113, 3.3).
        longest_wait: seconds after which a long poll is answered with 204.
        host: the address that it listens on, of this machine.
    """
    background.need_system("Hypercorn")
    application = NewsApplication(publisher, longest_wait)
    return Server("news server by Hypercorn", lambda: asgi_serving(application, tls, host), host)
