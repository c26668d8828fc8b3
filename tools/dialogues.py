# SPDX-License-Identifier: GPL-2.0-or-later
"""What the `websockets` server and client, a Tornado server and curl say to each other in the captures.

The servers are context managers for the recording process. The clients are run on the other host, by name:

    python tools/dialogues.py NAME
"""

from __future__ import annotations

import asyncio
import http
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager

from netns import SERVER, SERVER_IPV6
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Origin

PORT = 8765
_URL = f"ws://{SERVER}:{PORT}/echo"
_ORIGIN = Origin(f"http://{SERVER}")
_COMMAND = "please: "  # a text that begins so is not echoed but obeyed


def echo_server(address: str = SERVER, *, compression: str | None = None) -> AbstractAsyncContextManager[Server]:
    """A `websockets` server that echoes, and does what a text with "please: " asks for."""
    return serve(_answer, address, PORT, compression=compression, ping_interval=None)


async def _answer(connection: ServerConnection) -> None:
    async for message in connection:
        if not isinstance(message, str) or not message.startswith(_COMMAND):
            await connection.send(message)
            continue
        match message.removeprefix(_COMMAND):
            case "ping me":
                await (await connection.ping(b"still there?"))
                await connection.send("you are")
            case "in pieces":
                await connection.send(["one ", "message, ", "three ", "fragments"])
            case "64 KiB":
                await connection.send(bytes(range(256)) * 256)
            case "go away":
                await connection.close(1001, "going away")


async def _pieces(connection: ClientConnection) -> AsyncIterator[str]:
    yield "a ping "
    await (await connection.ping(b"may I?"))
    yield "comes between "
    yield "the fragments"


async def _exchange(connection: ClientConnection, *messages: str | bytes) -> None:
    for message in messages:
        await connection.send(message)
        await connection.recv()


async def _session() -> None:
    """Text, binary, fragments, control frames, lengths of 7 and 16 bits; the client closes."""
    async with connect(_URL, compression=None, ping_interval=None) as connection:
        await _exchange(connection, "Hello", "naïve café, 5 µm ✓ 🍵", bytes(range(16)), "", b"")
        await _exchange(connection, "7" * 125, "16" * 63, b"\x00\xff" * 500)
        await (await connection.ping(b"are you there?"))
        await connection.pong(b"nobody asked")
        await connection.send(_pieces(connection))
        await connection.recv()
        await _exchange(connection, _COMMAND + "ping me", _COMMAND + "in pieces")
        await connection.close(1000, "that was all")


async def _large() -> None:
    """One message of 65,536 bytes, the shortest that needs a 64 bit length."""
    async with connect(_URL, compression=None, ping_interval=None) as connection:
        await _exchange(connection, _COMMAND + "64 KiB")


async def _deflate() -> None:
    """permessage-deflate with context takeover: what was said before costs next to nothing."""
    async with connect(_URL, ping_interval=None) as connection:
        news = '{"id":%d,"news":"tea ready","price":"4.20","place":"the corner"}'
        await _exchange(connection, "Hello", "Hello", *(news % number for number in (1, 2, 3)), "")
        await _exchange(connection, b"\x00" * 1000, bytes(range(256)))
        await connection.send(["Hel", "lo"])
        await connection.recv()


async def _ipv6() -> None:
    """A short exchange that the server ends."""
    url = f"ws://[{SERVER_IPV6}]:{PORT}/echo"
    async with connect(url, compression=None, ping_interval=None) as connection:
        await _exchange(connection, "Hello over IPv6", b"\x06" * 6)
        await connection.send(_COMMAND + "go away")
        await connection.wait_closed()


def choosy_server() -> AbstractAsyncContextManager[Server]:
    """A `websockets` server that takes one origin and one path, and refuses all else."""

    def only_the_news(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/news":
            return None
        return connection.respond(http.HTTPStatus.NOT_FOUND, "There is only /news here.\n")

    logger = logging.getLogger("choosy_server")
    logger.disabled = True  # refusals are what this server is for, they need no traceback
    return serve(
        _answer, SERVER, PORT, compression=None, origins=[_ORIGIN], process_request=only_the_news, logger=logger
    )


_FIELDS = {
    "Host": f"{SERVER}:{PORT}",
    "Origin": _ORIGIN,
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
# What differs from a good handshake: the request line, and fields set or (None) left out.
_ATTEMPTS: list[tuple[str, dict[str, str | None]]] = [
    ("GET /news HTTP/1.1", {"Upgrade": None, "Connection": None}),
    ("GET /news HTTP/1.1", {"Upgrade": "h2c"}),
    ("GET /news HTTP/1.1", {"Connection": "keep-alive"}),
    ("GET /news HTTP/1.1", {"Sec-WebSocket-Version": "8"}),
    ("GET /news HTTP/1.1", {"Sec-WebSocket-Version": None}),
    ("GET /news HTTP/1.1", {"Sec-WebSocket-Key": None}),
    ("GET /news HTTP/1.1", {"Sec-WebSocket-Key": "dG9vIHNob3J0"}),
    ("GET /news HTTP/1.1", {"Origin": "http://evil.example"}),
    ("GET /olds HTTP/1.1", {}),
    ("POST /news HTTP/1.1", {}),
    ("GET /news HTTP/1.0", {}),
]


async def _refused() -> None:
    """Handshakes with one mistake each, by hand; the last one, without a mistake, is accepted."""
    for request_line, changes in _ATTEMPTS:
        fields = {name: value for name, value in {**_FIELDS, **changes}.items() if value is not None}
        head = [request_line, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        await _say("\r\n".join(head), PORT)
    async with connect(f"ws://{SERVER}:{PORT}/news", origin=_ORIGIN, compression=None):
        pass


async def _say(text: str, port: int) -> None:
    """Send this by hand on a connection of its own, and wait until the server closes it."""
    reader, writer = await asyncio.open_connection(SERVER, port)
    writer.write(text.encode("ascii"))
    await reader.read()
    writer.close()
    await writer.wait_closed()


def _get(target: str, field: str = "") -> str:
    return f"GET {target} HTTP/1.1\r\nHost: {SERVER}:8080\r\n{field}\r\n"


async def _pipelined() -> None:
    """Four requests in one segment, on one connection: the answers come in the order of the questions."""
    requests = [_get(target) for target in ("/first", "/second", "/third")]
    await _say("".join(requests) + _get("/fourth", "Connection: close\r\n"), 8080)


async def _silent() -> None:
    """A client that connects and says nothing at all; then one that asks once and says nothing more."""
    await _say("", 8080)
    await _say(_get("/"), 8080)


CLIENTS: dict[str, Callable[[], Coroutine[None, None, None]]] = {
    "session": _session,
    "large": _large,
    "deflate": _deflate,
    "ipv6": _ipv6,
    "refused": _refused,
    "pipelined": _pipelined,
    "silent": _silent,
}

if __name__ == "__main__":
    asyncio.run(CLIENTS[sys.argv[1]]())
