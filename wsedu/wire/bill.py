# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill: what every byte of a capture was spent on, exact to the last one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..protocol.http1 import Request, Response
from .connections import Endpoint, MessageOrGap, TcpConnection, TcpReader
from .key_log import KeyLog
from .message_parser import Packets, ParsedMessage, Spent, Unfinished
from .packets import ACK, Segment
from .pcapfile import Packet

PARTS = (
    "content", "payload", "http head", "frame header", "handshake", "http2 frame", "tls", "tcp", "ip",
    "link", "acknowledgements", "other",
)  # fmt: skip


@dataclass(slots=True)
class Bill:
    """Bytes by what they were spent on.

    Attributes:
        parts: bytes of each of ``PARTS``. "handshake" is the two heads of an opening handshake; "acknowledgements" are
            whole packets with only ACK set and no data; "link", "ip" and "tcp" the headers of all other packets, those
            with SYN, FIN and RST among them; "http2 frame" the preface, frame headers and padding of HTTP/2, and
            frames that carry neither fields nor content; "tls" its handshake and what records add to what they carry,
            or all of them where there are no keys; chunk framing is "http head" and a masking key "frame header";
            retransmitted bytes, padding, what is neither HTTP nor WebSocket and other protocols are "other".
        packets: how many.
        connections: how many TCP connections.
        modelled: whether TCP/IP was made up by the relay of ``record``.
        complete: whether the recording has every packet.
    """

    parts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    packets: int = 0
    connections: int = 0
    modelled: bool = False
    complete: bool = True

    @property
    def total_bytes(self) -> int:
        """The sum of the parts, which is the sum of the captured packet lengths."""
        return sum(self.parts.values())

    def __add__(self, other: Bill) -> Bill:
        parts = {part: self.parts[part] + other.parts[part] for part in PARTS}
        modelled = self.modelled or other.modelled
        packets, connections = self.packets + other.packets, self.connections + other.connections
        return Bill(parts, packets, connections, modelled, self.complete and other.complete)


class Billing(TcpReader[None]):
    """Follows the connections once more, packet by packet, and puts every packet and every message on a bill.

    Data of a packet is "other" when it comes, and moves to the part that explains it with the message it belongs to.

    Attributes:
        total: of all packets so far, without what is there of messages that are not complete.
        conversations: the same of each connection that has messages, and of those that may still have some.
    """

    def __init__(self, modelled: bool = False, ports: Collection[int] = (), keys: KeyLog | None = None) -> None:
        super().__init__([], ports=ports, keys=keys)
        self.total = Bill(modelled=modelled)
        self.conversations: dict[int, Bill] = {}
        self._asking: dict[int, int] = {}  # bytes of the head that asked to switch, until it is answered
        self._told: set[int] = set()  # connections that have messages
        self._captured = 0  # bytes of the packet that is being read

    def add(self, packet: Packet) -> None:
        """Put the next packet on a bill, and the messages that it completes."""
        index, self.total.packets = self.total.packets, self.total.packets + 1
        self._captured = len(packet.data)
        self.total.parts["other"] += self._captured  # as long as it is not known to be TCP
        for _ in self.packet(index, packet):
            pass

    def so_far(self) -> Bill:
        """The bill as it stands, what is there of messages that are not complete counted; more may be added."""
        bill = replace(self.total, parts=dict(self.total.parts))
        for connection in set(self.connections.values()):
            for side in connection.first, connection.second:
                if (message := side.unfinished()) and message.stream is None:
                    _explain([bill], message, message.there)
        return bill

    def noticed(self, connection: TcpConnection, segment: Segment) -> None:
        """Put a packet on the bills, by its layers."""
        self.total.parts["other"] -= self._captured
        if connection.index not in self.conversations:
            self.total.connections += 1
            self.conversations[connection.index] = Bill(connections=1, modelled=self.total.modelled)
        self.conversations[connection.index].packets += 1
        # The snap length may have cut inside the TCP header, behind what tells sequence number and flags.
        ip_at, tcp_at, data_at = segment.places
        data_at = min(data_at, self._captured)
        bills = self._bills(connection)
        if segment.flags == ACK and not segment.payload and not segment.cut:
            _put(bills, acknowledgements=self._captured)
        else:
            rest = self._captured - data_at  # data, and padding
            _put(bills, link=ip_at, ip=tcp_at - ip_at, tcp=data_at - tcp_at, other=rest)

    def made(self, connection: TcpConnection, side: Endpoint, packets: Packets, what: MessageOrGap) -> None:
        """Put a message on the bills."""
        self._told.add(connection.index)
        if isinstance(what, ParsedMessage) and (what.on_stream is None or what.kind == "frame"):
            bills = self._bills(connection)
            _explain(bills, what, len(what.raw))
            size = self._handshake(connection, what)
            _put(bills, **{"http head": -size, "handshake": size})

    def spent(self, connection: TcpConnection, what: Spent) -> None:
        """Put bytes on the bills whose message, if they are of any, may not be complete."""
        _put(self._bills(connection), **{what.before: -what.size, what.part: what.size})

    def left_unfinished(self, connection: TcpConnection, message: Unfinished) -> None:
        """Put what is there of a message on the bills."""
        if message.stream is None:
            _explain(self._bills(connection), message, message.there)

    def _forget(self, connection: TcpConnection) -> Iterator[None]:
        yield from super()._forget(connection)
        if connection.index not in self._told:
            self.conversations.pop(connection.index, None)  # nobody asks for it: or a port scan would have a million

    def _bills(self, connection: TcpConnection) -> tuple[Bill, Bill]:
        return self.total, self.conversations[connection.index]

    def _handshake(self, connection: TcpConnection, message: ParsedMessage) -> int:
        """Bytes that are the two heads of an opening handshake, once it is known that they are."""
        head, index, switched = message.head, connection.index, connection.exchange.switched
        if isinstance(head, Request):
            asks = "websocket" in head.field_tokens("Upgrade")
            # The last request before a 101 is the one it answers: the client waits for it.
            self._asking[index] = message.head_size if asks and not switched else 0
            return message.head_size if asks and switched else 0  # captured behind its 101
        if isinstance(head, Response) and head.status == 101 and switched:
            return message.head_size + self._asking.pop(index, 0)
        return 0


def _explain(bills: Iterable[Bill], message: ParsedMessage | Unfinished, size: int) -> None:
    """Move the bytes of a message to where they belong."""
    head, rest = ("frame header", "payload") if message.kind == "frame" else ("http head", "content")
    framing = message.framing_size
    _put(bills, **{"other": -size, head: framing, rest: size - framing})


def _put(bills: Iterable[Bill], **sizes: int) -> None:
    """Put bytes on bills, by parts."""
    for bill in bills:
        for part, size in sizes.items():
            bill.parts[part] += size
