# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection that speaks HTTP/2, step by step: the ``h2`` library decides about frames, we about requests.

Polls that share a connection, and a WebSocket on a stream (RFC 8441), which no client library for Python opens.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress

import h2.config
import h2.connection
import h2.events

from .connect_raw import frame_end

LIMIT = 10.0  # seconds
Fields = Iterable[tuple[str, str]]


class Http2Connection(AbstractContextManager["Http2Connection"]):
    """An HTTP/2 connection to a server on this machine; ends with its ``with`` block.

    Args:
        port: of the server, or of a recording in front of it.
        tls: the client's half of ``tls_contexts``; without it the server has to know that HTTP/2 comes (RFC 9113, 3.3).
        host: the address of the server.
        timeout: seconds without a byte after which each of the methods raises TimeoutError.

    Raises:
        OSError: there is no server.
    """

    def __init__(
        self, port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", timeout: float = LIMIT
    ) -> None:
        self._authority, self._scheme = f"{host}:{port}", "https" if tls else "http"
        plain = socket.create_connection((host, port), timeout)
        if tls:
            tls.set_alpn_protocols(["h2"])
        self._socket = tls.wrap_socket(plain, server_hostname=host) if tls else plain
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._heads: dict[int, dict[str, str]] = {}
        self._content: defaultdict[int, bytes] = defaultdict(bytes)
        self._ended: set[int] = set()
        self._h2.initiate_connection()
        self._flush()

    def get(self, target: str, fields: Fields = ()) -> tuple[int, bytes]:
        """Ask for a target, and wait for the whole response: its status code and content."""
        stream = self._open("GET", target, fields, end=True)
        while stream not in self._ended:
            self._receive()
        return int(self._heads[stream][":status"]), self._content.pop(stream, b"")

    def websocket(self, target: str, fields: Fields = ()) -> int:
        """Open a WebSocket on a stream with an extended CONNECT (RFC 8441, 4), and give the number of the stream.

        Raises:
            ConnectionError: the server did not say that it knows that, or did not want it.
        """
        while self._h2.remote_settings.enable_connect_protocol != 1:
            self._receive()
        asked = (":protocol", "websocket"), ("sec-websocket-version", "13")
        stream = self._open("CONNECT", target, [*asked, *fields], end=False)
        while stream not in self._heads:
            self._receive()
        if (status := self._heads[stream][":status"]) != "200":
            raise ConnectionError(f"the server answered {status}")
        return stream

    def send(self, stream: int, data: bytes) -> None:
        """Send bytes on a stream."""
        self._h2.send_data(stream, data)
        self._flush()

    def receive(self, stream: int, size: int) -> bytes:
        """The next ``size`` bytes of a stream.

        Raises:
            EOFError: the stream ends before.
        """
        while len(self._content[stream]) < size and stream not in self._ended:
            self._receive()
        return self._taken(stream, size)

    async def receive_frame(self, stream: int) -> bytes:
        """The bytes of one WebSocket frame on a stream, header and payload (RFC 6455, 5.2); raises as ``receive``.

        The loop goes on with all else while none comes.
        """
        loop = asyncio.get_running_loop()
        while (size := frame_end(self._content[stream])) < 0 and stream not in self._ended:
            came = loop.create_future()
            loop.add_reader(self._socket, came.set_result, None)
            try:
                await came
            finally:
                loop.remove_reader(self._socket)
            self._receive()
        return self._taken(stream, size)

    def _taken(self, stream: int, size: int) -> bytes:
        data = self._content[stream]
        if not 0 <= size <= len(data):
            raise EOFError(f"the stream has ended; {len(data)} bytes are there")
        self._content[stream] = data[size:]
        return data[:size]

    def _open(self, method: str, target: str, fields: Fields, *, end: bool) -> int:
        asked = [(":method", method), (":scheme", self._scheme), (":authority", self._authority), (":path", target)]
        stream: int = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, [*asked, *fields], end_stream=end)
        self._flush()
        return stream

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self._heads[event.stream_id] = {str(name): str(value) for name, value in event.headers or ()}
            elif isinstance(event, h2.events.DataReceived):
                self._content[event.stream_id] += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                self._ended.add(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise ConnectionError(f"the server says farewell with error {event.error_code}")
        self._flush()

    def __exit__(self, *raised: object) -> None:
        with self._socket, suppress(OSError):  # the server may have gone first
            self._h2.close_connection()
            self._flush()
            self._socket.shutdown(socket.SHUT_RDWR)  # so that what is unread does not make a reset of it
