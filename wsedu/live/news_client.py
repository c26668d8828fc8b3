# SPDX-License-Identifier: GPL-2.0-or-later
"""A client for the four ways to deliver news: httpx speaks HTTP, websockets speaks WebSocket, both also over TLS.

Over HTTP/2 it is httpx as well, and for a WebSocket on a stream our own ``Http2Connection``.

It notes in its inbox which update it had last, and says so when it asks or connects again: so it gets each update once,
however often its connection breaks. Neither library may use a proxy from the environment, since the server is on this
machine.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from httpx import AsyncClient, Limits, ReadError, RemoteProtocolError, WriteError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage

from ..protocol.frames import Frame
from ..protocol.opcodes import Opcode
from .connect_http2 import Http2Connection
from .news_server import Way
from .publisher import Inbox
from .request_headers import Fields, HeadStyle, request_fields

# What one connection brings, or polls one after the other: number and payload of each update, until it breaks.
News = AsyncGenerator[tuple[str, str], None]

# Called with number and payload of each new update; the client waits for it before it reads on.
OnUpdate = Callable[[int, str], Awaitable[None] | None]

# What a connection that breaks looks like from httpx and from websockets, wherever it breaks.
#
# Nothing else is a reason to connect again: a refused request or connection, and what ``on_update`` raises, would only
# come once more.
BROKEN = ReadError, WriteError, RemoteProtocolError, ConnectionClosed, InvalidMessage, ConnectionResetError

# For websockets: what it would do by itself, and what is decided in ``fields`` here.
NOTHING_ADDED: dict[str, Any] = {"user_agent_header": None, "compression": None, "ping_interval": None, "proxy": None}

# Seconds before a client connects again after two connections in a row brought it nothing; doubled each time.
PAUSE, LONGEST_PAUSE = 0.01, 1.0


def pause_after(fruitless: int) -> float:
    """Seconds to wait when so many connections in a row have brought nothing new: none after the first."""
    # 2 ** 60 is far beyond the longest pause, and 2.0 ** 1024 would be beyond a float.
    return 0.0 if fruitless < 2 else min(PAUSE * 2.0 ** min(fruitless - 2, 60), LONGEST_PAUSE)


@dataclass
class NewsClient:
    """One client of a news server.

    Args:
        way: how it gets its news.
        port: of the server, or of a recording in front of it.
        on_update: called for each new update.
        poll_gap: seconds from one poll to the next.
        keep_alive: for polling: whether all polls use one connection, or each has its own.
        head: whose request head it sends.
        address: of the server; its Host field is ``address:port``.
        tls: for TLS, the client's half of ``tls_contexts``.
        http2: whether it speaks HTTP/2, with a WebSocket on a stream (RFC 8441). The server has to as well.

    Attributes:
        inbox: what was received.
        requests: how many requests were sent; the opening handshake is one.
        ready: set when the first response has come, or, in a long poll, when the request is under way.
    """

    way: Way
    port: int
    on_update: OnUpdate
    poll_gap: float = 0.1
    keep_alive: bool = True
    head: HeadStyle = "browser"
    address: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    http2: bool = False
    inbox: Inbox = field(default_factory=Inbox)
    requests: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def host(self) -> str:
        """The value of the Host field."""
        return f"{self.address}:{self.port}"

    @property
    def origin(self) -> str:
        """The server's, as in the Origin field."""
        return f"http{'s' if self.tls else ''}://{self.host}"

    def fields(self) -> Fields:
        """The request fields after Host, as (name, value) in their order."""
        fields = request_fields(self.way, self.head, self.origin)
        kept = [item for item in fields if item[0] not in ("Connection", "Keep-Alive", "Sec-WebSocket-Extensions")]
        if self.http2:  # it has no fields about a connection (RFC 9113, 8.2.2); and Hypercorn would take up the offer
            return kept
        if self.way == "polling" and not self.keep_alive:
            # "The "close" connection option" asks the server to close after its response (RFC 9112, 9.6).
            return [("Connection", "close"), *kept]
        return fields

    async def run(self, last: int) -> None:
        """Receive until update ``last`` is there; connect again when a connection breaks, after a pause if need be.

        Raises:
            OSError, httpx.TransportError: there is no server to connect to.
            httpx.HTTPStatusError, websockets.exceptions.InvalidStatus: it refuses the request.
        """
        # A long poll is a poll whose answer takes its time: one generator for both.
        push = self._websocket_on_a_stream if self.http2 else self._websocket
        news = {"eventsource": self._event_stream, "websocket": push}.get(self.way, self._polls)
        fruitless = 0
        while (had := self.inbox.cursor) < last:
            # Whatever breaks, the inbox knows where to go on.
            with suppress(*BROKEN):
                async with aclosing(news()) as updates:
                    async for number, payload in updates:
                        if self.inbox.receive(int(number)):
                            waiting = self.on_update(int(number), payload)
                            if waiting is not None:
                                await waiting
                        if self.inbox.cursor >= last:
                            break
            fruitless = fruitless + 1 if self.inbox.cursor == had else 0
            await asyncio.sleep(pause_after(fruitless))

    def _http(self) -> AsyncClient:
        limits = Limits(max_keepalive_connections=int(self.keep_alive or self.way != "polling"))
        # trust_env: no proxy from the environment; verify: no certificates to load, which takes a tenth of a second.
        options: dict[str, Any] = {"timeout": None, "trust_env": False, "verify": self.tls or False}
        client = AsyncClient(limits=limits, http1=not self.http2, http2=self.http2, **options)
        client.headers.clear()  # httpx's own; what is sent is decided in ``fields``
        return client

    async def _polls(self) -> News:
        loop, gap = asyncio.get_running_loop(), self.poll_gap
        if self.way == "longpoll":
            gap = 0.0
            self.ready.set()  # no response comes before there is news
        async with self._http() as http:
            due = loop.time()
            while True:
                await asyncio.sleep(due - loop.time())
                self.requests += 1
                target = f"{self.origin}/news/{self.way}?after={self.inbox.cursor}"
                response = await http.get(target, headers=self.fields())
                response.raise_for_status()
                self.ready.set()
                for line in response.text.splitlines():
                    yield line.partition(" ")[0], line
                due = max(due + gap, loop.time())  # polls that are late are not made up for

    async def _event_stream(self) -> News:
        fields = self.fields()
        if self.inbox.cursor:
            fields.append(("Last-Event-ID", str(self.inbox.cursor)))  # HTML Living Standard, 9.2.4
        self.requests += 1
        target = f"{self.origin}/news/{self.way}"
        async with self._http() as http, http.stream("GET", target, headers=fields) as response:
            response.raise_for_status()
            self.ready.set()
            event: dict[str, str] = {}
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                else:
                    # "If the line is empty: dispatch the event" (HTML Living Standard, 9.2.6): half of one is lost.
                    yield event["id"], event["data"]

    def _websocket_target(self) -> str:
        self.requests += 1
        return "/news/websocket" + (f"?after={self.inbox.cursor}" if self.inbox.cursor else "")

    async def _websocket(self) -> News:
        options = NOTHING_ADDED | {"ssl": self.tls, "close_timeout": 1}
        if self.tls:
            self.tls.set_alpn_protocols(["http/1.1"])
        target = f"ws{self.origin.removeprefix('http')}{self._websocket_target()}"
        async with connect(target, additional_headers=self.fields(), **options) as connection:
            self.ready.set()
            async for message in connection:
                yield str(message).partition(" ")[0], str(message)

    async def _websocket_on_a_stream(self) -> News:
        # Until the WebSocket is open, two or three round trips on this machine, the loop stands still.
        with Http2Connection(self.port, self.tls, self.address) as connection:
            stream = connection.websocket(self._websocket_target(), self.fields())
            self.ready.set()
            while True:
                frame, _ = Frame.parse(await connection.receive_frame(stream), role="server")
                if frame.opcode is Opcode.CLOSE:
                    return
                yield frame.payload.decode().partition(" ")[0], frame.payload.decode()
