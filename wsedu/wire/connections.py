# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets to messages: which packet belongs to which connection, and who of the two is the client."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.http1 import Request, Response
from .exchange import OTHER, Exchange, Found, Sender
from .exchange import Unreadable as UnreadableStream
from .packets import ACK, FIN, RST, SYN, Address, Segment, endpoint, segment_of
from .packets import Unreadable as UnreadablePacket
from .pcapfile import CutShort, Packet
from .streams import Gap, Piece, Stream


class Event(NamedTuple):
    """A message that became complete, or a gap that became certain."""

    connection: int
    client: str
    server: str
    sender: Sender
    time: int  # nanoseconds since 1970, of the packet that completed it
    origin: int  # the same of the file's first packet
    found: Found | None  # None for a gap
    missing: int
    packets: tuple[int, ...]
    request_method: str | None


class Side:
    """One endpoint's sending half."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.stream = Stream()
        self.length = 0  # bytes that came in order
        self.carriers: deque[tuple[int, int]] = deque()  # end in the stream, packet
        self.early: list[tuple[bytes, int]] = []  # pieces that came before it was known who the client is


class Connection:
    """One TCP connection: its two sides, and what is said on it."""

    def __init__(self, index: int, first: Address, second: Address, origin: int) -> None:
        self.index, self.origin = index, origin
        self.sides = {first: Side(first), second: Side(second)}
        self.client: Address | None = None
        self.initial: int | None = None  # sequence number of the client's SYN
        self.exchange = Exchange()
        self.readable = True
        self.said = False
        self.methods: deque[str] = deque()

    def over(self) -> bool:
        return all(side.stream.ended for side in self.sides.values())

    def sender(self, side: Side) -> Sender:
        return "client" if side.address == self.client else "server"

    def side(self, sender: Sender) -> Side:
        return next(side for side in self.sides.values() if self.sender(side) == sender)

    def name(self) -> str:
        first, second = self.sides
        client = self.client or first
        return f"conversation {self.index} ({endpoint(client)} to {endpoint(second if client == first else first)})"


def follow(packets: Iterable[Packet], warnings: list[str]) -> Iterator[Event]:
    """The messages in a capture, in the order in which each became complete.

    Args:
        packets: as ``read_packets`` gives them.
        warnings: takes a line for each thing that could not be read.

    Raises:
        CutShort: from ``packets``, after everything before the cut was given.
    """
    return Follower(warnings).run(packets)


class Follower:
    """Follows every connection of a capture; ``follow`` is the way in."""

    def __init__(self, warnings: list[str]) -> None:
        self.warnings = warnings
        self.connections: dict[tuple[Address, Address], Connection] = {}
        self.count = 0
        self.origin = 0
        self.now = 0
        self.skipped: dict[str, int] = {}

    def run(self, packets: Iterable[Packet]) -> Iterator[Event]:
        """All packets, one after the other; see ``follow``."""
        cut: CutShort | None = None
        try:
            for index, packet in enumerate(packets):
                yield from self.packet(index, packet)
        except CutShort as error:
            cut = error
        yield from self.finish(whole=cut is None)
        if cut is not None:
            raise cut

    def packet(self, index: int, packet: Packet) -> Iterator[Event]:
        """What the next packet completes."""
        if not index:
            self.origin = packet.time
        self.now = packet.time
        try:
            segment = segment_of(packet.link_type, packet.data)
        except UnreadablePacket as error:
            self.skipped[str(error)] = self.skipped.get(str(error), 0) + 1
            return
        if segment is not None:
            yield from self.segment(segment, index)

    def finish(self, *, whole: bool) -> Iterator[Event]:
        """What the end of the file shows; ``whole`` unless it is cut short."""
        if whole:
            # Of a file cut short one cannot say that a late segment would not have come.
            for connection in list(self.connections.values()):
                yield from self._finish(connection)
        for reason, times in self.skipped.items():
            self.warnings.append(f"{reason} ({times:,} packet{'s' * (times != 1)})")

    def segment(self, segment: Segment, index: int) -> Iterator[Event]:
        """What the segment in a packet completes."""
        key = (segment.source, segment.destination)
        connection = self.connections.get(key)
        opens = segment.flags & (SYN | ACK) == SYN
        if connection is not None and opens and self._is_new(connection, segment):
            yield from self._finish(connection)
            connection = None
        if connection is None:
            connection = Connection(self.count, *key, self.origin)
            self.count += 1
            self.connections[key] = self.connections[key[::-1]] = connection
        self.noticed(connection, segment)
        if segment.flags & SYN and connection.client is None:
            connection.client = segment.source if opens else segment.destination
            yield from self._identified(connection)
        if opens:
            connection.initial = segment.sequence
        yield from self._bytes(connection, segment, index)

    def noticed(self, connection: Connection, segment: Segment) -> None:
        """Called for each segment before its bytes are read; for whoever counts packets."""

    @staticmethod
    def _is_new(connection: Connection, segment: Segment) -> bool:
        """Whether a SYN opens a further connection between the same addresses, or is the same one again."""
        if connection.initial is None or connection.client != segment.source:
            return connection.sides[segment.source].stream.next is not None
        return connection.initial != segment.sequence

    def _bytes(self, connection: Connection, segment: Segment, index: int) -> Iterator[Event]:
        side = connection.sides[segment.source]
        sequence = segment.sequence + 1 if segment.flags & SYN else segment.sequence
        if not connection.readable:
            return
        fin = bool(segment.flags & FIN)
        for item in side.stream.receive(sequence, segment.payload, segment.cut, fin, index):
            if isinstance(item, Piece):
                yield from self._piece(connection, side, item)
            else:
                yield from self._gap(connection, side, item)
        if segment.flags & RST:
            # Its sender has given up, and takes nothing any more either.
            for each in connection.sides.values():
                each.stream.reset()
        if side.stream.ended or segment.flags & RST:
            yield from self._ended(connection, side)

    def _piece(self, connection: Connection, side: Side, piece: Piece) -> Iterator[Event]:
        side.length += len(piece.data)
        side.carriers.append((side.length, piece.packet))
        if connection.client is None:
            side.early.append((piece.data, piece.packet))
            self._recognize(connection, side)
            yield from self._identified(connection)
        else:
            yield from self.read(connection, connection.sender(side), piece.data)

    def _recognize(self, connection: Connection, side: Side) -> None:
        """Without a SYN the client is the one who sends the first request, whatever the ports."""
        data = b"".join(piece for piece, _ in side.early)
        other = next(address for address in connection.sides if address != side.address)
        for parse, client in (Request.parse, side.address), (Response.parse, other):
            try:
                parse(data, strict=False)
            except NeedMoreData:
                if b"\n" not in data:
                    return
            except ProtocolError:
                continue
            connection.client = client
            return
        self._unreadable(connection, "neither HTTP nor WebSocket, or begins inside a message")

    def _identified(self, connection: Connection) -> Iterator[Event]:
        """Read what came before it was known who the client is."""
        if connection.client is None:
            return
        for sender in ("client", "server"):
            side = connection.side(sender)
            early, side.early = side.early, []
            for data, _ in early:
                yield from self.read(connection, connection.sender(side), data)

    def read(self, connection: Connection, sender: Sender, data: bytes) -> Iterator[Event]:
        """What the next bytes from a sender complete."""
        if not connection.readable:
            return
        try:
            for found in connection.exchange.receive(sender, data):
                yield self._event(connection, found)
        except UnreadableStream as error:
            if connection.exchange.begun(sender) or connection.said:
                self.warnings.append(f"{connection.name()}: the {sender} is not read any further: {error}")
            else:
                self._unreadable(
                    connection, f"neither HTTP nor WebSocket, or begins inside a message: {error}"
                )

    def _unreadable(self, connection: Connection, why: str) -> None:
        connection.readable = False
        for side in connection.sides.values():
            side.stream.reset()
            side.early.clear()
        self.warnings.append(f"{connection.name()}: {why}")

    def _event(self, connection: Connection, found: Found) -> Event:
        connection.said = True
        side = connection.side(found.sender)
        method = None
        if found.kind == "request" and isinstance(found.head, Request):
            connection.methods.append(found.head.method)
        elif isinstance(found.head, Response):
            final = found.head.status >= 200 or found.head.status == 101
            if connection.methods:
                method = connection.methods.popleft() if final else connection.methods[0]
        return self._made(connection, side, found, 0, self._carried(side, found), method)

    @staticmethod
    def _carried(side: Side, found: Found) -> tuple[int, ...]:
        """The packets that carried a message; forgets those that end before its end."""
        start, end = found.start, found.start + len(found.raw)
        while side.carriers and side.carriers[0][0] <= start:
            side.carriers.popleft()
        packets = []
        for stop, packet in side.carriers:
            packets.append(packet)
            if stop >= end:
                break
        return tuple(packets)

    def _made(
        self,
        connection: Connection,
        side: Side,
        found: Found | None,
        missing: int,
        packets: tuple[int, ...],
        method: str | None = None,
    ) -> Event:
        sender = connection.sender(side)
        client, server = connection.side("client").address, connection.side("server").address
        return Event(
            connection.index,
            endpoint(client),
            endpoint(server),
            sender,
            self.now,
            self.origin,
            found,
            missing,
            packets,
            method,
        )

    def _gap(self, connection: Connection, side: Side, gap: Gap) -> Iterator[Event]:
        if connection.client is not None and connection.readable:
            yield self._made(connection, side, None, gap.missing, (gap.packet,))

    def _ended(self, connection: Connection, side: Side) -> Iterator[Event]:
        if connection.client is None or not connection.readable:
            return
        sender = connection.sender(side)
        for each in (sender, OTHER[sender]):
            stream = connection.side(each).stream
            if stream.ended:
                try:
                    for found in connection.exchange.end(each, whole=stream.closed):
                        yield self._event(connection, found)
                except UnreadableStream as error:
                    self.warnings.append(f"{connection.name()}: the {each} is not read any further: {error}")

    def _finish(self, connection: Connection) -> Iterator[Event]:
        """No packet of this connection will follow."""
        for side in connection.sides.values():
            for gap in side.stream.give_up():
                yield from self._gap(connection, side, gap)
                yield from self._ended(connection, side)
