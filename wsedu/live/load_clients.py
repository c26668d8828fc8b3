# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a crowd is made of: clients that do no more than they must, and say what came, and when they are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..protocol.errors import NeedMoreData
from ..protocol.frames import parse_header
from ..protocol.handshake import request
from ..protocol.http1 import Response, head_end

ASK = b"GET /news/polling?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n"


class Listener(asyncio.Protocol):
    """One WebSocket client: the opening handshake, and then it tells of every frame."""

    def __init__(
        self, open_: asyncio.Future[None], on_frame: Callable[[], None], on_loss: Callable[[], None]
    ) -> None:
        self._open, self._on_frame, self._on_loss, self._buffer = open_, on_frame, on_loss, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(request("127.0.0.1"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open.done():
            end = head_end(self._buffer)
            if end < 0:
                return
            del self._buffer[:end]
            self._open.set_result(None)
        while self._buffer:
            try:
                header = parse_header(self._buffer)
            except NeedMoreData:
                return
            if len(self._buffer) < header.size + header.payload_length:
                return
            del self._buffer[: header.size + header.payload_length]
            self._on_frame()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._open.done():
            self._open.set_exception(error or ConnectionError("closed before the opening handshake was done"))
        else:
            self._on_loss()


class Poller(asyncio.Protocol):
    """One polling client, with one connection for all its requests."""

    def __init__(
        self,
        open_: asyncio.Future[None],
        on_answer: Callable[[], None],
        on_loss: Callable[[], None],
        gap: float,
    ) -> None:
        self._open, self._on_answer, self._on_loss, self._gap = open_, on_answer, on_loss, gap
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._open.set_result(None)

    def ask(self) -> None:
        """Ask, and again and again after each answer."""
        if not self._transport.is_closing():
            self._transport.write(ASK + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = head_end(self._buffer)
        if end < 0:
            return
        head, _ = Response.parse(self._buffer)
        size = end + int(head.get("Content-Length") or 0)
        if len(self._buffer) < size:
            return
        del self._buffer[:size]
        self._on_answer()
        asyncio.get_running_loop().call_later(self._gap, self.ask)

    def connection_lost(self, error: Exception | None) -> None:
        self._on_loss()


class PollerAnew:
    """One polling client that connects for each request, and has nothing open from one to the next."""

    def __init__(
        self,
        port: int,
        address: tuple[str, int] | None,
        on_answer: Callable[[], None],
        on_loss: Callable[[], None],
        gap: float,
    ) -> None:
        self._port, self._address, self._gap = port, address, gap
        self._on_answer, self._on_loss = on_answer, on_loss

    def ask(self) -> None:
        """Ask, and again and again after each answer."""
        self._asking = asyncio.ensure_future(self._ask())

    async def _ask(self) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=self._address)
            try:
                writer.write(ASK + b"Connection: close\r\n\r\n")
                answer = await reader.read()  # the server closes after it
            finally:
                writer.close()
        except OSError:
            answer = b""
        if head_end(answer) < 0:
            self._on_loss()
            return
        self._on_answer()
        asyncio.get_running_loop().call_later(self._gap, self.ask)
