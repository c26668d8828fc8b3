# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers with faults, one that only pushes, and a load test that waits for ever.

A load test makes its server in a process of its own, which imports this module to find it: that is quicker than
importing the tests, and pytest with them.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import websockets.asyncio.server as websockets

from wsedu.live import load_test
from wsedu.live.load_worker import LoadServer, load_server


@asynccontextmanager
async def pushes_only() -> AsyncIterator[LoadServer]:
    async with load_server() as server:
        yield server._replace(polling=1)


def two_are_lost(listening: set[websockets.ServerConnection], text: str) -> None:
    for connection in list(listening)[:2]:
        connection.transport.abort()
    websockets.broadcast(listening, text)


def nothing_is_sent(listening: set[websockets.ServerConnection], text: str) -> None:
    pass


def it_dies(listening: set[websockets.ServerConnection], text: str) -> None:
    os._exit(3)


def it_raises(listening: set[websockets.ServerConnection], text: str) -> None:
    raise ZeroDivisionError("said there")


@asynccontextmanager
async def cannot_start() -> AsyncIterator[LoadServer]:
    raise OSError("no port is free")
    yield


@asynccontextmanager
async def silent() -> AsyncIterator[LoadServer]:
    """It takes connections and answers nothing."""
    kept = []  # a StreamWriter that nobody keeps closes its connection

    async with await asyncio.start_server(lambda *streams: kept.append(streams), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield LoadServer(port, port, float)


@asynccontextmanager
async def nowhere() -> AsyncIterator[LoadServer]:
    yield LoadServer(1, 1, float)


def breaks(how: Callable[..., None]) -> Callable[..., Any]:
    return partial(load_server, broadcast=how)


# A shell has what it starts in the background ignore SIGINT, and who is started by that does as well.
def waits() -> None:
    def connected(count: int) -> None:
        print(*[process.pid for process in multiprocessing.active_children()], flush=True)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    load_test.LIMIT = 1e6
    load_test.push_load(3, progress=connected, server=breaks(nothing_is_sent))
