# SPDX-License-Identifier: GPL-2.0-or-later
"""What the `websockets` server and client, a Tornado server and curl say to each other in the captures.

The servers are context managers for the recording process. The clients are run on the other host, by name:

    python tools/dialogues.py NAME
"""

import asyncio
import logging
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, cast

from netns import SERVER, SERVER_IPV6
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.sync.client import connect as connect_at_once
from websockets.typing import Origin

from wsedu import handshake
from wsedu.live.asgi_server import asgi_serving
from wsedu.live.certificate import tls_contexts
from wsedu.live.connect_http2 import Http2Connection
from wsedu.live.connect_raw import connect_raw

PORT = 8765
_ORIGIN = Origin(f"http://{SERVER}")
SECURE_PORT, _NAME = 443, "news.example"  # a name that nobody can have (RFC 2606)
_COMMAND = "please: "  # a text that begins so is not echoed but obeyed


_LOGGER = logging.getLogger("captures")
_LOGGER.disabled = True  # refusals, and a handler that raises, are what these servers are for: no tracebacks


def listen(
    handler: Callable[[ServerConnection], Awaitable[None]], address: str, port: int, **options: Any
) -> AbstractAsyncContextManager[Server]:
    """A `websockets` server; without compression, unless its ``options`` say otherwise."""
    return serve(handler, address, port, **{"compression": None, "ping_interval": None, "logger": _LOGGER} | options)


async def answer(connection: ServerConnection) -> None:
    """An echo, and what the messages that begin with a command ask for."""
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


def _connect(url: str = f"ws://{SERVER}:{PORT}/echo", *, compression: str | None = None) -> connect:
    return connect(url, compression=compression, ping_interval=None)


async def _exchange(connection: ClientConnection, *messages: str | bytes) -> None:
    for message in messages:
        await connection.send(message)
        await connection.recv()


async def session() -> None:
    """Text, binary, fragments, control frames, lengths of 7 and 16 bits; the client closes."""
    async with _connect() as connection:
        await _exchange(connection, "Hello", "naïve café, 5 µm ✓ 🍵", bytes(range(16)), "", b"")
        await _exchange(connection, "7" * 125, "16" * 63, b"\x00\xff" * 500)
        await (await connection.ping(b"are you there?"))
        await connection.pong(b"nobody asked")
        await connection.send(_pieces(connection))
        await connection.recv()
        await _exchange(connection, _COMMAND + "ping me", _COMMAND + "in pieces")
        await connection.close(1000, "that was all")


async def large() -> None:
    """One message of 65,536 bytes, the shortest that needs a 64 bit length."""
    async with _connect() as connection:
        await _exchange(connection, _COMMAND + "64 KiB")


async def deflate() -> None:
    """permessage-deflate with context takeover: what was said before costs next to nothing."""
    async with _connect(compression="deflate") as connection:
        news = '{"id":%d,"news":"tea ready","price":"4.20","place":"the corner"}'
        await _exchange(connection, "Hello", "Hello", *(news % number for number in (1, 2, 3)), "")
        await _exchange(connection, b"\x00" * 1000, bytes(range(256)))
        await connection.send(["Hel", "lo"])
        await connection.recv()


async def ipv6() -> None:
    """A short exchange that the server ends."""
    async with _connect(f"ws://[{SERVER_IPV6}]:{PORT}/echo") as connection:
        await _exchange(connection, "Hello over IPv6", b"\x06" * 6)
        await connection.send(_COMMAND + "go away")
        await connection.wait_closed()


def only_the_news(connection: ServerConnection, request: Request) -> Response | None:
    """Refuse all paths but one."""
    return None if request.path == "/news" else connection.respond(404, "There is only /news here.\n")


# A server that echoes, and does what a text with "please: " asks for; and one that takes one origin and one path only.
echo_server = partial(listen, answer, SERVER, PORT)
choosy_server = partial(echo_server, origins=[_ORIGIN], process_request=only_the_news)

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_HANDSHAKE = handshake.request(f"{SERVER}:{PORT}", "/news", key=_KEY, fields=[("Origin", _ORIGIN)]).decode()
# What makes a mistake of it: what to take out, and what to put there instead.
_MISTAKES = [
    ("Upgrade: websocket\r\nConnection: Upgrade\r\n", ""),
    ("Upgrade: websocket", "Upgrade: h2c"),
    ("Connection: Upgrade", "Connection: keep-alive"),
    ("Version: 13", "Version: 8"),
    ("Sec-WebSocket-Version: 13\r\n", ""),
    (f"Sec-WebSocket-Key: {_KEY}\r\n", ""),
    (_KEY, "dG9vIHNob3J0"),
    (f"Origin: {_ORIGIN}", "Origin: http://evil.example"),
    ("GET /news", "GET /olds"),
    ("GET", "POST"),
    ("HTTP/1.1", "HTTP/1.0"),
]


async def refused() -> None:
    """Handshakes with one mistake each, by hand; the last one, without a mistake, is accepted."""
    for right, wrong in _MISTAKES:
        assert right in _HANDSHAKE
        _say(_HANDSHAKE.replace(right, wrong), PORT)
    async with connect(f"ws://{SERVER}:{PORT}/news", origin=_ORIGIN, compression=None):
        pass


async def _greet(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(f"{message!s}, whoever you are")


def secure_server() -> AbstractAsyncContextManager[Server]:
    """Answers each greeting, over TLS."""
    return listen(_greet, SERVER, SECURE_PORT, ssl=tls_contexts(address=SERVER)[0])


def _client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()  # which writes a key log, if the environment says where
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nobody vouches for what was made a moment ago
    context.set_alpn_protocols(["http/1.1"])
    return context


def _greeted(context: ssl.SSLContext, *pings: bytes, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
    """A greeting and pings on a connection of its own; what resumes its session."""
    plain = socket.create_connection((SERVER, SECURE_PORT))
    # To `websockets` it is a connection like any other: it has no option for a session.
    with (
        context.wrap_socket(plain, server_hostname=_NAME, session=session) as secure,
        connect_at_once(f"ws://{_NAME}/chat", sock=secure, compression=None, ping_interval=None) as connection,
    ):
        connection.send("Hello")
        connection.recv()
        for ping in pings:
            connection.ping(ping).wait()
        # In TLS 1.3 a server sends what its client needs to resume after the handshake (RFC 8446, 4.6.1).
        resumes = secure.session
        connection.close(1000, "that was all")
    return resumes


async def wss() -> None:
    """A greeting and a ping, over TLS."""
    _greeted(_client_context(), b"still there?")


async def resumed() -> None:
    """Two greetings, on a connection each; the second one resumes the session of the first."""
    context = _client_context()
    _greeted(context, session=_greeted(context))


_UPDATES, _GAP = 30, 0.01  # seconds


async def _two_stories(both: asyncio.Barrier, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A program for Hypercorn: two WebSockets with updates of a story each, in turns, once both are open."""
    if scope["type"] == "websocket":
        story = scope["path"][1:]
        await receive()
        await send({"type": "websocket.accept"})
        await both.wait()
        begin = time.monotonic() + 0.1 + _GAP / 2 * (story == "B")
        for number in range(1, _UPDATES + 1):
            await asyncio.sleep(begin + number * _GAP - time.monotonic())
            await send({"type": "websocket.send", "text": f"{story} {number:02}"})
        await receive()  # until it is closed


def stories_server() -> AbstractAsyncContextManager[object]:
    """Hypercorn, in HTTP/2 where the client begins with it, else in HTTP/1.1."""
    return asgi_serving(cast(Any, partial(_two_stories, asyncio.Barrier(2))), None, SERVER, PORT)


async def on_one_connection() -> None:
    """Two WebSockets on streams of one HTTP/2 connection."""
    with Http2Connection(PORT, host=SERVER) as connection:
        for stream in [connection.websocket("/A"), connection.websocket("/B")]:
            connection.receive(stream, _UPDATES * len(b"..A 10"))


async def on_two_connections() -> None:
    """Two WebSockets on connections of their own."""
    async with _connect(f"ws://{SERVER}:{PORT}/A") as first, _connect(f"ws://{SERVER}:{PORT}/B") as second:
        for connection in first, second:
            for _ in range(_UPDATES):
                await connection.recv()


def _say(text: str, port: int) -> None:
    """Send this by hand on a connection of its own, and wait until the server closes it."""
    with connect_raw(port, SERVER) as connection:
        connection.send(text.encode("ascii"))
        connection.receive_all()


def _get(target: str, field: str = "") -> str:
    return f"GET {target} HTTP/1.1\r\nHost: {SERVER}:8080\r\n{field}\r\n"


async def pipelined() -> None:
    """Four requests in one segment, on one connection: the answers come in the order of the questions."""
    requests = [_get(target) for target in ("/first", "/second", "/third")]
    _say("".join(requests) + _get("/fourth", "Connection: close\r\n"), 8080)


async def silent() -> None:
    """A client that connects and says nothing at all; then one that asks once and says nothing more."""
    _say("", 8080)
    _say(_get("/"), 8080)


_CLIENTS = (session, large, deflate, ipv6, refused, pipelined, silent, wss, resumed)
CLIENTS = {client.__name__: client for client in (*_CLIENTS, on_one_connection, on_two_connections)}

if __name__ == "__main__":
    asyncio.run(CLIENTS[sys.argv[1]]())
