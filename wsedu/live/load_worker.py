# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in the two processes of a load test: the load server in one, the load clients in the other.

Each in a process of its own, so that neither the notebook's kernel nor the other side is measured along with it. The
clients do no more than they must, since it is the server that is measured: they shake hands and count frames, or ask
and count responses.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from inspect import isawaitable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import websockets.asyncio.server as websockets
from websockets import http11
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers

from ..protocol.content import Length, content_framing
from ..protocol.errors import NeedMoreData
from ..protocol.frames import parse_header
from ..protocol.handshake import request
from ..protocol.http1 import Response
from .limits import raise_file_limit
from .news_server import news_server
from .publisher import Publisher
from .servers import Listening, serve

LARGEST_BACKLOG = 65_535
# Seconds that some hundred connections may take until they are open.
CONNECT_LIMIT = 60.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
POLL = b"GET /news/polling?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
# Every browser offers it, and so do our clients: whether it is used is the server's choice (RFC 7692, 5).
OFFER = ("Sec-WebSocket-Extensions", "permessage-deflate")


def work(pipe: Connection, make: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """The whole life of such a process.

    It takes pairs from the pipe: a name, of a method or an attribute of what ``make`` gives, and arguments. It answers
    each with a pair: the empty text, and what the method returns or the attribute is. A text that is not empty says why
    the process gives up, and is its last word.
    """
    # Ctrl-C in a shell, and an interrupted kernel, send SIGINT to the children as well: the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_file_limit()
    # In Python's development mode a loop would keep a traceback for each of thousands of tasks: that is not measured.
    asyncio.run(_obey(pipe, make), debug=False)


async def _obey(pipe: Connection, make: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    loop, orders = asyncio.get_running_loop(), asyncio.Queue[tuple[str, Sequence[Any]]]()

    def hear() -> None:
        # A thread, since it must notice that the parent is gone (killed, perhaps) whatever the loop is busy with. The
        # process then ends at once and closes nothing politely: thousands of closing handshakes would take longer
        # than the lesson, and the operating system closes all that is open.
        with suppress(EOFError, OSError):
            while True:
                loop.call_soon_threadsafe(orders.put_nowait, pipe.recv())
        os._exit(0)

    threading.Thread(target=hear, daemon=True).start()
    try:
        async with make() as worker:
            while True:
                name, arguments = await orders.get()
                answer = getattr(worker, name)
                answer = answer(*arguments) if callable(answer) else answer
                pipe.send(("", await answer if isawaitable(answer) else answer))
    except Exception as error:  # whatever it is, the parent raises it
        with suppress(OSError):
            pipe.send((said(error), None))
        os._exit(1)


class Usage(NamedTuple):
    """What a process has used.

    Attributes:
        time: when it was looked at, in seconds of ``time.monotonic``.
        resident: bytes of memory that it holds now.
        cpu: seconds of processor since it began.
    """

    time: float
    resident: int
    cpu: float


class LoadServer(NamedTuple):
    """The server under load: one that broadcasts over WebSockets, and one that is polled.

    Attributes:
        websocket, polling: their ports on 127.0.0.1. The first answers polls as well.
        publish: sends the next update to all who listen; gives when, in seconds of ``time.monotonic``.
    """

    websocket: int
    polling: int
    publish: Callable[[], float]

    def usage(self) -> Usage:
        """What this process has used until now."""
        import psutil

        return Usage(time.monotonic(), psutil.Process().memory_info().rss, time.process_time())


def no_news(connection: ServerConnection, request: http11.Request) -> http11.Response | None:
    """What the server that pushes answers to a poll; ``None`` is for an opening handshake.

    The library closes the connection after each response that is not a 101.
    """
    return None if "Upgrade" in request.headers else http11.Response(204, "No Content", Headers(Connection="close"))


@asynccontextmanager
async def load_server(
    serve: Callable[..., AbstractAsyncContextManager[Listening]] = serve,
    broadcast: Callable[[set[ServerConnection], str], None] = websockets.broadcast,
    compression: str | None = None,
) -> AsyncIterator[LoadServer]:
    """Serve while the block runs.

    Args:
        serve: what to serve with; it gets a handler, and options as ``websockets`` has them.
        broadcast: sends a text to all these connections.
        compression: ``"deflate"`` to take up the clients' offer of permessage-deflate.
    """
    publisher, listening = Publisher(), set[ServerConnection]()

    async def listen(connection: ServerConnection) -> None:
        listening.add(connection)
        try:
            await connection.wait_closed()
        finally:
            listening.discard(connection)

    def publish() -> float:
        # From a publisher of its own: the one that is polled never has news, since it is the asking that is measured.
        update = publisher.publish("")
        broadcast(listening, update.payload)
        return update.time

    options = {"close_timeout": 0, "backlog": LARGEST_BACKLOG, "process_request": no_news, "compression": compression}
    with news_server("polling", Publisher()) as polling:
        async with serve(listen, **options) as server:
            yield LoadServer(server.port, polling.port, publish)


@dataclass
class Receipts:
    """What the clients have received.

    Attributes:
        time: when it was looked at, in seconds of ``time.monotonic``.
        received: frames or responses, of all clients together.
        last: when the latest of them came, in seconds of ``time.monotonic``.
        lost: clients that have lost their connection, or could not get one.
        why: what the first of those met with.
    """

    time: float = 0.0
    received: int = 0
    last: float = 0.0
    lost: int = 0
    why: str = ""


class LoadClients:
    """Many clients of one server, each a task that reads and counts.

    Args:
        port: of the server, on 127.0.0.1.
        total: how many clients there will be.
        gap: seconds from a response to the next request of a client that polls; ``None`` for WebSockets.
        keep_alive: for polling: one connection for all polls of a client, or one for each.
    """

    def __init__(self, port: int, total: int, gap: float | None = None, keep_alive: bool = True) -> None:
        self._port, self._total, self._gap, self._keep_alive = port, total, gap, keep_alive
        self._connections: list[Streams | None] = []
        self._receipts, self._changed = Receipts(), asyncio.Event()

    async def connect(self, count: int) -> float:
        """Connect so many more, all at once: not more than the server's queue of new connections has room for.

        Returns:
            The seconds that it took.

        Raises:
            OSError: a connection was refused, or was not made a WebSocket; ``TimeoutError`` where they are not open
                within ``CONNECT_LIMIT``.
        """
        begin = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                self._connections += await asyncio.gather(*(self._connect() for _ in range(count)))
        except TimeoutError:
            raise TimeoutError(f"{count} connections were not open within {CONNECT_LIMIT:g} s") from None
        return time.monotonic() - begin

    async def _connect(self) -> Streams | None:
        if not self._keep_alive:
            return None  # it opens one for each poll
        reader, writer = await self._open()
        if self._gap is None:
            writer.write(request("127.0.0.1", fields=[OFFER]))
            await _response(reader, 101)
        return reader, writer

    def _open(self) -> Awaitable[Streams]:
        return asyncio.open_connection("127.0.0.1", self._port)

    def begin(self) -> None:
        """Let all who are connected receive, or poll: one after the other within the first gap, as people come."""
        # Kept, since a task that nobody refers to may be collected before it is done.
        self._tasks = [asyncio.ensure_future(self._receive(number)) for number in range(self._total)]

    async def _receive(self, number: int) -> None:
        """The rest of a client's life, until its connection is lost."""
        try:
            async for _ in self._frames(number) if self._gap is None else self._polls(number, self._gap):
                self._receipts.received += 1
                self._receipts.last = time.monotonic()
                self._changed.set()
        except Exception as error:  # whatever it is, `wait` tells it
            self._receipts.lost += 1
            self._receipts.why = self._receipts.why or said(error)
            self._changed.set()

    async def _frames(self, number: int) -> AsyncIterator[None]:
        connection = self._connections[number]
        assert connection is not None
        while True:
            await read_frame(connection[0])
            yield

    async def _polls(self, number: int, gap: float) -> AsyncIterator[None]:
        await asyncio.sleep(gap * number / self._total)
        while True:
            kept = self._connections[number]
            reader, writer = kept or await self._open()
            writer.write(POLL + (b"\r\n" if kept else b"Connection: close\r\n\r\n"))
            await _response(reader, 200, 204)
            yield
            if not kept:
                # RFC 9112, 9.6: the server "MUST initiate closure of the connection after it sends the final response".
                # So it is the server's port that stays in TIME-WAIT, and the ports of this side do not run out.
                await reader.read()
                writer.close()
            await asyncio.sleep(gap)

    async def wait(self, count: int, limit: float) -> Receipts:
        """Wait until so many frames or responses have come since the beginning, or so many seconds.

        A client that is lost counts too: nothing more comes from it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while self._receipts.received + self._receipts.lost < count:
                    self._changed.clear()
                    await self._changed.wait()
        self._receipts.time = time.monotonic()
        return self._receipts


def load_clients(*arguments: Any) -> AbstractAsyncContextManager[LoadClients]:
    """``LoadClients`` as ``work`` takes them: in a block, at whose end there is nothing to do."""
    return nullcontext(LoadClients(*arguments))


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The bytes of one frame of a server."""
    data = await reader.readexactly(2)  # no header is shorter (RFC 6455, 5.2), and those of short payloads end here
    while True:
        with suppress(NeedMoreData):
            return data + await reader.readexactly(parse_header(data).payload_length)
        data += await reader.readexactly(1)


async def _response(reader: asyncio.StreamReader, *statuses: int) -> None:
    """Read one response; raises ConnectionError if its status code is not one of these."""
    head, _ = Response.parse(await read_response(reader))
    if head.status not in statuses:
        raise ConnectionError(f"the server answered {head.status} {head.reason}")


async def read_response(reader: asyncio.StreamReader) -> bytes:
    """The bytes of one response: its head, and the content whose length that says. Nobody waits for other content."""
    head = await reader.readuntil(b"\r\n\r\n")
    framing = content_framing(Response.parse(head, strict=False)[0])
    return head + await reader.readexactly(framing.bytes if isinstance(framing, Length) else 0)


def said(error: Exception) -> str:
    """An exception in one line."""
    if isinstance(error, asyncio.IncompleteReadError):
        error = ConnectionError("closed by the server")
    return f"{type(error).__name__}: {error}"
