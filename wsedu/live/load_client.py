# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of listeners, in a process of their own.

    python -m wsedu.live.load_client --port 8765 --listeners 1000 [--poll SECONDS [--anew]]

Each listener has a real connection. It does no more than it must, so that it is the server that is measured: it shakes
hands and counts frames, or, with ``--poll``, asks so many seconds after each answer; with ``--anew`` each time on a
connection of its own. Lines on stdin are obeyed and answered with a line of JSON on stdout, as in ``desk``:
``receipts`` waits until the next update has reached every listener that is not lost (or until as many more responses
have come as there are pollers; a number after it limits the seconds), and says when the last one came, how many are
missing, and how many listeners were lost since the beginning; ``polls`` says how many responses came. At the end of
stdin it ends, whatever it waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable

from .limits import raise_file_limit
from .load_clients import Listener, Poller, PollerAnew

PER_ADDRESS = 20_000
"""Connections from one address of 127.0.0.0/8: the ports of one address run out at some 28,000."""
AT_ONCE = 200
"""Connections under way at a time, so that the server's queue of new ones does not overflow."""


class Crowd:
    """All of them, and what they received.

    Args:
        port: of the server.
        listeners: how many; an attribute as well.
        poll: seconds from a response to the next request of a poller; ``None`` for listeners at WebSockets.
        anew: whether each poll has a connection of its own.
    """

    def __init__(self, port: int, listeners: int, poll: float | None, anew: bool = False) -> None:
        self._port, self.listeners, self._poll, self._anew = port, listeners, poll, anew
        self._received = self._waited_for = self._lost = 0
        self._pollers: list[Poller | PollerAnew] = []
        self._all = asyncio.Event()
        self._last = 0.0  # when the last receipt came, in seconds of time.monotonic

    def _count(self) -> None:
        self._received += 1
        self._last = time.monotonic()
        self._look()

    def _lose(self) -> None:
        self._lost += 1
        self._look()

    def _look(self) -> None:
        if self._received + self._lost >= self._waited_for:
            self._all.set()

    async def connect(self, progress: Callable[[int], None]) -> float:
        """Connect them all; gives the seconds that it took."""
        started, due = time.monotonic(), iter(range(self.listeners))
        done = 0

        async def connect_some() -> None:
            nonlocal done
            for number in due:
                address = (f"127.0.0.{2 + number // PER_ADDRESS}", 0) if self._spread else None
                if self._anew:
                    assert self._poll is not None
                    poller = PollerAnew(self._port, address, self._count, self._lose, self._poll)
                    self._pollers.append(poller)
                else:
                    await self._connect(address)
                done += 1
                if done % 100 == 0:
                    progress(done)

        await asyncio.gather(*(connect_some() for _ in range(AT_ONCE)))
        return time.monotonic() - started

    async def _connect(self, address: tuple[str, int] | None) -> None:
        loop = asyncio.get_running_loop()
        open_: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(
            lambda: self._endpoint(open_), "127.0.0.1", self._port, local_addr=address
        )
        await open_

    @property
    def _spread(self) -> bool:
        return self.listeners > PER_ADDRESS and sys.platform == "linux"

    def _endpoint(self, open_: asyncio.Future[None]) -> asyncio.Protocol:
        if self._poll is None:
            return Listener(open_, self._count, self._lose)
        poller = Poller(open_, self._count, self._lose, self._poll)
        self._pollers.append(poller)
        return poller

    def begin_polls(self) -> None:
        """Let the pollers ask, one after the other within the first gap, as people come one after the other."""
        loop = asyncio.get_running_loop()
        for number, poller in enumerate(self._pollers):
            assert self._poll is not None
            loop.call_later(self._poll * number / len(self._pollers), poller.ask)

    async def next_update(self, limit: float | None) -> dict[str, float]:
        """Wait for one more receipt for each listener that is not lost, or so many seconds.

        Returns:
            ``last``, when the last one came, in seconds of ``time.monotonic``; ``missing``, how many did not come;
            ``lost``, how many listeners have lost their connection since the beginning.
        """
        self._waited_for += self.listeners
        self._all.clear()
        self._look()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._all.wait()
        missing = max(0, self._waited_for - self._received)
        if missing:
            self._waited_for = self._received
        return {"last": self._last, "missing": missing, "lost": self._lost}

    @property
    def received(self) -> int:
        """Frames, or responses, so far."""
        return self._received


class _Orders(asyncio.StreamReaderProtocol):
    """Stdin. At its end whoever obeys is cancelled, whatever it waits for: nobody is there to be told."""

    def __init__(self, reader: asyncio.StreamReader, obeying: asyncio.Future[None]) -> None:
        super().__init__(reader)
        self._obeying = obeying

    def connection_lost(self, error: Exception | None) -> None:
        self._obeying.cancel()
        super().connection_lost(error)


async def main(crowd: Crowd) -> None:
    """Connect, and obey until stdin ends."""
    raise_file_limit()
    stdin, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    obeying = asyncio.ensure_future(_obey(crowd, stdin))
    await loop.connect_read_pipe(lambda: _Orders(stdin, obeying), sys.stdin)
    with contextlib.suppress(asyncio.CancelledError):
        await obeying


async def _obey(crowd: Crowd, stdin: asyncio.StreamReader) -> None:
    seconds = await crowd.connect(lambda done: _say(connected=done))
    _say(connected=crowd.listeners, seconds=seconds)
    crowd.begin_polls()
    while line := await stdin.readline():
        command, *limit = line.split()
        if command == b"receipts":
            _say(**await crowd.next_update(float(limit[0]) if limit else None))
        elif command == b"polls":
            _say(responses=crowd.received, time=time.monotonic(), cpu=time.process_time())


def _say(**said: float) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--listeners", type=int, required=True)
    parser.add_argument("--poll", type=float)
    parser.add_argument("--anew", action="store_true")
    options = parser.parse_args()
    asyncio.run(main(Crowd(options.port, options.listeners, options.poll, options.anew)))
