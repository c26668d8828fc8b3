# SPDX-License-Identifier: GPL-2.0-or-later
"""Let two WebSocket servers take their news from one Redis, and count the bytes on each leg of the way.

    python tools/redis_broker.py        writes wsedu/model/redis-broker.csv; needs the program redis-server, seconds

The Redis, the servers (the ``websockets`` library) and all listeners are on 127.0.0.1. Each server subscribes over a
plain socket, in the Redis protocol, and passes each update on to its own listeners. A run in which a listener missed an
update, or had one that was not published, is refused and not written.
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager

from measure_grid import write
from websockets.asyncio.server import ServerConnection, broadcast

from wsedu import Frame, Opcode, handshake
from wsedu.live.program import program
from wsedu.live.publisher import Publisher, text_of
from wsedu.live.servers import serve
from wsedu.model.measured import BROKER_FILE

SERVERS, UPDATES, PAYLOAD = 2, 20, 27
LISTENERS = 5, 50, 500  # of each server
LIMIT = 60.0  # seconds for what takes less than one
COLUMNS = ("servers", "listeners", "updates", "messages", "publisher_bytes", "broker_bytes", "server_bytes")
Value = bytes | list["Value"]


def command(*words: bytes) -> bytes:
    """What a client says: an array of strings, each with its length before it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


async def answer(reader: asyncio.StreamReader) -> tuple[Value, int]:
    """The next value that the Redis sends, numbers and errors as they are written, and how many bytes it took."""
    line = await reader.readuntil(b"\r\n")
    kind, said = line[:1], line[1:-2]
    if kind == b"*":
        parts = [await answer(reader) for _ in range(int(said))]
        return [value for value, _ in parts], len(line) + sum(size for _, size in parts)
    if kind == b"$":
        data = await reader.readexactly(int(said) + 2)
        return data[:-2], len(line) + len(data)
    return said, len(line)


@contextmanager
def redis() -> Iterator[int]:
    """A Redis that keeps nothing, while the block runs; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        at = free.getsockname()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        options = ["--bind", "127.0.0.1", "--port", str(at[1]), "--save", "", "--dir", folder]
        with program("the Redis", ["redis-server", *options], lambda: socket.create_connection(at).close()):
            yield at[1]


class Subscriber:
    """A WebSocket server that tells its listeners what the Redis tells it.

    Attributes:
        received: bytes of updates that came from the Redis.
    """

    def __init__(self) -> None:
        self.received = 0
        self._listening = set[ServerConnection]()

    async def listen(self, connection: ServerConnection) -> None:
        """The handler of a WebSocket."""
        self._listening.add(connection)
        await connection.wait_closed()

    async def pass_on(self, reader: asyncio.StreamReader) -> None:
        """Every message of the channel, to all who listen."""
        while True:
            value, size = await answer(reader)
            assert isinstance(value, list) and isinstance(value[2], bytes)  # "message", the channel, the text
            self.received += size
            broadcast(self._listening, value[2].decode())


async def frames(port: int, connected: asyncio.Semaphore, published: list[str]) -> int:
    """One listener; how many bytes the frames had that brought it what was published."""
    expected = b"".join(Frame(Opcode.TEXT, text.encode()).serialize() for text in published)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(handshake.request("127.0.0.1"))
        await reader.readuntil(b"\r\n\r\n")
        connected.release()
        data = await reader.readexactly(len(expected))
    if data != expected:
        raise RuntimeError(f"a listener had {data!r}")
    return len(data)


async def run(port: int, each: int) -> dict[str, int]:
    """One line of the table: so many listeners at each server."""
    publisher = Publisher()
    published = [publisher.publish(text_of(number, PAYLOAD)).payload for number in range(1, UPDATES + 1)]
    said, connected, subscribers = 0, asyncio.Semaphore(0), [Subscriber() for _ in range(SERVERS)]
    listeners = []
    async with asyncio.timeout(LIMIT), AsyncExitStack() as stack:

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            return reader, writer

        for one in subscribers:
            server = await stack.enter_async_context(serve(one.listen))
            reader, writer = await connect()
            writer.write(command(b"SUBSCRIBE", b"news"))
            await answer(reader)
            stack.callback(asyncio.ensure_future(one.pass_on(reader)).cancel)
            listeners += [asyncio.ensure_future(frames(server.port, connected, published)) for _ in range(each)]
        for _ in listeners:
            await connected.acquire()
        reader, writer = await connect()
        for text in published:
            publish = command(b"PUBLISH", b"news", text.encode())
            writer.write(publish)
            said += len(publish)
            if (reached := (await answer(reader))[0]) != b"%d" % SERVERS:
                raise RuntimeError(f"not two servers have subscribed, but {reached!r}")
        sent = await asyncio.gather(*listeners)
    row = SERVERS, len(sent), UPDATES, len(sent) * UPDATES, said, sum(one.received for one in subscribers), sum(sent)
    return dict(zip(COLUMNS, row, strict=True))


def main() -> None:
    """The command line."""
    with redis() as port:
        rows = [asyncio.run(run(port, each)) for each in LISTENERS]
    told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    write(BROKER_FILE, rows, f"Redis {told.split()[2].removeprefix('v=')}", "websockets")
    print(BROKER_FILE.read_text(), end="")


if __name__ == "__main__":
    try:
        main()
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"redis_broker: {error}")
