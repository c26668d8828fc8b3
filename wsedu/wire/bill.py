# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill: what every byte of a capture was spent on, exact to the last one."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from ..protocol.content import content_framing, content_spans
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import parse_header
from ..protocol.http1 import Request, Response, head_end
from ..protocol.spans import Kind
from .connections import CaptureReader, Connection
from .exchange import OTHER
from .message import CapturedMessage
from .packets import ACK, Segment
from .pcapfile import CutShort, Packet

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


class Billing(CaptureReader):
    """Follows the connections once more, packet by packet, and puts every packet and every message on a bill."""

    def __init__(self, modelled: bool = False) -> None:
        super().__init__([])
        self._modelled = modelled
        self._rest = Bill(modelled=modelled)  # of packets of no connection
        # Of a connection: its bill, and the bytes of data on it.
        self._billed: dict[int, tuple[Bill, int]] = {}
        self._seen: dict[int, Connection] = {}
        self._asking: dict[int, int] = {}  # bytes of the head that asked to switch, until it is answered
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
        found = {}
        for index, (so_far, data) in self._billed.items():
            bill = found[index] = deepcopy(so_far)
            exchange = self._seen[index].exchange
            for sender in OTHER:
                part = exchange.unfinished(sender)
                if part is not None and part.head is None:
                    _frame(bill.parts, part.raw)
                elif part is not None and part.head is not None:
                    _http(bill.parts, part.head, part.raw, part.request_method)
            bill.parts["other"] += data - sum(bill.parts[part] for part in EXPLAINED)
        return sum(found.values(), self._rest), found

    def noticed(self, connection: Connection, segment: Segment) -> None:
        """Put the headers of a packet on its connection's bill."""
        self._noticed = True
        self._seen[connection.index] = connection
        bill, data = self._billed.get(connection.index) or (Bill(connections=1, modelled=self._modelled), 0)
        # The snap length may have cut inside the TCP header, behind what tells sequence number and flags.
        ip_at, tcp_at, data_at = segment.places
        data_at, size = min(data_at, self._captured), len(segment.payload)
        bill.packets += 1
        if segment.flags == ACK and not size and not segment.cut:
            bill.parts["acknowledgements"] += self._captured
        else:
            bill.parts["link"] += ip_at
            bill.parts["ip"] += tcp_at - ip_at
            bill.parts["tcp"] += data_at - tcp_at
            bill.parts["other"] += self._captured - data_at - size  # padding
        self._billed[connection.index] = bill, data + size

    def _messages(self, messages: Iterable[CapturedMessage]) -> None:
        """Put messages on their connections' bills."""
        for message in messages:
            parts = self._billed[message.conversation][0].parts
            if message.header is not None:
                parts["frame header"] += message.header.size
                parts["payload"] += len(message.payload)
            elif message.head is not None:
                size = _http(parts, message.head, message.raw, message.request_method)
                self._handshake(parts, message, size)

    def _handshake(self, parts: dict[str, int], message: CapturedMessage, size: int) -> None:
        """The two heads of an opening handshake have a part of their own, once it is known that they are."""
        head, index = message.head, message.conversation
        switched = self._seen[index].exchange.switched
        if isinstance(head, Request):
            asks = "websocket" in head.field_tokens("Upgrade")
            # The last request before a 101 is the one it answers: the client waits for it.
            self._asking[index] = size if asks and not switched else 0
            size = size if asks and switched else 0  # captured behind its 101
        elif isinstance(head, Response) and head.status == 101 and switched:
            size += self._asking.pop(index, 0)
        else:
            size = 0
        parts["http head"] -= size
        parts["handshake"] += size


def _frame(parts: dict[str, int], raw: bytes) -> None:
    try:
        size = min(parse_header(raw).size, len(raw))
    except NeedMoreData:
        size = len(raw)
    except ProtocolError:
        return  # its boundaries cannot be read: "other"
    parts["frame header"] += size
    parts["payload"] += len(raw) - size


def _http(parts: dict[str, int], head: Request | Response, raw: bytes, method: str | None) -> int:
    """Put a request or a response on a bill, or what is there of it; gives the length of its head."""
    size = head_end(raw)
    parts["http head"] += size
    try:
        spans = content_spans(raw[size:], content_framing(head, method))
    except ProtocolError:
        return size  # where the content ends cannot be read: "other"
    for span in spans:
        parts["content" if span.kind == Kind.CONTENT else "http head"] += span.end - span.start
    return size
