# SPDX-License-Identifier: GPL-2.0-or-later
"""A session for Scapy's ``sniff``: whole HTTP messages, and after a 101 one packet for each WebSocket frame.

    sniff(offline="capture.pcap", session=WebSocketSession)

On any port. Each message comes as Ethernet, IP and TCP of its sender's last segment, with the message on top: Scapy's
own ``HTTPRequest`` and ``HTTPResponse``, or ``WebSocket``. Its time is that of the packet that completed it. Scapy
shows content without its codings; ``bytes(packet[HTTPResponse])`` are those that were sent.

What Scapy's ``TCPSession`` and HTTP layer guess at is found out here: where a message ends, what came twice or late,
and what is missing. After a hole, and where boundaries cannot be read, the packets of that sender come as they are, and
Scapy's log says why. So do packets without data, and those of other protocols.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from scapy.config import conf
from scapy.error import log_runtime
from scapy.layers.http import HTTP, HTTPRequest, HTTPResponse
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Packet, Raw
from scapy.sessions import DefaultSession

from ..protocol.errors import ProtocolError
from .boundaries import FRAMES, LINE_END, LOST, MESSAGES, UNSURE, WAITING, Head, Side, opens_tunnel
from .layer import WebSocket
from .streams import SPACE, Gap, Stream

TCP_FIN, TCP_SYN, TCP_RST, TCP_ACK = 0x01, 0x02, 0x04, 0x10
MOST_CLOSED = 1000  # connections that are over and yet kept, so that a late packet does not begin a new one

Address = Any  # a pair: IP address, port


class End(Side):
    """One end of a TCP connection, and what comes from there."""

    def __init__(self, address: Address, asked: deque[Head]) -> None:
        super().__init__(asked)
        self.address = address
        self.stream = Stream()
        self.packet: Any = None  # the last one with data
        self.syn: int | None = None  # sequence number
        self.fin = False


class Found(NamedTuple):
    """A message."""

    sender: End
    raw: bytes
    head: Head | None  # None of a frame


class Connection:
    """Both directions of a TCP connection."""

    def __init__(self, source: Address, destination: Address) -> None:
        self.key = frozenset((source, destination))
        self._asked: deque[Head] = deque()
        self._ends = End(source, self._asked), End(destination, self._asked)
        self._switched = False
        self._reset = False

    def end(self, address: Address) -> End:
        """The one with this address."""
        return self._ends[self._ends[0].address != address]

    def other(self, end: End) -> End:
        """The one that receives what this one sends."""
        return self._ends[end is self._ends[0]]

    def over(self) -> bool:
        """Whether both have said that they will send no more, or one has given up."""
        return self._reset or all(end.fin for end in self._ends)

    def is_another(self, end: End, sequence: int, flags: int) -> bool:
        """Whether a segment opens a further connection between the same addresses; a SYN may come twice or late."""
        if not flags & TCP_SYN:
            return False
        if end.syn is not None:
            return end.syn != sequence or (self.over() and not flags & TCP_ACK)
        if end.stream.first is not None:
            return end.stream.first != (sequence + 1) % SPACE
        return self.other(end).syn is None

    def receive(self, end: End, sequence: int, flags: int, data: bytes, cut: int) -> Iterator[Found]:
        """What a segment completes: messages of its sender, and those of the other that they set free."""
        if flags & TCP_RST:  # what comes with it is for people (RFC 9293, 3.5.3)
            self._reset = True
            return
        end.fin = end.fin or bool(flags & TCP_FIN)
        if flags & TCP_SYN:
            end.syn, sequence = sequence, sequence + 1
            if end.client is None:
                self._identify(end, client=not flags & TCP_ACK)
        ended = end.stream.ended
        for item in end.stream.receive(sequence, data, cut, bool(flags & TCP_FIN), 0):
            if isinstance(item, Gap):
                self._lose((end,), f"{item.missing:,} bytes are missing")
            elif end.next != LOST:
                end.buffer += item.data
                yield from self._read(end)
        if end.stream.ended and not ended:
            end.closed = end.stream.closed
            yield from self._read(end)
            yield from self._answered(self.other(end), UNSURE)

    def _read(self, end: End) -> Iterator[Found]:
        while end.next != LOST:
            try:
                message = next(end.messages)
            except ProtocolError as error:
                self._lose((end,) if self._begun() else self._ends, str(error))
                yield from self._answered(self.other(end), UNSURE)
                return
            if end.client is not None:
                self._identify(end, client=end.client)
            if message is None:
                return
            yield Found(end, *message)
            if message[1] is not None:
                yield from self._note(end, self.other(end), message[1])

    def _identify(self, end: End, *, client: bool) -> None:
        end.client, self.other(end).client = client, not client

    def _note(self, sender: End, other: End, head: Head) -> Iterator[Found]:
        """What a message changes for those after it, and what it sets free."""
        if not head.status:
            if b"websocket" in head.elements(b"upgrade"):
                unanswered = other.stream.ended or other.next == LOST
                sender.next = FRAMES if self._switched else UNSURE if unanswered else WAITING
            return
        if 100 <= head.status < 200 and head.status != 101:
            return
        request = self._asked.popleft() if self._asked else None
        if head.status == 101:
            # One that does not say to what it switches has switched to what was asked for.
            upgrade = head.elements(b"upgrade") or (request.elements(b"upgrade") if request else [])
            self._switched = b"websocket" in upgrade
        if self._switched:
            sender.next = FRAMES
            if other.next == MESSAGES:
                other.next = UNSURE
            yield from self._answered(other, FRAMES)
        elif head.status == 101 or (request and opens_tunnel(head.status, request.method)):
            self._lose(self._ends, "another protocol begins")
        elif not self._asked:
            yield from self._answered(other, MESSAGES)

    def _answered(self, end: End, following: str) -> Iterator[Found]:
        """It is known what follows a request to switch."""
        if end.next == WAITING:
            end.next = following
        yield from self._read(end)

    def _begun(self) -> bool:
        """Whether it is known to be HTTP."""
        return any(end.begun for end in self._ends)

    def _lose(self, ends: tuple[End, ...], why: str) -> None:
        """Read no more from there."""
        for end in ends:
            end.next = LOST
            end.buffer.clear()
            if self._begun():
                log_runtime.warning(
                    "WebSocketSession: %s port %d is not read any further: %s", *end.address, why
                )


class WebSocketSession(DefaultSession):
    """Gives HTTP messages and WebSocket frames, each as a packet of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: dict[frozenset[Address], Connection] = {}
        self._closed: deque[Connection] = deque()

    def recv(self, sock: Any) -> Iterator[Packet]:
        """Called by ``sniff`` for each packet; gives none, one or several."""
        packet = sock.recv()
        packet = self.process(packet) if packet else None
        if packet:
            yield from self._taken(packet)

    def _taken(self, packet: Packet) -> Iterator[Packet]:
        tcp: Any = packet.getlayer(TCP)
        network = tcp and tcp.underlayer
        while network and not isinstance(network, (IP, IPv6)):
            network = network.underlayer
        if not network:
            yield packet
            return
        data, cut = _data(network, tcp)
        if _is_fragment(network):
            yield _as_it_is(packet, data)
            return
        flags = int(tcp.flags)
        connection, end = self._find((network.src, tcp.sport), (network.dst, tcp.dport), tcp.seq, flags)
        if data:
            end.packet = packet
        was_over, given = connection.over(), False
        for found in connection.receive(end, tcp.seq, flags, data, cut):
            given = True
            yield _on_top(found.sender.packet, packet.time, found.raw, found.head)
        if not data or (not given and (end.next == LOST or flags & (TCP_FIN | TCP_RST))):
            yield _as_it_is(packet, data)
        if connection.over() and not was_over:
            self._keep_for_a_while(connection)

    def _find(
        self, source: Address, destination: Address, sequence: int, flags: int
    ) -> tuple[Connection, End]:
        key = frozenset((source, destination))
        connection = self._connections.get(key)
        if connection is None or connection.is_another(connection.end(source), sequence, flags):
            connection = self._connections[key] = Connection(source, destination)
        return connection, connection.end(source)

    def _keep_for_a_while(self, connection: Connection) -> None:
        self._closed.append(connection)
        if len(self._closed) > MOST_CLOSED:
            oldest = self._closed.popleft()
            if self._connections.get(oldest.key) is oldest:
                del self._connections[oldest.key]


def _is_fragment(network: Packet) -> bool:
    if isinstance(network, IP):
        return bool(network.flags.MF or network.frag)
    fragment = network.getlayer(IPv6ExtHdrFragment)
    return fragment is not None and bool(fragment.m or fragment.offset)


def _data(network: Packet, tcp: Packet) -> tuple[bytes, int]:
    """The data of a segment as captured, and how many bytes of it the snap length cut away."""
    captured: bytes = tcp.original or bytes(tcp)  # IPSession builds packets anew, and leaves the length open
    start = (tcp.dataofs or 5) * 4
    if isinstance(network, IP):
        size = (network.len or 0) - (network.ihl or 5) * 4
    else:
        size = network.plen - (len(network.payload.original) - len(captured))
    data = captured[start:]
    return data, max(0, size - start - len(data))


def _as_it_is(packet: Packet, data: bytes) -> Packet:
    """A packet that completes no message, and does not look as if it did: on port 80 Scapy may see HTTP in it."""
    if data and HTTP in packet:
        packet = packet.copy()
        packet[TCP].remove_payload()
        packet[TCP].add_payload(Raw(data))
    return packet


def _on_top(packet: Packet, time: Any, raw: bytes, head: Head | None) -> Packet:
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
    tcp.add_payload(WebSocket(raw) if head is None else _http(raw, head))
    return packet


def _http(raw: bytes, head: Head) -> Packet:
    """An HTTP message: its fields as Scapy dissects them, its bytes as they were."""
    message = (HTTPResponse if head.status else HTTPRequest)(LINE_END.sub(b"\r\n", head.data))
    if head.status:  # Scapy does not split a status line without a reason phrase
        version, status, *reason = head.data.split(b"\n")[0].strip().split(None, 2)
        message.fields.update(Http_Version=version, Status_Code=status, Reason_Phrase=b"".join(reason))
    message.raw_packet_cache = head.data
    content = raw[len(head.data) :]
    if content and b"Upgrade" in (message.Connection or b""):
        message.add_payload(Raw(content))  # which Scapy would take for HTTP/2
    elif content:
        chunks = head.chunks if head.status and conf.contribs["http"]["auto_chunk"] else None
        # Scapy does not read chunk extensions, and a thousand chunks take it a thousand times as long as one.
        coded = _one_chunk([raw[start:end] for start, end in chunks]) if chunks else content
        message.do_dissect_payload(coded)  # type: ignore[no-untyped-call]
        if coded is not content and isinstance(message.payload, Raw):
            message.payload.raw_packet_cache = content
    http = HTTP()
    http.add_payload(message)
    return http


def _one_chunk(contents: list[bytes]) -> bytes:
    content = b"".join(contents)
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
