# SPDX-License-Identifier: GPL-2.0-or-later
"""What recording costs, beside a plain connection and tcpdump; and a broadcast, beside a bare ``websockets`` server."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench_row import Row, times

from wsedu import read, record
from wsedu.live.fanout import desk_and_crowd, fan_out

TRIPS = 2_000
AMOUNT = 64 << 20  # bytes
MESSAGES = 20_000  # of 64 bytes, for the recording rate
LISTENERS = 1_000
UPDATES = 7

# TCP servers of a process of their own: it says its port, and then sends back what it gets, or only counts it.
ECHO = """
import contextlib, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    count = 0
    while data := connection.recv(1 << 18):
        if sys.argv[1] == "echo":
            connection.sendall(data)
        count += len(data)
    with contextlib.suppress(OSError):
        connection.sendall(str(count).encode())
    connection.close()
"""

# A websockets server with nothing of ours in it, which understands what wsedu.live.fanout asks of a desk.
BARE = """
import asyncio, json, sys, time
from websockets.asyncio.server import broadcast, serve
async def main():
    listeners = set()
    async def listen(connection):
        listeners.add(connection)
        await connection.wait_closed()
        listeners.discard(connection)
    stdin = asyncio.StreamReader()
    make = lambda: asyncio.StreamReaderProtocol(stdin)
    await asyncio.get_running_loop().connect_read_pipe(make, sys.stdin)
    async with serve(listen, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=65535) as server:
        print(json.dumps({"websocket": server.sockets[0].getsockname()[1]}), flush=True)
        number = 0
        while line := await stdin.readline():
            if line == b"publish\\n":
                number += 1
                told = time.monotonic()
                broadcast(listeners, f"{number} ")
                print(json.dumps({"time": told}), flush=True)
            else:
                print(json.dumps({"resident": 0, "cpu": time.process_time()}), flush=True)
        for connection in listeners:
            connection.transport.abort()
asyncio.run(main())
"""


def live_rows() -> Iterator[Row]:
    """Rows of the table."""
    yield _delay()
    yield _throughput()
    yield from _recording()
    ours = fan_out(LISTENERS, updates=UPDATES).median_last
    bare = desk_and_crowd(LISTENERS, UPDATES, ("-c", BARE)).median_last
    yield Row(
        f"a broadcast to the last of {LISTENERS:,} listeners",
        f"{ours * 1000:.1f} ms",
        f"bare websockets {bare * 1000:.1f} ms",
        times(bare / ours),
    )


@contextlib.contextmanager
def _server(what: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", ECHO, what], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _delay() -> Row:
    with _server("echo") as port:
        plain = _round_trip(port)
        with record(port=port) as recording:
            relayed = _round_trip(recording.port)
    what = "a round trip of 64 bytes through the relay"
    return Row(what, f"{relayed * 1e6:.0f} µs", f"without it {plain * 1e6:.0f} µs", times(plain / relayed))


def _round_trip(port: int) -> float:
    """The median of many, in seconds."""
    taken = []
    with _connect(port) as connection:
        for _ in range(TRIPS):
            begin = time.perf_counter()
            connection.sendall(bytes(64))
            left = 64
            while left:
                left -= len(connection.recv(left))
            taken.append(time.perf_counter() - begin)
    return median(taken)


def _throughput() -> Row:
    with _server("count") as port:
        plain = _send(port, bytes(1 << 16), AMOUNT >> 16)
        with record(port=port) as recording:
            relayed = _send(recording.port, bytes(1 << 16), AMOUNT >> 16)
    ours, peer = AMOUNT / relayed / 1e6, AMOUNT / plain / 1e6
    what = "throughput through the relay"
    return Row(what, f"{ours:,.0f} MB/s", f"without it {peer:,.0f} MB/s", times(ours / peer))


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
    what = f"recording {MESSAGES:,} sends of 64 bytes:"
    with _server("count") as port:
        plain = MESSAGES / _send(port, bytes(64), MESSAGES)
        with record(port=port) as relay:
            ours = MESSAGES / _send(relay.port, bytes(64), MESSAGES)
        yield Row(f"{what} relay", f"{ours:,.0f} /s", f"not recorded {plain:,.0f} /s", times(ours / plain))
        try:
            with record(port=port, kernel=True) as kernel:
                ours = MESSAGES / _send(port, bytes(64), MESSAGES)
        except (OSError, RuntimeError) as error:
            yield Row(f"{what} kernel=True", "not allowed here", str(error).splitlines()[0])
            return
        complete = "" if kernel.capture.complete else " INCOMPLETE"
        row = f"{what} kernel=True"
        if shutil.which("tcpdump") is None:
            yield Row(row, f"{ours:,.0f} /s{complete}", "tcpdump is not here")
            return
        peer, dropped = _tcpdump(port)
        yield Row(row, f"{ours:,.0f} /s{complete}", f"tcpdump {peer:,.0f} /s, {dropped}", times(ours / peer))


def _tcpdump(port: int) -> tuple[float, str]:
    """Messages a second while tcpdump records, and what it says that it lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "peer.pcap")
        command = ["tcpdump", "-i", "lo", "-U", "-w", str(path), "-Z", "root", f"tcp port {port}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            while "listening" not in (line := process.stderr.readline()):
                if not line:
                    raise RuntimeError("tcpdump did not start")
            rate = MESSAGES / _send(port, bytes(64), MESSAGES)
            process.terminate()
            said = process.stderr.read()
        read(path)  # it can be read, whatever it lost
    lost = [line for line in said.splitlines() if "dropped by kernel" in line]
    return rate, lost[0].split(" packets")[0] + " dropped" if lost else "drops unknown"


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
