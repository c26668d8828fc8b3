# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of listeners, in a process of their own.

    python -m wsedu.live.crowd --port 8765 --listeners 1000 [--poll SECONDS]

Each listener has a real connection. It does no more than it must, so that it is the server that is measured: it shakes
hands and counts frames, or, with ``--poll``, asks so many seconds after each answer. Lines on stdin are obeyed and
answered with a line of JSON on stdout, as in ``desk``: ``receipts`` waits until the next update has reached every
listener (or until as many more responses have come as there are pollers; a number after it limits the seconds),
``polls`` says how many responses came. At the end of stdin it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable

from ..protocol.errors import NeedMoreData
from ..protocol.handshake import request
from ..protocol.head_lines import head_end
from ..protocol.header import parse_header
from ..protocol.http1 import Response
from .limits import raise_file_limit

PER_ADDRESS = 20_000
"""Connections from one address of 127.0.0.0/8: the ports of one address run out at some 28,000."""
AT_ONCE = 200
"""Connections under way at a time, so that the server's queue of new ones does not overflow."""


class Listener(asyncio.Protocol):
    """One WebSocket client: the opening handshake, and then it tells of every frame."""

    def __init__(self, open_: asyncio.Future[None], on_frame: Callable[[], None]) -> None:
        self._open, self._on_frame, self._buffer = open_, on_frame, bytearray()

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


class Poller(asyncio.Protocol):
    """One polling client, with one connection for all its requests."""

    def __init__(self, open_: asyncio.Future[None], on_answer: Callable[[], None], gap: float) -> None:
        self._open, self._on_answer, self._gap, self._buffer = open_, on_answer, gap, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._open.set_result(None)

    def ask(self) -> None:
        """Ask, and again and again after each answer."""
        if not self._transport.is_closing():
            self._transport.write(b"GET /news/polling?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

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


class Crowd:
    """All of them, and what they received."""

    def __init__(self, port: int, listeners: int, poll: float | None) -> None:
        self._port, self._listeners, self._poll = port, listeners, poll
        self._received = 0
        self._waited_for = 0
        self._pollers: list[Poller] = []
        self._all = asyncio.Event()
        self._last = 0.0  # when the last receipt came, in seconds of time.monotonic

    def _count(self) -> None:
        self._received += 1
        self._last = time.monotonic()
        if self._received == self._waited_for:
            self._all.set()

    async def connect(self, progress: Callable[[int], None]) -> float:
        """Connect them all; gives the seconds that it took."""
        loop, started, due = asyncio.get_running_loop(), time.monotonic(), iter(range(self._listeners))
        done = 0

        async def connect_some() -> None:
            nonlocal done
            for number in due:
                open_: asyncio.Future[None] = loop.create_future()
                await loop.create_connection(
                    lambda open_=open_: self._endpoint(open_),
                    "127.0.0.1",
                    self._port,
                    local_addr=(f"127.0.0.{2 + number // PER_ADDRESS}", 0) if self._spread else None,
                )
                await open_
                done += 1
                if done % 100 == 0:
                    progress(done)

        await asyncio.gather(*(connect_some() for _ in range(AT_ONCE)))
        return time.monotonic() - started

    @property
    def _spread(self) -> bool:
        return self._listeners > PER_ADDRESS and sys.platform == "linux"

    def _endpoint(self, open_: asyncio.Future[None]) -> asyncio.Protocol:
        if self._poll is None:
            return Listener(open_, self._count)
        poller = Poller(open_, self._count, self._poll)
        self._pollers.append(poller)
        return poller

    def begin_polls(self) -> None:
        """Let the pollers ask, one after the other within the first gap, as people come one after the other."""
        loop = asyncio.get_running_loop()
        for number, poller in enumerate(self._pollers):
            assert self._poll is not None
            loop.call_later(self._poll * number / len(self._pollers), poller.ask)

    async def next_update(self, limit: float | None) -> float:
        """Wait for one more receipt for each listener, or so many seconds; gives when the last one had it."""
        self._waited_for += self._listeners
        if self._received < self._waited_for:
            self._all.clear()
            try:
                async with asyncio.timeout(limit):
                    await self._all.wait()
            except TimeoutError:
                self._waited_for = self._received
        return self._last

    @property
    def received(self) -> int:
        """Frames, or responses, so far."""
        return self._received


async def main(port: int, listeners: int, poll: float | None) -> None:
    """Connect, and obey until stdin ends."""
    raise_file_limit()
    stdin, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    crowd = Crowd(port, listeners, poll)
    seconds = await crowd.connect(lambda done: _say(connected=done))
    _say(connected=listeners, seconds=seconds)
    crowd.begin_polls()
    while line := await stdin.readline():
        command, *limit = line.split()
        if command == b"receipts":
            _say(last=await crowd.next_update(float(limit[0]) if limit else None))
        elif command == b"polls":
            _say(responses=crowd.received, time=time.monotonic(), cpu=time.process_time())


def _say(**said: float) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--listeners", type=int, required=True)
    parser.add_argument("--poll", type=float)
    options = parser.parse_args()
    asyncio.run(main(options.port, options.listeners, options.poll))
