# SPDX-License-Identifier: GPL-2.0-or-later
"""The four ways over TLS and over HTTP/2: Hypercorn serves them all on one port, and ALPN decides which HTTP.

The program behind it is an ASGI application: it is called for each request and each WebSocket, whatever carries them,
and says in messages what to answer. So the same code runs on HTTP/1.1, on HTTP/2, and as a WebSocket on a stream of
HTTP/2 (RFC 8441), and what differs on the wire is the protocol alone.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qs

from hypercorn.asyncio import serve
from hypercorn.config import Config, Sockets
from hypercorn.typing import ASGIFramework

from .news_server import LONGEST_WAIT, cursor_of
from .publisher import Publisher, Update
from .servers import BACKLOG, PATIENCE, Listening, Server

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class NewsApplication:
    """The updates of a publisher in each of the four ways, at ``/news/`` and the way's name; elsewhere a page.

    What it says of updates are methods, for whoever wants it said otherwise.

    Args:
        publisher: has the updates.
        longest_wait: seconds after which a long poll is answered with 204.
    """

    def __init__(self, publisher: Publisher, longest_wait: float = LONGEST_WAIT) -> None:
        self.publisher, self._longest_wait = publisher, longest_wait

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        query = parse_qs(scope["query_string"].decode()).get("after", [""])[0]
        said = dict(scope["headers"]).get(b"last-event-id", query.encode())
        answers = {"polling": self._poll, "longpoll": self._long_poll, "eventsource": self._event_stream}
        answer = answers.get(way := scope["path"].removeprefix("/news/"))
        if scope["type"] == "websocket":
            await receive()  # "websocket.connect"
            await send({"type": "websocket.accept"})
            answer = self._push
        try:
            after = cursor_of(said.decode("latin-1"))
        except ValueError as error:
            await _respond(send, 400, "text/plain", str(error))
            return
        if answer is None:
            await _respond(send, 200, "text/html", self.page(way))
        else:
            await _while_there(receive, answer(after, send))

    def page(self, path: str) -> str:
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

    async def _poll(self, after: int, send: Send) -> None:
        content = self.content(self.publisher.after(after))
        await _respond(send, 200 if content else 204, "text/plain" if content else "", content)

    async def _long_poll(self, after: int, send: Send) -> None:
        await self.publisher.wait_after(after, self._longest_wait)
        await self._poll(after, send)

    async def _event_stream(self, after: int, send: Send) -> None:
        await _respond(send, 200, "text/event-stream", more=True)
        async for update in self.publisher.follow(after):
            await _send_content(send, self.event(update), more=True)

    async def _push(self, after: int, send: Send) -> None:
        async for update in self.publisher.follow(after):
            await send({"type": "websocket.send", "text": self.message(update)})
        await asyncio.get_running_loop().create_future()  # it is the client that closes


async def _respond(send: Send, status: int, content_type: str, content: str = "", *, more: bool = False) -> None:
    fields = [(b"cache-control", b"no-store")]
    if content_type:
        fields.append((b"content-type", f"{content_type}; charset=utf-8".encode()))
    if not more and status != 204:
        fields.append((b"content-length", str(len(content.encode())).encode()))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await _send_content(send, content, more=more)


async def _send_content(send: Send, content: str, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": content.encode(), "more_body": more})


async def _while_there(receive: Receive, answering: Awaitable[None]) -> None:
    """Answer until that is done, or the client has gone and nobody is left to answer."""

    async def gone() -> None:
        while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
            pass

    both = asyncio.ensure_future(answering), asyncio.ensure_future(gone())
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in both:
        task.cancel()
    await asyncio.gather(*both, return_exceptions=True)


class _OnSocket(Config):
    """Hypercorn's settings for a socket that listens already, and a certificate that is in no file."""

    ssl_enabled = False
    loglevel = "CRITICAL"  # clients that leave are nothing to write into the page
    graceful_timeout = PATIENCE
    include_date_header = include_server_header = False  # so that the same bytes come on every day

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._listener, self._tls = listener, tls
        self.ssl_enabled = tls is not None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self._tls

    def create_sockets(self) -> Sockets:
        mine: list[socket.socket] = [self._listener]
        return Sockets(mine, [], []) if self.ssl_enabled else Sockets([], mine, [])


@asynccontextmanager
async def asgi_serving(
    application: NewsApplication,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    **settings: Any,
) -> AsyncIterator[Listening]:
    """Serve an application with Hypercorn while the block runs; ``settings`` are Hypercorn's own."""
    stop = asyncio.Event()
    with socket.create_server((host, port), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        listening = Listening(listener.getsockname()[1])
        config = _OnSocket(listener, tls)
        for name, value in settings.items():
            setattr(config, name, value)
        framework = cast(ASGIFramework, application)
        running = asyncio.ensure_future(serve(framework, config, shutdown_trigger=stop.wait, mode="asgi"))
        try:
            yield listening
        finally:
            stop.set()
            await running


def asgi_news_server(
    publisher: Publisher, tls: ssl.SSLContext | None = None, *, longest_wait: float = LONGEST_WAIT
) -> Server:
    """A server on 127.0.0.1 that delivers the updates of a publisher in all four ways, over HTTP/1.1 and HTTP/2.

    Args:
        publisher: has the updates.
        tls: as ``tls_contexts`` makes it, with the protocols to choose from; without it a client has to know that
            HTTP/2 is understood (RFC 9113, 3.3).
        longest_wait: seconds after which a long poll is answered with 204.
    """
    application = NewsApplication(publisher, longest_wait)
    return Server("news server by Hypercorn", lambda: asgi_serving(application, tls))
