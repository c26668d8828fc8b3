# SPDX-License-Identifier: GPL-2.0-or-later
"""A session for Scapy's ``sniff``: whole HTTP messages, and after a 101 one packet for each WebSocket frame.

    sniff(offline="capture.pcap", session=WebSocketSession)

On any port. Each message comes as Ethernet, IP and TCP of the segment that completed it, with the message on top:
Scapy's own ``HTTPRequest`` and ``HTTPResponse``, or ``WebSocket``. What Scapy's ``TCPSession`` and HTTP layer guess at
is found out here: where a message ends (RFC 9112, 6.3), what came twice or late, and what is missing, after which the
direction ends. Packets without data, and those of other protocols, come as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scapy.layers.http import HTTP, HTTPRequest, HTTPResponse
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet
from scapy.sessions import DefaultSession

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.header import parse_header
from .layer import WebSocket
from .streams import Piece, Stream

REQUEST_LINE = re.compile(rb"[!-~]+ [^\r\n]+ HTTP/1\.[01]\r\n")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d\d\d)")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")
LONGEST_START = 65_536
"""Bytes after which a direction without a start line is neither a request nor a response."""


class Head:
    """What the end of an HTTP message depends on."""

    def __init__(self, data: bytes, size: int) -> None:
        start, *lines = data[:size].split(b"\r\n")
        self.size = size
        self.method = start.partition(b" ")[0]
        found = STATUS_LINE.match(start)
        self.status = int(found[1]) if found else 0  # 0 for a request
        self._fields = [line.partition(b":")[::2] for line in lines]

    def tokens(self, name: bytes) -> list[bytes]:
        """The elements of a field's list, in small letters."""
        values = b",".join(value for key, value in self._fields if key.lower() == name)
        return [token.strip().lower() for token in values.split(b",") if token.strip()]

    def upgrades(self) -> bool:
        """Whether WebSocket is asked for, or agreed to."""
        return b"websocket" in self.tokens(b"upgrade")


class Side:
    """What one endpoint sends."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.buffer = bytearray()
        self.head: Head | None = None
        self.frames = False
        self.waiting = False  # asked to switch; what follows depends on the response
        self.lost = False  # the boundaries of its messages are not known

    def size(self, asked: list[bytes]) -> int:
        """Bytes of the message at the start of the buffer.

        Raises:
            NeedMoreData: it is not complete.
            ProtocolError: where it ends cannot be read.
        """
        if self.frames:
            header = parse_header(self.buffer)
            size = header.size + header.payload_length
        else:
            if self.head is None:
                self.head = self._take_head()
            size = self.head.size + self._content_size(self.head, asked)
        if size > len(self.buffer):
            raise NeedMoreData
        return size

    def _take_head(self) -> Head:
        data = bytes(self.buffer)
        line_ends = data.find(b"\r\n") >= 0 or len(data) > LONGEST_START
        if line_ends and not REQUEST_LINE.match(data) and not STATUS_LINE.match(data):
            raise ProtocolError(
                "neither HTTP nor WebSocket", offset=0, field="start line", section="RFC 9112, 2.1"
            )
        end = data.find(b"\r\n\r\n")
        if end < 0:
            raise NeedMoreData
        return Head(data, end + 4)

    def _content_size(self, head: Head, asked: list[bytes]) -> int:
        """As RFC 9112, 6.3 orders the cases."""
        method = asked[0] if asked and head.status else b""
        if 100 <= head.status < 200 or head.status in (204, 304) or method == b"HEAD":
            return 0
        if method == b"CONNECT" and 200 <= head.status < 300:
            return 0
        if head.tokens(b"transfer-encoding")[-1:] == [b"chunked"]:
            return self._chunked_size(head.size)
        lengths = head.tokens(b"content-length")
        if lengths:
            if not lengths[0].isdigit():
                raise ProtocolError("no number", offset=0, field="Content-Length", section="RFC 9110, 8.6")
            return int(lengths[0])
        if head.status == 0:
            return 0
        if not self.stream.closed:
            raise NeedMoreData  # until the connection closes
        return len(self.buffer) - head.size

    def _chunked_size(self, start: int) -> int:
        at, data = start, bytes(self.buffer)
        while True:
            found = CHUNK_SIZE.match(data, at)
            if not found:
                if b"\r\n" in data[at:]:
                    raise ProtocolError("no hex", offset=at, field="chunk-size", section="RFC 9112, 7.1")
                raise NeedMoreData
            at, size = found.end(), int(found[1], 16)
            if size == 0:
                # The last chunk; then trailer fields, if any, and an empty line.
                end = at if data[at : at + 2] == b"\r\n" else data.find(b"\r\n\r\n", at) + 2
                if end < at or len(data) < end + 2:
                    raise NeedMoreData
                return end + 2 - start
            at += size + 2
            if at > len(data):
                raise NeedMoreData


class Connection:
    """Both directions of a TCP connection."""

    def __init__(self, opened: int | None) -> None:
        self.opened = opened  # sequence number of the SYN
        self.sides: dict[Any, Side] = {}
        self.asked: list[bytes] = []  # methods of requests that wait for their final response

    def messages(self, side: Side) -> Iterator[tuple[bytes, Head | None]]:
        """The messages that are complete: their bytes, and the head of those that are HTTP."""
        while side.buffer and not side.waiting and not side.lost:
            try:
                size = side.size(self.asked)
            except NeedMoreData:
                return
            except ProtocolError:
                side.lost = True
                return
            raw, head = bytes(side.buffer[:size]), side.head
            del side.buffer[:size]
            side.head = None
            if head is not None:
                self._note(side, head)
            yield raw, head

    def _note(self, side: Side, head: Head) -> None:
        """What a head changes for the messages after it."""
        if not head.status:
            self.asked.append(head.method)
            side.waiting = head.upgrades()
        elif head.status >= 200 or head.status == 101:
            del self.asked[:1]
            for one in self.sides.values():
                if head.status == 101:
                    one.frames = head.upgrades()
                    one.lost = not one.frames
                if not self.asked:
                    one.waiting = False


class WebSocketSession(DefaultSession):
    """Gives HTTP messages and WebSocket frames, each as a packet of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: dict[frozenset[tuple[str, int]], Connection] = {}

    def recv(self, sock: Any) -> Iterator[Packet]:
        """Called by ``sniff`` for each packet; gives none, one or several."""
        packet = sock.recv()
        packet = self.process(packet) if packet else None
        if packet:
            yield from self._taken(packet)

    def _taken(self, packet: Packet) -> Iterator[Packet]:
        network = packet.getlayer(IP) or packet.getlayer(IPv6)
        if network is None or TCP not in packet or (IP in packet and (network.flags.MF or network.frag)):
            yield packet
            return
        tcp = packet[TCP]
        data, cut = _data(network, tcp)
        source, destination = (network.src, tcp.sport), (network.dst, tcp.dport)
        connection = self._connection(frozenset((source, destination)), tcp)
        side = connection.sides.setdefault(source, Side())
        connection.sides.setdefault(destination, Side())
        if not data and not tcp.flags.F:
            yield packet
        if tcp.flags.S:
            return
        for item in list(side.stream.receive(tcp.seq, data, cut, bool(tcp.flags.F), 0)):
            if isinstance(item, Piece):
                side.buffer += item.data
        given = False
        for one in (side, *(other for other in connection.sides.values() if other is not side)):
            for raw, head in connection.messages(one):
                given = True
                yield _on_top(packet, network, raw, head, turned=one is not side)
        if not given and (tcp.flags.F or (side.lost and data)):
            yield packet

    def _connection(self, key: frozenset[tuple[str, int]], tcp: Packet) -> Connection:
        opens = tcp.flags.S and not tcp.flags.A
        connection = self._connections.get(key)
        if connection is None or (opens and connection.opened != tcp.seq):
            connection = self._connections[key] = Connection(tcp.seq if opens else None)
        return connection


def _data(network: Packet, tcp: Packet) -> tuple[bytes, int]:
    """The data of a segment as captured, and how many bytes of it the snap length cut away."""
    captured: bytes = tcp.original
    data = captured[(tcp.dataofs or 5) * 4 :]
    if isinstance(network, IP):
        announced = (network.len or 0) - (network.ihl or 5) * 4 - len(captured)
    else:
        announced = (network.plen or 0) - len(network.payload.original)
    return data, max(0, announced)


def _on_top(packet: Packet, network: Packet, raw: bytes, head: Head | None, *, turned: bool) -> Packet:
    """The layers of a packet up to TCP, and a message on top of them."""
    below = packet.copy()
    tcp = below[TCP]
    tcp.remove_payload()
    tcp.chksum = None
    inner = below[type(network)]
    if isinstance(network, IP):
        inner.len = inner.chksum = None
    else:
        inner.plen = None
    if turned:  # set free by a packet of the other side
        inner.src, inner.dst, tcp.sport, tcp.dport = inner.dst, inner.src, tcp.dport, tcp.sport
    if head is None:
        return below / WebSocket(raw)
    return below / HTTP() / (HTTPResponse(raw) if head.status else HTTPRequest(raw))
