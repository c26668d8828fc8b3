# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill: what every byte of a capture was spent on, exact to the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from ..protocol.content import content_framing, content_spans
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.head_lines import head_end
from ..protocol.header import parse_header
from ..protocol.http1 import Request, Response
from ..protocol.spans import Kind
from .connections import Connection, Event, Follower
from .exchange import Found, Sender
from .packets import ACK, FIN, RST, SYN, Segment
from .pcapfile import CutShort, Packet

SENDERS: tuple[Sender, ...] = ("client", "server")

PARTS = (
    "content",
    "payload",
    "http head",
    "frame header",
    "handshake",
    "tcp",
    "ip",
    "link",
    "acknowledgements",
    "other",
)
EXPLAINED = ("content", "payload", "http head", "frame header", "handshake")
"""The parts that are data of TCP."""


@dataclass
class Bill:
    """Bytes by what they were spent on.

    Attributes:
        parts: bytes of each of ``PARTS``. "handshake" is the two heads of an opening handshake; "acknowledgements" are
            whole packets with only ACK set and no data; "link", "ip" and "tcp" the headers of all other packets, those
            with SYN, FIN and RST among them; chunk framing is "http head" and a masking key "frame header";
            retransmitted bytes, padding, what is neither HTTP nor WebSocket and other protocols are "other".
        packets: how many.
        connections: how many TCP connections.
        modelled: whether TCP/IP was made up by the relay of ``record``.
    """

    parts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    packets: int = 0
    connections: int = 0
    modelled: bool = False

    @property
    def total_bytes(self) -> int:
        """The sum of the parts, which is the sum of the captured packet lengths."""
        return sum(self.parts.values())

    def __add__(self, other: Bill) -> Bill:
        parts = {part: self.parts[part] + other.parts[part] for part in PARTS}
        modelled = self.modelled or other.modelled
        return Bill(parts, self.packets + other.packets, self.connections + other.connections, modelled)


def bills(packets: Iterable[Packet], *, modelled: bool = False) -> tuple[Bill, dict[int, Bill]]:
    """The bill of a whole capture, and that of each connection by its number.

    Packets that are no TCP are in the first only, as "other". ``modelled`` goes onto each bill.
    """
    billing = Billing(modelled)
    try:
        for packet in packets:
            billing.add(packet)
        billing.end()
    except CutShort:
        billing.end(whole=False)  # what was there is on the bill
    return billing.bills()


class Billing(Follower):
    """Follows the connections once more, packet by packet, and puts every packet and every message on a bill."""

    def __init__(self, modelled: bool = False) -> None:
        super().__init__([])
        self._modelled = modelled
        self._rest = Bill(modelled=modelled)  # of packets of no connection
        # Of a connection: its bill, and the bytes of data on it.
        self._billed: dict[int, tuple[Bill, int]] = {}
        self._seen: dict[int, Connection] = {}
        self._asked: dict[int, deque[int]] = {}  # sizes of the heads of requests that wait for their response
        self._packets = 0
        self._captured = 0  # bytes of the packet that is being read
        self._noticed = False

    def add(self, packet: Packet) -> None:
        """Put the next packet on a bill, and the messages that it completes."""
        index, self._packets = self._packets, self._packets + 1
        self._captured, self._noticed = len(packet.data), False
        self._messages(self.packet(index, packet))
        if not self._noticed:
            self._rest.packets += 1
            self._rest.parts["other"] += self._captured

    def end(self, *, whole: bool = True) -> None:
        """No packet will follow; ``whole`` unless the file is cut short."""
        self._messages(self.finish(whole=whole))

    def bills(self) -> tuple[Bill, dict[int, Bill]]:
        """The bills as they stand, what is there of messages that are not complete counted; more may be added."""
        kept = self._billed, self._asked
        self._billed, self._asked = deepcopy(kept)
        self._leftovers()
        found, (self._billed, self._asked) = self._billed, kept
        for bill, data in found.values():
            bill.parts["other"] += data - sum(bill.parts[part] for part in EXPLAINED)
        by_connection = {index: bill for index, (bill, _) in found.items()}
        return sum(by_connection.values(), self._rest), by_connection

    def noticed(self, connection: Connection, segment: Segment) -> None:
        """Put the headers of a packet on its connection's bill."""
        self._noticed = True
        self._seen[connection.index] = connection
        bill, data = self._billed.get(connection.index) or (Bill(connections=1, modelled=self._modelled), 0)
        ip_at, tcp_at, data_at = segment.places
        size = len(segment.payload)
        bill.packets += 1
        flags = segment.flags & (SYN | FIN | RST | ACK)
        if flags == ACK and not size and not segment.cut:
            bill.parts["acknowledgements"] += self._captured
        else:
            bill.parts["link"] += ip_at
            bill.parts["ip"] += tcp_at - ip_at
            bill.parts["tcp"] += data_at - tcp_at
            bill.parts["other"] += self._captured - data_at - size  # padding
        self._billed[connection.index] = bill, data + size

    def _messages(self, events: Iterable[Event]) -> None:
        """Put messages on their connections' bills."""
        for event in events:
            if event.found is not None:
                self._found(event.connection, event.found, event.request_method)

    def _leftovers(self) -> None:
        """The same for messages that are not complete."""
        for connection in self._seen.values():
            for sender in SENDERS:
                found = connection.exchange.unfinished(sender)
                if found is not None:
                    method = connection.methods[0] if connection.methods else None
                    self._found(connection.index, found, method)

    def _found(self, connection: int, found: Found, method: str | None) -> None:
        parts = self._billed[connection][0].parts
        if found.head is None:
            _frame(parts, found.raw)
            return
        size = head_end(found.raw)
        parts["http head"] += size
        asked = self._asked.setdefault(connection, deque())
        if isinstance(found.head, Request):
            asked.append(size)
        elif found.head.status >= 200 or found.head.status == 101:
            request = asked.popleft() if asked else 0
            if found.head.status == 101 and "websocket" in found.head.field_tokens("Upgrade"):
                parts["http head"] -= request + size
                parts["handshake"] += request + size
        _content(parts, found.head, found.raw[size:], method)


def _frame(parts: dict[str, int], raw: bytes) -> None:
    try:
        size = min(parse_header(raw).size, len(raw))
    except NeedMoreData:
        size = len(raw)
    except ProtocolError:
        return  # its boundaries cannot be read: "other"
    parts["frame header"] += size
    parts["payload"] += len(raw) - size


def _content(parts: dict[str, int], head: Request | Response, raw: bytes, method: str | None) -> None:
    try:
        spans = content_spans(raw, content_framing(head, method))
    except ProtocolError:
        return
    for span in spans:
        parts["content" if span.kind == Kind.CONTENT else "http head"] += span.end - span.start
