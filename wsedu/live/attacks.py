# SPDX-License-Identifier: GPL-2.0-or-later
"""What is attacked in notebook 13, and what stands between.

The servers are real ones: ``websockets``, Tornado, wsproto. The two proxies are ours and a play: each makes the one
mistake that its attack needs, as real ones did, and nothing else of a proxy is in them. They take a request and its
response in turn, each in one piece, which is how short ones come on loopback.
"""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, NamedTuple

import wsproto.events
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from wsproto.connection import ConnectionState
from wsproto.utilities import RemoteProtocolError

from ..protocol.frames import Frame
from ..protocol.handshake import request
from ..protocol.opcodes import Opcode, opcode_name
from .connect_raw import connect_raw
from .servers import EchoSocket, Handler, Listening, Server, serve, serving

READ = 1 << 20  # bytes taken from a socket in one go
COOKIE = "login=alice-5d41402a"


def account_server(*, origins: Sequence[str] | None = None) -> Server:
    """Tells each client that brings the cookie of a login the balance of an account; 401 to all others.

    Args:
        origins: the values of Origin that are welcome, to others 403; ``None`` welcomes all.
    """

    def guard(connection: ServerConnection, asked: Request) -> Response | None:
        return None if asked.headers.get("Cookie") == COOKIE else connection.respond(401, "Log in first.\n")

    async def tell(connection: ServerConnection) -> None:
        await connection.send('{"owner":"Alice","balance":"1204.00"}')

    return Server("account server", lambda: serve(tell, origins=origins, process_request=guard))


class _Page(Handler):
    def get(self, name: str) -> None:
        self.write({"script.js": "balance = 1204\n", "internal": "all passwords\n"}[name])


def web_server(log: list[str] | None = None) -> Server:
    """Tornado: an echoing WebSocket at ``/``, pages at ``/script.js`` and ``/internal``.

    Args:
        log: gets a line for each request, in the words of Tornado's access log but for the milliseconds at its end.
    """

    def note(handler: Handler) -> None:
        if log is not None:
            log.append(f"{handler.get_status()} {handler._request_summary()}")

    pages = [("/", EchoSocket), (r"/(script\.js|internal)", _Page)]
    return Server("web server", lambda: serving(pages, log_function=note))


def answering_server(answer: bytes) -> Server:
    """A WebSocket server, made with Tornado, that answers each message with these bytes, as a Binary message."""

    class Answering(EchoSocket):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(answer, binary=True)

    return Server("answering server", lambda: serving([("/", Answering)]))


@asynccontextmanager
async def _streams(talk: Callable[[StreamReader, StreamWriter], Awaitable[None]]) -> AsyncIterator[Listening]:
    """Serve with plain streams on a free port while the block runs."""

    async def talk_and_close(reader: StreamReader, writer: StreamWriter) -> None:
        # A task that ends by being cancelled, as the loop's end does, is an error to this Python's streams.
        with closing(writer), suppress(ConnectionError, RemoteProtocolError, asyncio.CancelledError):
            await talk(reader, writer)

    server = await asyncio.start_server(talk_and_close, "127.0.0.1", 0)
    with closing(server):  # who is still connected is cut off when the loop ends
        yield Listening(server.sockets[0].getsockname()[1])


class Proxy(Server):
    """Passes a request on, and its response back; what it thinks of the two is up to its kinds."""

    def __init__(self, port_for: Callable[[bytes], int]) -> None:
        self._port_for = port_for  # of the server to which a connection leads that begins with this request
        super().__init__("proxy", lambda: _streams(self._talk))

    def answer(self, request: bytes) -> bytes | None:
        """What it says without asking any server, if it does."""
        raise NotImplementedError

    def seen(self, request: bytes, response: bytes) -> bool:
        """Look at what came back; from ``True`` on, the connection is a tunnel, at which it looks no more."""
        raise NotImplementedError

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        server: tuple[StreamReader, StreamWriter] | None = None
        tunnel = False
        try:
            while request := await reader.read(READ):
                response = None if tunnel else self.answer(request)
                if response is None:
                    server = server or await asyncio.open_connection("127.0.0.1", self._port_for(request))
                    server[1].write(request)
                    response = await server[0].read(READ)
                    tunnel = tunnel or self.seen(request, response)
                writer.write(response)
        finally:
            if server:
                server[1].close()


class CachingProxy(Proxy):
    """Stores what GET brings, and has never heard of Upgrade: to it a connection is HTTP for ever.

    It is transparent: where a connection leads was decided when it was opened, whatever Host a later request names.

    Args:
        hosts: the port of each host.

    Attributes:
        stored: a response for each (host, target).
    """

    # It searches, where a proxy would parse: two bytes of a frame header before a GET do not trouble it.
    GET = re.compile(rb"GET (\S+) HTTP/1\.1\r\n(?:.+\r\n)*?Host: (\S+)\r\n")

    def __init__(self, hosts: Mapping[str, int]) -> None:
        self.stored = dict[tuple[str, str], bytes]()
        super().__init__(lambda request: hosts[self._asked(request)[0]])

    def _asked(self, request: bytes) -> tuple[str, str]:
        found = self.GET.search(request)
        return (found[2].decode("latin-1"), found[1].decode("latin-1")) if found else ("", "")

    def answer(self, request: bytes) -> bytes | None:
        """What is stored for it."""
        return self.stored.get(self._asked(request))

    def seen(self, request: bytes, response: bytes) -> bool:
        """Store a response with status code 200; nothing is a tunnel."""
        if (at := response.find(b"HTTP/1.1 200 ")) >= 0 and any(self._asked(request)):
            self.stored[self._asked(request)] = response[at:]
        return False


class GuardingProxy(Proxy):
    """Keeps everybody from ``/internal``, until it takes a connection for a WebSocket.

    Args:
        port: of the server behind it.
        reads_status: take it for one only after a 101; otherwise whoever asks to upgrade is believed.
    """

    def __init__(self, port: int, *, reads_status: bool) -> None:
        self._reads_status = reads_status
        super().__init__(lambda request: port)

    def answer(self, request: bytes) -> bytes | None:
        """403 for what nobody is to see."""
        return b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n" if b" /internal " in request else None

    def seen(self, request: bytes, response: bytes) -> bool:
        """Whether this was an upgrade."""
        agreed = response.startswith(b"HTTP/1.1 101 ") or not self._reads_status
        return agreed and b"upgrade: websocket" in request.lower()


class PlainProxy(Server):
    """Knows HTTP and has never heard of Upgrade; with CONNECT it opens a tunnel, and does not look into it.

    Args:
        port: of the server behind it, whatever a client names.

    Attributes:
        passed_on: what a client's first bytes had become when they went to the server, of each connection.
    """

    def __init__(self, port: int) -> None:
        self._port, self.passed_on = port, list[bytes]()
        super().__init__("plain proxy", lambda: _streams(self._talk))

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        asked = await reader.read(READ)
        if asked.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            asked = await reader.read(READ)
        # Connection, and what it names, is for the next hop alone, and a proxy takes it off (RFC 9110, 7.6.1).
        self.passed_on.append(re.sub(rb"(?mi)^(Connection|Upgrade):.*\n", b"", asked))
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        with closing(to_server):
            to_server.write(self.passed_on[-1])
            both = (reader, to_server), (from_server, writer)
            await asyncio.wait([asyncio.ensure_future(_pump(*one)) for one in both], return_when="FIRST_COMPLETED")


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(READ):
            writer.write(data)


async def _wsproto_talk(reader: StreamReader, writer: StreamWriter) -> None:
    """wsproto knows the protocol and leaves the rest to its user: to send what it says, and to close."""
    connection, pieces = wsproto.WSConnection(wsproto.ConnectionType.SERVER), list[Any]()
    while data := await reader.read(READ):
        connection.receive_data(data)
        for event in connection.events():
            match event:
                case wsproto.events.Request():
                    writer.write(connection.send(wsproto.events.AcceptConnection()))
                case wsproto.events.Message():
                    pieces.append(event.data)
                    if event.message_finished:
                        whole = pieces[0][:0].join(pieces)
                        pieces.clear()
                        writer.write(connection.send(wsproto.events.Message(whole)))
                case wsproto.events.Ping() | wsproto.events.CloseConnection():
                    writer.write(connection.send(event.response()))
        if connection.state not in (ConnectionState.CONNECTING, ConnectionState.OPEN):
            return


def wsproto_echo_server() -> Server:
    """An echo server on 127.0.0.1, made with wsproto: each message comes back as it is."""
    return Server("WebSocket server by wsproto", lambda: _streams(_wsproto_talk))


class Reaction(NamedTuple):
    """What a server did about some bytes.

    Attributes:
        what: "refused" by a Close frame, "cut off" without a word, "waits" for more, or "accepted".
        words: the status code and the reason of that Close frame, or what it answered.
    """

    what: str
    words: str


# With these an endpoint says that something was wrong (RFC 6455, 7.4.1); any other only says goodbye.
FAILURES = {1002, 1003, 1007, 1008, 1009, 1010, 1011}
STILL_THERE = b"still there?"


def reaction(port: int, data: bytes, probe: int | None = Opcode.TEXT) -> Reaction:
    """What an echo server does about these bytes behind its opening handshake.

    No clock is asked. A message follows them: whoever echoes that had nothing against what came before, and whoever
    closes has.

    Args:
        data: one frame or more.
        probe: opcode of what follows: a Ping where ``data`` leaves a message open. ``None`` is the end of the
            connection, where it leaves a frame open, since all that follows would be a part of it: who says nothing
            then has waited.
    """
    answers: list[str] = []
    with connect_raw(port, timeout=30) as connection:
        connection.send(request("127.0.0.1"))
        connection.receive_head()
        after = b"" if probe is None else Frame(probe, STILL_THERE, masking_key=bytes(4)).serialize()
        # In one piece, so that it is read in one: a server that closes with bytes unread sends a RST (RFC 9293, 3.6.1).
        connection.send(data + after)
        if probe is None:
            connection.send_end()
        with suppress(EOFError):
            while True:
                frame, _ = Frame.parse(connection.receive_frame(), strict=False)
                name = opcode_name(frame.opcode)
                if frame.opcode == Opcode.CLOSE:
                    code = int.from_bytes(frame.payload[:2], "big")
                    if code in FAILURES:
                        return Reaction("refused", f"{code} {frame.payload[2:].decode(errors='replace')}")
                    return Reaction("accepted", f"{name} {code}" if code else name)
                if frame.payload == STILL_THERE:
                    counted = Counter(answers).items()
                    return Reaction("accepted", ", ".join(f"{n:,} × {one}" if n > 1 else one for one, n in counted))
                answers.append(name)
    return Reaction("waits" if probe is None else "cut off", "")
