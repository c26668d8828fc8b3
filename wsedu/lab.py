# SPDX-License-Identifier: GPL-2.0-or-later
"""What a notebook shows and what it talks to, put together: the knobs of ``show`` on the servers of ``live``.

The servers here run as long as the kernel does, since a reader may press a button at any time.
"""

from __future__ import annotations

from functools import cache

from .live.dial import dial
from .live.server import Server
from .live.tornado_echo import tornado_echo_server
from .live.websocket_server import websocket_server
from .protocol.errors import ProtocolError
from .protocol.frames import Frame
from .protocol.handshake import request
from .protocol.opcodes import Opcode, opcode_name
from .protocol.status import parse_close_payload
from .show.frame_builder import Answers, FrameBuilder
from .show.handshake_bench import HandshakeBench

PATIENCE = 0.5  # seconds after which a server that says nothing is taken to have nothing to say


@cache
def servers() -> dict[str, Server]:
    """Two echo servers that differ, by name; started when first asked for."""
    return {"websockets": websocket_server(), "Tornado": tornado_echo_server()}


def send_frame(data: bytes) -> Answers:
    """Send the bytes of a frame to both servers, each on a connection of its own, and tell what each did."""
    return {name: _answer(server, data) for name, server in servers().items()}


def _answer(server: Server, data: bytes) -> tuple[str, bytes]:
    with dial(server.port, timeout=PATIENCE) as connection:
        connection.send(request("127.0.0.1"))
        connection.receive_head()
        try:
            connection.send(data)
            answer = connection.receive_frame()
        except TimeoutError:
            return f"said nothing within {PATIENCE} s; it waits for more, or had nothing to say.", b""
        except (EOFError, ConnectionError):
            return "closed the TCP connection, without a Close frame.", b""
    return _in_words(answer), answer


def _in_words(answer: bytes) -> str:
    frame, _ = Frame.parse(answer, strict=False)
    if frame.opcode != Opcode.CLOSE:
        return f"answered with a {opcode_name(frame.opcode)} frame."
    try:
        code, reason = parse_close_payload(frame.payload)
    except ProtocolError:
        return "closed, with a payload that is none."
    said = f"status code {code}" if code else "no status code"
    return f"closed: {said}{f', “{reason}”' if reason else ''}."


def frame_builder() -> FrameBuilder:
    """A frame to build and to send to two real servers."""
    servers()
    return FrameBuilder(send_frame)


def handshake_bench() -> HandshakeBench:
    """An opening handshake to spoil and to send to a real server, the ``websockets`` library."""
    server = servers()["websockets"]

    def send(data: bytes) -> bytes:
        with dial(server.port, timeout=PATIENCE) as connection:
            connection.send(data)
            try:
                return connection.receive_head()
            except (EOFError, TimeoutError, ConnectionError):
                return b""

    return HandshakeBench(send)
