# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill: what every byte of a capture was spent on, exact to the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..protocol.content import content_framing, content_spans
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.header import parse_header
from ..protocol.http1 import Request, Response, head_end
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
    billing = _Billing()
    rest = Bill(modelled=modelled)
    try:
        for event in billing.run(billing.noted(packets, rest)):
            billing.message(event)
    except CutShort:
        pass  # what was there is on the bill
    billing.leftovers()
    for bill, data in billing.billed.values():
        spent = sum(
            bill.parts[part] for part in ("content", "payload", "http head", "frame header", "handshake")
        )
        bill.parts["other"] += data - spent
        bill.modelled = modelled
    by_connection = {index: bill for index, (bill, _) in billing.billed.items()}
    return sum(by_connection.values(), rest), by_connection


class _Billing(Follower):
    """Follows the connections once more, and puts every packet and every message on a bill."""

    def __init__(self) -> None:
        super().__init__([])
        self.billed: dict[
            int, tuple[Bill, int]
        ] = {}  # of a connection: its bill, and the bytes of data on it
        self._seen: dict[int, Connection] = {}
        self._asked: dict[int, deque[int]] = {}  # sizes of the heads of requests that wait for their response
        self._captured = 0  # bytes of the packet that is being read
        self._noticed = False

    def noted(self, packets: Iterable[Packet], rest: Bill) -> Iterator[Packet]:
        """The packets as they are; those of no connection are put on ``rest``."""
        for packet in packets:
            self._captured, self._noticed = len(packet.data), False
            yield packet
            if not self._noticed:
                rest.packets += 1
                rest.parts["other"] += len(packet.data)

    def noticed(self, connection: Connection, segment: Segment) -> None:
        """Put the headers of a packet on its connection's bill."""
        self._noticed = True
        self._seen[connection.index] = connection
        bill, data = self.billed.get(connection.index) or (Bill(connections=1), 0)
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
        self.billed[connection.index] = bill, data + size

    def message(self, event: Event) -> None:
        """Put a message on its connection's bill."""
        if event.found is not None:
            self._found(event.connection, event.found, event.request_method)

    def leftovers(self) -> None:
        """The same for messages that were not complete when the capture ended."""
        for connection in self._seen.values():
            for sender in SENDERS:
                found = connection.exchange.unfinished(sender)
                if found is not None:
                    method = connection.methods[0] if connection.methods else None
                    self._found(connection.index, found, method)

    def _found(self, connection: int, found: Found, method: str | None) -> None:
        parts = self.billed[connection][0].parts
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
