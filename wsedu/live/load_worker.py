# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs in the two processes of a load test: the load server in one, the load clients in the other.

Each in a process of its own, so that neither the notebook's kernel nor the other side is measured along with it. The
clients do no more than they must, since it is the server that is measured: they shake hands and count frames, or ask
and count responses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from inspect import isawaitable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import websockets.asyncio.server as websockets
from websockets.asyncio.server import ServerConnection

from ..protocol.content import Length, content_framing
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import parse_header
from ..protocol.handshake import request
from ..protocol.http1 import Response, head_end
from .limits import raise_file_limit
from .news_server import news_server
from .publisher import Publisher
from .servers import Listening, serve

LARGEST_BACKLOG = 65_535
PER_ADDRESS = 20_000
"""Connections from one address of 127.0.0.0/8: Linux gives out some 28,000 ports of one address
(``net.ipv4.ip_local_port_range``), and other programs need some too."""
CONNECT_LIMIT = 60.0
"""Seconds that some hundred connections may take until they are open."""
Address = tuple[str, int] | None  # that a client connects from; None lets the system choose
POLL = b"GET /news/polling?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"


class Failure(NamedTuple):
    """Sent in place of an answer: why the process ends."""

    why: str


def work(pipe: Connection, make: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """The whole life of such a process.

    It takes pairs from the pipe: a name, of a method or an attribute of what ``make`` gives, and arguments. It answers
    each with what the method returns or the attribute is, or with a ``Failure``, its last word.
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
        with contextlib.suppress(EOFError, OSError):
            while True:
                loop.call_soon_threadsafe(orders.put_nowait, pipe.recv())
        os._exit(0)

    threading.Thread(target=hear, daemon=True).start()
    try:
        async with make() as worker:
            while True:
                name, arguments = await orders.get()
                answer = getattr(worker, name)
                if callable(answer):
                    answer = answer(*arguments)
                pipe.send(await answer if isawaitable(answer) else answer)
    except Exception as error:  # whatever it is, the parent raises it
        with contextlib.suppress(OSError):
            pipe.send(Failure(_said(error)))
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
        websocket, polling: their ports on 127.0.0.1.
        publish: sends the next update to all who listen; gives when, in seconds of ``time.monotonic``.
    """

    websocket: int
    polling: int
    publish: Callable[[], float]

    def usage(self) -> Usage:
        """What this process has used until now."""
        import psutil

        return Usage(time.monotonic(), psutil.Process().memory_info().rss, time.process_time())


@asynccontextmanager
async def load_server(
    serve: Callable[..., AbstractAsyncContextManager[Listening]] = serve,
    broadcast: Callable[[set[ServerConnection], str], None] = websockets.broadcast,
) -> AsyncIterator[LoadServer]:
    """Serve while the block runs.

    Args:
        serve: what to serve with; it gets a handler, and ``close_timeout`` and ``backlog`` as ``websockets`` has them.
        broadcast: sends a text to all these connections.
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

    with news_server("polling", Publisher()) as polling:
        async with serve(listen, close_timeout=0, backlog=LARGEST_BACKLOG) as server:
            yield LoadServer(server.port, polling.port, publish)


class Receipts(NamedTuple):
    """What the clients have received.

    Attributes:
        time: when it was looked at, in seconds of ``time.monotonic``.
        received: frames or responses, of all clients together.
        last: when the latest of them came, in seconds of ``time.monotonic``.
        lost: clients that have lost their connection.
        why: what the first of those met with.
    """

    time: float
    received: int
    last: float
    lost: int
    why: str


class LoadClients:
    """Many clients of one server.

    Args:
        port: of the server, on 127.0.0.1.
        total: how many clients there will be.
        gap: seconds from a response to the next request of a client that polls; ``None`` for WebSockets.
        keep_alive: for polling: one connection for all polls of a client, or one for each.

    Attributes:
        port: the same.
    """

    def __init__(self, port: int, total: int, gap: float | None = None, keep_alive: bool = True) -> None:
        self.port = port
        self._make = PushClient if gap is None else partial(PollClient, gap, keep_alive)
        # On Linux all of 127.0.0.0/8 is this machine; elsewhere 127.0.0.1 alone.
        self._spread = total > PER_ADDRESS and sys.platform == "linux"
        self._clients: list[LoadClient] = []
        self._received, self._last, self._lost, self._why = 0, 0.0, 0, ""
        self._changed = asyncio.Event()

    async def connect(self, count: int) -> float:
        """Connect so many more, all at once: not more than the server's queue of new connections has room for.

        Returns:
            The seconds that it took.

        Raises:
            OSError: a connection was refused, or was not made a WebSocket; ``TimeoutError`` where they are not open
                within ``CONNECT_LIMIT``.
        """
        begin = time.monotonic()
        for number in range(len(self._clients), len(self._clients) + count):
            address = (f"127.0.0.{2 + number // PER_ADDRESS}", 0) if self._spread else None
            self._clients.append(self._make(self, address))
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await asyncio.gather(*(client.connect() for client in self._clients[-count:]))
        except TimeoutError:
            raise TimeoutError(f"{count} connections were not open within {CONNECT_LIMIT:g} s") from None
        return time.monotonic() - begin

    def begin(self) -> None:
        """Let those that poll begin, one after the other within the first gap, as people come one after the other."""
        for number, client in enumerate(self._clients):
            client.begin(number / len(self._clients))

    async def wait(self, count: int, limit: float) -> Receipts:
        """Wait until so many frames or responses have come since the beginning, or so many seconds.

        A client that is lost counts too: nothing more comes from it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while self._received + self._lost < count:
                    self._changed.clear()
                    await self._changed.wait()
        return Receipts(time.monotonic(), self._received, self._last, self._lost, self._why)

    def receive(self) -> None:
        """For a client: it has received one more."""
        self._received += 1
        self._last = time.monotonic()
        self._changed.set()

    def lose(self, error: Exception) -> None:
        """For a client: its connection is lost, or it cannot get one."""
        self._lost += 1
        self._why = self._why or _said(error)
        self._changed.set()


def load_clients(*arguments: Any) -> AbstractAsyncContextManager[LoadClients]:
    """``LoadClients`` as ``work`` takes them: in a block, at whose end there is nothing to do."""
    return contextlib.nullcontext(LoadClients(*arguments))


class LoadClient(asyncio.Protocol):
    """One client; what its bytes mean is its subclass's business."""

    def __init__(self, clients: LoadClients, address: Address) -> None:
        self._clients, self._address, self._buffer = clients, address, bytearray()
        self._error: Exception | None = None

    async def connect(self) -> None:
        """Open a connection; raises OSError."""
        await asyncio.get_running_loop().create_connection(
            lambda: self, "127.0.0.1", self._clients.port, local_addr=self._address
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def begin(self, part: float) -> None:
        """All are connected; ``part``, from 0 to 1, is how many of them have their turn before this one."""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while self._buffer and (size := self.take(self._buffer)):
                del self._buffer[:size]
        except (ProtocolError, ConnectionError) as error:
            self._error = error  # and `connection_lost` tells it, once
            self._transport.abort()

    def take(self, data: bytearray) -> int:
        """Take what is whole at the start of the data; gives its bytes, or 0 while nothing is whole."""
        raise NotImplementedError


class PushClient(LoadClient):
    """A WebSocket client: the opening handshake, and then it counts frames."""

    async def connect(self) -> None:
        self._open = asyncio.get_running_loop().create_future()
        await super().connect()
        await self._open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._transport.write(request("127.0.0.1"))

    def take(self, data: bytearray) -> int:
        if not self._open.done():
            if size := _whole_response(data, 101):
                self._open.set_result(None)
            return size
        try:
            header = parse_header(data)
        except NeedMoreData:
            return 0
        size = header.size + header.payload_length
        if len(data) < size:
            return 0
        self._clients.receive()
        return size

    def connection_lost(self, error: Exception | None) -> None:
        error = self._error or error or ConnectionError("closed by the server")
        if self._open.done():
            self._clients.lose(error)
        else:
            self._open.set_exception(error)


class PollClient(LoadClient):
    """A client that asks for news, and ``gap`` seconds after each response again."""

    def __init__(self, gap: float, keep_alive: bool, clients: LoadClients, address: Address) -> None:
        super().__init__(clients, address)
        self._gap, self._keep_alive, self._waiting = gap, keep_alive, False

    async def connect(self) -> None:
        if self._keep_alive:
            await super().connect()

    def begin(self, part: float) -> None:
        self._ask_after(part * self._gap)

    def _ask_after(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._ask)

    def _ask(self) -> None:
        self._waiting = True
        if self._keep_alive:
            self._transport.write(POLL + b"\r\n")
        else:
            # Kept, since a task that nobody refers to may be collected before it is done.
            self._asking = asyncio.ensure_future(self._ask_on_a_new_connection())

    async def _ask_on_a_new_connection(self) -> None:
        try:
            await super().connect()
        except OSError as error:
            self._clients.lose(error)
        else:
            # RFC 9112, 9.6: the server "MUST initiate closure of the connection after it sends the final response".
            # So it is the server's port that stays in TIME-WAIT, and the ports of this side do not run out.
            self._transport.write(POLL + b"Connection: close\r\n\r\n")

    def take(self, data: bytearray) -> int:
        size = _whole_response(data, 200, 204)
        if size:
            self._waiting = False
            self._clients.receive()
            if self._keep_alive:
                self._ask_after(self._gap)
        return size

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting or self._keep_alive:
            self._clients.lose(self._error or error or ConnectionError("closed by the server"))
        else:
            self._ask_after(self._gap)


def _whole_response(data: bytearray, *statuses: int) -> int:
    """Bytes of the response at the start of the data, 0 while it is not whole; ConnectionError if it is not welcome."""
    end = head_end(data)
    if end < 0:
        return 0
    head, _ = Response.parse(data)
    if head.status not in statuses:
        raise ConnectionError(f"the server answered {head.status} {head.reason}")
    framing = content_framing(head)
    size = end + (framing.bytes if isinstance(framing, Length) else 0)
    return size if len(data) >= size else 0


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
