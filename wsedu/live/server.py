# SPDX-License-Identifier: GPL-2.0-or-later
"""A server in a thread of its own, so that it answers while the kernel runs a cell and never blocks one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

START_LIMIT = 10.0  # seconds; a server on loopback listens within milliseconds
STOP_LIMIT = 10.0  # seconds; likewise


class Server:
    """A running server; ends with its ``with`` block, or with ``close()`` in a notebook where it serves many cells.

    Args:
        name: what it is, for ``repr``.
        serving: makes an async context manager that listens on ``host`` while it is entered, and gives the port.
        host: the address that it listens on.

    Attributes:
        host: the same.
        port: the free port that it listens on.

    Raises:
        OSError: it cannot listen; ``TimeoutError`` where it does not within ten seconds.
    """

    def __init__(
        self, name: str, serving: Callable[[], AbstractAsyncContextManager[int]], host: str = "127.0.0.1"
    ) -> None:
        self._name, self._serving, self.host = name, serving, host
        self._started, self._stop = threading.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._error: BaseException | None = None
        self.port = 0
        self._thread = threading.Thread(target=self._run, name=f"wsedu {name}", daemon=True)
        try:
            self._thread.start()
            if not self._started.wait(START_LIMIT):
                raise TimeoutError(f"the {name} does not listen after {START_LIMIT:g} s")
            if self._error is not None:
                raise self._error
        except BaseException:  # Ctrl-C: nobody else could close it, for nobody has it yet
            self.close()
            raise

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # handed to the thread that is waiting for the start
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        # First the one and then the other, and `close` the other way round: so one of the two sees the other.
        self._loop = asyncio.get_running_loop()
        if self._closed:
            return
        async with self._serving() as self.port:
            self._started.set()
            await self._stop.wait()

    def call(self, function: Callable[[], object]) -> None:
        """Run ``function`` in the server's thread, between two of its steps, and wait until it has run."""
        assert self._loop is not None
        done = threading.Event()

        def run() -> None:
            try:
                function()
            finally:
                done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(STOP_LIMIT)

    def close(self) -> None:
        """Stop listening, close what is open, and wait for the thread to end. May be called twice."""
        self._closed = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "listens" if self._thread.is_alive() else "has stopped listening"
        return f"<{self._name} that {state} on {self.host}>"
