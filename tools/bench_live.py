# SPDX-License-Identifier: GPL-2.0-or-later
"""What recording costs, beside a plain connection and tcpdump; and a broadcast, beside a bare ``websockets`` server."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench_row import Row, micro, milli, rate, row
from websockets.asyncio.server import ServerConnection, serve

from wsedu import read, record
from wsedu.live.load_test import push_load
from wsedu.live.load_worker import load_server
from wsedu.live.program import program
from wsedu.live.servers import Listening
from wsedu.wire.capture import Capture

TRIPS = 2_000
AMOUNT = 64 << 20  # bytes
MESSAGES = 20_000  # of 64 bytes, for the recording rate
LISTENERS = 1_000
UPDATES = 7
ROUNDS = 5
QUIET = 0.1  # seconds in which a file that has not grown is taken to be whole

# TCP servers of a process of their own: it says its port, and then sends back what it gets, or only counts it.
ECHO = """
import socketserver, sys
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        count = 0
        while data := self.request.recv(1 << 18):
            if sys.argv[1] == "echo":
                self.request.sendall(data)
            count += len(data)
        self.request.sendall(str(count).encode())
with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""


@contextlib.asynccontextmanager
async def bare(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[Listening]:
    """``websockets`` as it comes, with nothing of ours; ``options`` turn compression off, and there are no Pings."""
    async with serve(handler, "127.0.0.1", 0, ping_interval=None, **options) as server:
        yield Listening(next(iter(server.sockets)).getsockname()[1])


def live_rows() -> Iterator[Row]:
    """Rows of the table."""
    yield _delay()
    yield _throughput()
    yield from _recording()
    ours, theirs = _in_turn(
        lambda: push_load(LISTENERS, updates=UPDATES).median_last,
        lambda: push_load(LISTENERS, updates=UPDATES, server=partial(load_server, bare)).median_last,
    )
    yield row(f"a broadcast to the last of {LISTENERS:,} listeners", ours, "bare websockets", theirs, milli)


def _in_turn(ours: Callable[[], float], peer: Callable[[], float]) -> tuple[float, float]:
    """The fewest seconds of both, which take turns, so that whatever else the machine does hits both."""
    runs = [(ours(), peer()) for _ in range(ROUNDS)]
    return min(one for one, _ in runs), min(other for _, other in runs)


@contextlib.contextmanager
def _server(what: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", ECHO, what], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _delay() -> Row:
    with _server("echo") as port, record(port=port) as recording:
        relayed, plain = _in_turn(lambda: _round_trip(recording.port), lambda: _round_trip(port))
    return row("a round trip of 64 bytes through the relay", relayed, "without it", plain, micro)


def _round_trip(port: int) -> float:
    """The median of many, in seconds."""
    taken = []
    with _connect(port) as connection:
        for _ in range(TRIPS):
            begin = time.perf_counter()
            connection.sendall(bytes(64))
            connection.recv(64, socket.MSG_WAITALL)
            taken.append(time.perf_counter() - begin)
    return median(taken)


def _throughput() -> Row:
    def relayed() -> float:
        with record(port=port) as recording:  # one for each run: it keeps what it has passed on
            return _send(recording.port, bytes(1 << 16), AMOUNT >> 16)

    with _server("count") as port:
        ours, peer = _in_turn(relayed, lambda: _send(port, bytes(1 << 16), AMOUNT >> 16))
    return row(f"{AMOUNT >> 20} MiB through the relay", ours, "without it", peer, milli)


def _send(port: int, data: bytes, count: int) -> float:
    """Seconds until the server says that it has all."""
    begin = time.perf_counter()
    with _connect(port) as connection:
        for _ in range(count):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(64)
    if int(said) != len(data) * count:
        raise RuntimeError(f"the server got {said.decode()} bytes of {len(data) * count}")
    return time.perf_counter() - begin


def _recording() -> Iterator[Row]:
    """Seconds a send, until the recording of all is complete."""
    what = f"recording {MESSAGES:,} sends of 64 bytes:"
    with _server("count") as port:

        def beside(name: str, peer: Callable[[], float], kernel: bool) -> Row:
            ours, theirs = _in_turn(lambda: _recorded(port, kernel=kernel), peer)
            return row(f"{what} {'kernel=True' if kernel else 'relay'}", ours, name, theirs, rate)

        yield beside("not recorded", lambda: _send(port, bytes(64), MESSAGES) / MESSAGES, kernel=False)
        try:
            yield beside("tcpdump", lambda: _tcpdump(port), kernel=True)
        except (OSError, RuntimeError) as error:  # one is not allowed to, or there is no tcpdump
            yield Row(f"{what} kernel=True", "not measured", str(error).splitlines()[0])


def _recorded(port: int, *, kernel: bool) -> float:
    begin = time.perf_counter()
    with record(port=port, kernel=kernel) as recording:
        _send(recording.port, bytes(64), MESSAGES)
    taken = time.perf_counter() - begin
    if not recording.capture.complete or _sends_in(recording.capture) < MESSAGES:
        raise RuntimeError(f"a recording has not everything: {recording}, {recording.capture.warnings}")
    return taken / MESSAGES


def _tcpdump(port: int) -> float:
    """Seconds a send that tcpdump records, until its file grows no more: it may lose the last ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "peer.pcap")
        # KiB of buffer, so that it loses nothing
        command = f"tcpdump -i lo -U -B {64 << 10} -Z root -w {path} tcp port {port}".split()
        with program("tcpdump", command, path.stat):  # it listens, and then makes the file
            begin = time.perf_counter()
            _send(port, bytes(64), MESSAGES)
            ended, size = time.perf_counter(), -1  # of the writing: what it still holds then it throws away
            while (now := path.stat().st_size) != size:
                ended, size = time.perf_counter(), now
                time.sleep(QUIET)
        return (ended - begin) / _sends_in(read(path))


def _sends_in(capture: Capture) -> float:
    """How many of the sends were recorded: they are no HTTP, and stand under "other" in the bill."""
    return capture.bill().parts["other"] / 64


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
