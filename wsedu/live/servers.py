# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers on 127.0.0.1, each in a thread of its own, so that it answers while the kernel runs a cell.

``http_server`` is Tornado, which is also the server behind JupyterLab; ``websocket_server`` is the ``websockets``
library; ``tornado_echo_server`` is a second WebSocket server, so that a reader sees where two differ. What they are
made of, ``serving`` for Tornado and ``serve`` for ``websockets``, serves the news as well.
"""

import asyncio
import logging
import ssl
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import tornado.httpserver
import tornado.iostream
import tornado.netutil
import tornado.web
import tornado.websocket
import websockets.asyncio.server as websockets
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from ..wire import background
from ..wire.background import STOP_LIMIT

START_LIMIT = 10.0  # seconds; a server on loopback listens within milliseconds
PATIENCE = 1.0  # seconds that a server which closes leaves its clients to read what is still to be sent
BACKLOG = 1024  # clients that may knock at once


@dataclass
class Listening:
    """What a server is while it listens, and what became of its clients.

    Attributes:
        port: that it listens on.
        aborted: connections that it had to break off when it closed, with bytes on them that nobody read.
    """

    port: int
    aborted: int = 0


class Server:
    """A running server; ends with its ``with`` block, or with ``close()`` in a notebook where it serves many cells.

    Args:
        name: what it is, for ``repr``.
        serving: makes an async context manager that listens on ``host`` while it is entered.
        host: the address that it listens on.

    Attributes:
        host: the same.
        port: the free port that it listens on.

    Raises:
        OSError: it cannot listen; ``TimeoutError`` where it does not within ten seconds.
    """

    def __init__(
        self, name: str, serving: Callable[[], AbstractAsyncContextManager[Listening]], host: str = "127.0.0.1"
    ) -> None:
        self._name, self._serving, self.host = name, serving, host
        self._started, self._stop = threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening = Listening(0)
        self._closed = False
        self._running = background.Background(name, self._serve)
        try:
            self._running.start()
            if not background.wait(self._started, START_LIMIT):
                raise TimeoutError(f"the {name} does not listen after {START_LIMIT:g} s")
            if not self._listening.port:  # it cannot: the thread ends with the reason
                self._running.join(STOP_LIMIT)
                raise self._running.error or OSError(f"the {name} has ended")
            self.port = self._listening.port
        except BaseException:  # Ctrl-C: nobody else could close it, for nobody has it yet
            self.close()
            raise

    async def _serve(self) -> None:
        # First the one and then the other, and `close` the other way round: so one of the two sees the other.
        self._loop = asyncio.get_running_loop()
        try:
            if not self._closed:
                async with self._serving() as self._listening:
                    self._started.set()
                    await self._stop.wait()
        finally:
            self._started.set()

    def close(self) -> None:
        """Stop listening, close what is open, and wait for the thread to end. May be called twice.

        A client that does not read what it was sent is broken off: by Tornado at once, by ``websockets`` after
        ``PATIENCE``. ``repr`` says how many were.
        """
        self._closed = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._running.alive:
            self._running.join(STOP_LIMIT)
            if self._running.alive:
                warnings.warn(f"after {STOP_LIMIT:g} s there is still a {self!r}", RuntimeWarning, stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "has stopped listening"
        if self._running.alive:
            state = "is to close, and has not" if self._closed else "listens"
        left = f"; connections broken off: {self._listening.aborted}" if self._listening.aborted else ""
        return f"<{self._name} that {state} on {self.host}{left}>"


async def _while_patient(closing: Awaitable[object]) -> None:
    """Wait for it, but not longer than ``PATIENCE``; what is left then is cancelled when the loop ends."""
    await asyncio.wait([asyncio.ensure_future(closing)], timeout=PATIENCE)


# Tornado.

# What a client that asks for nonsense, or leaves, makes a handler raise; and what is raised in one that waits while its
# server is closed.
OF_CLIENTS = tornado.web.HTTPError, tornado.iostream.StreamClosedError, tornado.websocket.WebSocketClosedError
EXPECTED = *OF_CLIENTS, asyncio.CancelledError


class Handler(tornado.web.RequestHandler):
    """A handler that says nothing of what its clients do; an error of its own it does say.

    Tornado's loggers are left alone: Jupyter's own server may use them in the same process.
    """

    def set_default_headers(self) -> None:
        self.set_header("Server", "Tornado")  # its version would change, and outputs with it
        self.set_header("Content-Type", "text/plain; charset=utf-8")

    def compute_etag(self) -> None:
        """None: an Etag would be one field more to explain, and these servers cache nothing."""

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, EXPECTED):
            super().log_exception(typ, value, tb)


@asynccontextmanager
async def serving(
    pages: Sequence[tuple[str, type[tornado.web.RequestHandler]]],
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> AsyncIterator[Listening]:
    """Serve pages with Tornado while the block runs, and write no log of what clients do.

    Args:
        pages: patterns of targets, each with its handler.
        host: the address to listen on.
        port: the port; 0 for a free one.
        tls: for TLS, as ``tls_contexts`` makes it.
        settings: what the handlers find in their ``settings``.
    """
    streams = weakref.WeakSet[tornado.iostream.IOStream]()

    class KnowsItsStreams(tornado.httpserver.HTTPServer):
        # `close_all_connections` knows nothing of those that have become WebSockets.
        def handle_stream(self, stream: tornado.iostream.IOStream, address: tuple[Any, ...]) -> None:
            streams.add(stream)
            super().handle_stream(stream, address)

    application = tornado.web.Application(list(pages), **{"log_function": lambda handler: None} | settings)
    server = KnowsItsStreams(application, ssl_options=tls)
    sockets = tornado.netutil.bind_sockets(port, host, backlog=BACKLOG)
    server.add_sockets(sockets)
    listening = Listening(sockets[0].getsockname()[1])
    try:
        yield listening
    finally:
        server.stop()
        for stream in tuple(streams):
            listening.aborted += stream.writing()
            stream.close()  # at once: a handler that waits until its client has read is told so here, and may end
        await _while_patient(server.close_all_connections())


class _Word(Handler):
    """Says a word of its target: Hello, or a number, so that a reader can tell which response is which."""

    def get(self, word: str) -> None:
        self.write(f"{word.title()}\n")


class _Visits(Handler):
    """Counts visits in a cookie: the server itself remembers nothing."""

    def get(self) -> None:
        told = self.get_cookie("visits", "")
        visits = int(told) + 1 if told and told.isdecimal() else 1
        self.set_cookie("visits", str(visits))
        self.write(f"visit {visits}\n")


class _EchoPage(Handler):
    """Sends the content back. Tornado answers ``Expect: 100-continue`` by itself, with 100 Continue."""

    def post(self) -> None:
        self.write(self.request.body)


class _Chunks(Handler):
    """Sends its content in pieces, without saying before how long it will be."""

    async def get(self) -> None:
        for piece in ("one\n", "two\n", "three\n"):
            self.write(piece)
            await self.flush()


class _Wait(Handler):
    """Answers when ``HttpServer.release`` is called, and not before."""

    async def get(self) -> None:
        await self.settings["released"].wait()
        self.write("released\n")


PAGES = (
    (r"/(hello)", _Word),
    (r"/number/(\d+)", _Word),
    (r"/visits", _Visits),
    (r"/echo", _EchoPage),
    (r"/chunks", _Chunks),
    (r"/wait", _Wait),
)


class HttpServer(Server):
    """An HTTP/1.1 server on 127.0.0.1; its Server field reads ``Tornado``, whatever the version.

    It answers GET for ``/hello``, ``/number/7`` (its number), ``/visits`` (counted in a cookie), ``/chunks`` (in three
    pieces) and ``/wait`` (after ``release()``), and POST for ``/echo``.
    """

    def __init__(self) -> None:
        self._released = asyncio.Event()
        super().__init__("HTTP server", lambda: serving(PAGES, released=self._released))

    def release(self) -> None:
        """Let every request for ``/wait`` have its response, those to come too."""
        assert self._loop is not None
        # In the server's thread, for an asyncio.Event is not made for two; before any request that comes after this.
        self._loop.call_soon_threadsafe(self._released.set)


http_server = HttpServer


class EchoSocket(Handler, tornado.websocket.WebSocketHandler):
    """Sends each message back; every Origin is welcome."""

    def check_origin(self, origin: str) -> bool:
        return True

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


def tornado_echo_server() -> Server:
    """An echo server on 127.0.0.1, made with Tornado; the target is ``/``."""
    return Server("WebSocket server by Tornado", lambda: serving([(r"/", EchoSocket)]))


# The ``websockets`` library.

# A reader breaks handshakes and leaves without a closing handshake; the library logs that as an error, with a
# traceback on stderr, in the middle of the page.
quiet = logging.getLogger("wsedu.live.websockets")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False


def without_date(connection: ServerConnection, request: Request, response: Response) -> Response:
    """The response as it is sent: a 101 need not have a Date (RFC 9110, 6.6.1), and without it the same bytes come
    on every day."""
    if response.status_code == 101:
        del response.headers["Date"]
    return response


@asynccontextmanager
async def serve(
    handler: Callable[[ServerConnection], Awaitable[None]], host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[Listening]:
    """The library's ``serve`` as all our servers use it, on a free port; ``options`` are its own."""
    connected, closing = set[ServerConnection](), False

    class KnownConnection(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            connected.add(self)
            if closing:  # it was on its way when the server began to close
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            connected.discard(self)
            super().connection_lost(exc)

    server = await websockets.serve(
        handler,
        host,
        0,
        create_connection=KnownConnection,
        process_response=without_date,
        server_header="websockets",  # by itself it would add its version, and Python's
        ping_interval=None,  # a Ping of the server's own would come between what a reader expects
        logger=quiet,
        # A reader's client may never answer a Close.
        **{"compression": None, "close_timeout": 0.2, "backlog": BACKLOG} | options,
    )
    listening = Listening(next(iter(server.sockets)).getsockname()[1])
    try:
        yield listening
    finally:
        closing = True
        server.close()
        # The library waits for opening handshakes that have begun, up to ten seconds each; and without end for a
        # client that does not read, since its Close frame comes after all that is still to be sent.
        for connection in tuple(connected):
            if connection.state is State.CONNECTING:
                connection.transport.abort()
        await _while_patient(server.wait_closed())
        for connection in tuple(connected):
            listening.aborted += 1
            connection.transport.abort()
        await _while_patient(server.wait_closed())


def websocket_server(*, greeting: str | None = None, compression: bool = False, **options: Any) -> Server:
    """An echo server on 127.0.0.1: each message comes back as it is.

    Args:
        greeting: sent to each client as soon as the handshake is done, before the client says anything.
        compression: take up permessage-deflate when a client offers it.
        options: the library's own: ``origins``, the values of Origin that are welcome (all, by default);
            ``open_timeout``, seconds that an opening handshake may take (10).

    Returns:
        The running server; its Server field reads ``websockets``, whatever the version of Python.
    """

    async def echo(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            if greeting is not None:
                await connection.send(greeting)
            async for message in connection:
                await connection.send(message)

    options["compression"] = "deflate" if compression else None
    return Server("WebSocket server", lambda: serve(echo, **options))
