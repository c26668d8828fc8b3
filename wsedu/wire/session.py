# SPDX-License-Identifier: GPL-2.0-or-later
"""A session for Scapy's ``sniff``: whole HTTP messages, and after a 101 one packet for each WebSocket frame.

    sniff(offline="capture.pcap", session=WebSocketSession)

On any port. Each message comes as Ethernet, IP and TCP of its sender's last segment, with the message on top: Scapy's
own ``HTTPRequest`` and ``HTTPResponse``, or ``WebSocket``. Its time is that of the packet that completed it. Scapy
shows content without its codings; ``bytes(packet[HTTPResponse])`` are those that were sent. The last frame of a message
that permessage-deflate compressed has it inflated in ``packet[WebSocket].content``.

What Scapy's ``TCPSession`` and HTTP layer guess at is found out here, by the engine on which ``read`` stands: where a
message ends, what came twice or late, and what is missing. After a hole, and where boundaries cannot be read, the
packets of that sender come as they are, and Scapy's log says why. So do packets without data, and those of other
protocols.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from scapy.config import conf
from scapy.error import log_runtime
from scapy.layers.http import HTTP, HTTPRequest, HTTPResponse
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw
from scapy.sessions import DefaultSession

from ..protocol.content import Chunked, content_framing, content_spans
from ..protocol.http1 import Response
from ..protocol.spans import Kind
from .connections import Endpoint, MessageOrGap, TcpConnection, TcpReader
from .exchange import NOT_HTTP
from .layer import WebSocket
from .message_parser import Packets, ParsedMessage
from .packets import FIN, RST, Segment, Unreadable, endpoint, segment_of
from .streams import Gap

LINKTYPE_RAW = 101  # IP without a link layer
LINE_END = re.compile(rb"\r?\n")  # RFC 9112, 2.2 lets a recipient do with LF alone


class PacketReader(TcpReader[Packet | None]):
    """Makes a Scapy packet of each message. Its log is Scapy's."""

    def __init__(self) -> None:
        super().__init__([])
        self._packet: Any = None  # that is being read
        self._side: Any = None  # its sender
        self._index = -1

    def read_packet(self, packet: Packet, segment: Segment) -> Iterator[Packet]:
        """What the next packet gives: messages, or itself if it is part of none."""
        self._packet, self._index, given = packet, self._index + 1, False
        for message in self.segment(segment, self._index):
            if message is not None:
                given = True
                yield message
        # Of a sender that is not read any further, and of one that says farewell, everything is shown.
        shown = self._side.stream.ended or segment.flags & (FIN | RST)
        if not segment.payload or (shown and not given):
            yield _as_it_is(packet, segment.payload)

    def noticed(self, connection: TcpConnection, segment: Segment) -> None:
        """Keep the packet, for the messages that end in it."""
        self._side = connection.at(segment.source)
        if segment.payload:
            self._side.last = self._packet

    def made(self, connection: TcpConnection, side: Endpoint, packets: Packets, what: MessageOrGap) -> Packet | None:
        """The message on top of its sender's last segment; ``None`` for a gap, which is a line in the log."""
        if isinstance(what, Gap):
            self.lost(connection, side, f"{what.missing:,} bytes are missing")
            return None
        packet = _on_top(side.last, self._packet.time, what)
        if what.kind == "frame" and (
            inflated := self.inflated(connection, side, what.raw[0], what.content, what.scope)
        ):
            packet[WebSocket].inflated = inflated.content
        return packet

    def called(self, connection: TcpConnection, side: Endpoint) -> tuple[str, str]:
        """A sender as Scapy's packets name it: a session knows of no conversations."""
        address, _, port = endpoint(side.address).rpartition(":")
        return "", f"{address} port {port}"

    def warn(self, reason: str, line: str) -> None:
        """Say it at once: a session is not told when the packets end. Other protocols need no line a connection."""
        if reason != NOT_HTTP:
            log_runtime.warning("WebSocketSession: %s", line)


class WebSocketSession(DefaultSession):
    """Gives HTTP messages and WebSocket frames, each as a packet of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reader = PacketReader()

    def recv(self, sock: Any) -> Iterator[Packet]:
        """Called by ``sniff`` for each packet; gives none, one or several."""
        packet = sock.recv()
        packet = self.process(packet) if packet else None
        if packet:
            yield from self._taken(packet)

    def _taken(self, packet: Packet) -> Iterable[Packet]:
        tcp: Any = packet.getlayer(TCP)
        network = tcp and tcp.underlayer
        while network and not isinstance(network, (IP, IPv6)):
            network = network.underlayer
        if not network:
            return (packet,)
        captured = network.original if tcp.original else bytes(network)  # IPSession builds packets again
        try:
            segment = segment_of(LINKTYPE_RAW, captured)
        except Unreadable:  # a fragment, say
            segment = None
        if segment is None:
            return (_as_it_is(packet, (tcp.original or bytes(tcp))[(tcp.dataofs or 5) * 4 :]),)
        return self._reader.read_packet(packet, segment)


def _as_it_is(packet: Packet, data: bytes) -> Packet:
    """A packet that completes no message, and does not look as if it did: on port 80 Scapy may see HTTP in it."""
    if data and HTTP in packet:
        packet = packet.copy()
        packet[TCP].remove_payload()
        packet[TCP].add_payload(Raw(data))
    return packet


def _on_top(packet: Packet, time: Any, message: ParsedMessage) -> Packet:
    """The layers of a packet up to TCP, and a message on top of them."""
    packet = packet.copy()
    packet.time, packet.wirelen = time, None
    tcp = packet[TCP]
    tcp.remove_payload()
    tcp.chksum = None
    layer = tcp.underlayer
    while layer:  # lengths and checksums are for Scapy to fill in
        if isinstance(layer, IP):
            layer.len = layer.chksum = None
        elif isinstance(layer, IPv6):
            layer.plen = None
        layer = layer.underlayer
    if message.head is None:
        tcp.add_payload(WebSocket(message.raw))
    else:  # Scapy's layer for HTTP/2 reads connections, not messages
        tcp.add_payload(_http(message) if message.on_stream is None else Raw(message.raw))
    return packet


def _http(message: ParsedMessage) -> Packet:
    """An HTTP message: its fields as Scapy dissects them, its bytes as they were."""
    # Empty lines before a start line are no part of the message (RFC 9112, 2.2), and Scapy does not expect them.
    head, content = message.raw[: message.head_size].lstrip(b"\r\n"), message.raw[message.head_size :]
    response = isinstance(message.head, Response)
    layer = (HTTPResponse if response else HTTPRequest)(LINE_END.sub(b"\r\n", head))
    if isinstance(message.head, Response):  # Scapy does not split a status line without a reason phrase
        version, status, *reason = head.split(b"\n")[0].strip().split(None, 2)
        layer.fields.update(Http_Version=version, Status_Code=status, Reason_Phrase=b"".join(reason))
    layer.raw_packet_cache = head
    if content and b"Upgrade" in (layer.Connection or b""):
        layer.add_payload(Raw(content))  # which Scapy would take for HTTP/2
    elif content:
        coded = _in_one_chunk(message, content) if response and conf.contribs["http"]["auto_chunk"] else content
        layer.do_dissect_payload(coded)  # type: ignore[no-untyped-call]
        if coded is not content and isinstance(layer.payload, Raw):
            layer.payload.raw_packet_cache = content
    http = HTTP()
    http.add_payload(layer)
    return http


def _in_one_chunk(message: ParsedMessage, content: bytes) -> bytes:
    """Scapy does not read chunk extensions, and a thousand chunks take it a thousand times as long as one."""
    assert message.head is not None
    framing = content_framing(message.head, message.request_method)
    if not isinstance(framing, Chunked):
        return content
    spans = content_spans(content, framing)
    joined = b"".join(content[span.start : span.end] for span in spans if span.kind == Kind.CONTENT)
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(joined), joined) if joined else content
