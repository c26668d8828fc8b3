# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets to messages: which packet belongs to which connection, and who of the two is the client."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ..protocol.errors import ProtocolError, quoted
from ..protocol.http1 import begins_request, begins_response, split_request_line, split_status_line
from .codings import InflateBudget
from .exchange import LONGEST_HEAD, OTHER, Exchange, ParsedMessage, Sender, SyncLost
from .message import CapturedMessage, FrameMessage, GapMessage, HttpMessage
from .packets import ACK, FIN, PSH, RST, SYN, Address, Segment, Unreadable, endpoint, segment_of
from .pcapfile import CutShort, Packet
from .streams import SPACE, Gap, Piece, Stream

# Connections that are over and yet kept: packets of theirs may still come, late or twice, and shall not be taken for
# a new connection. No more than these, so that memory does not grow with a capture.
MOST_CLOSED = 1000


class Side:
    """One endpoint's sending half."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.stream = Stream()
        self.carriers: deque[tuple[int, int]] = deque()  # end in the stream, packet
        self.early = bytearray()  # what came before it was known who the client is
        self.gap: Gap | None = None  # until all before it was read
        self.syn: int | None = None  # sequence number of its SYN, or SYN/ACK
        self.fin = False


class Connection:
    """One TCP connection: its two sides, and what is said on it."""

    def __init__(
        self, index: int, first: Address, second: Address, budget: InflateBudget | None = None
    ) -> None:
        self.index = index
        self.first = Side(first)
        self.second = Side(second)
        self.client: Side | None = None
        self.exchange = Exchange(budget)
        self.readable = True
        self.doubted = False  # it was said that a retransmission may be none
        self.reset = False

    @property
    def over(self) -> bool:
        """Whether both have said that they will send no more, or one has given up."""
        return self.reset or (self.first.fin and self.second.fin)

    def at(self, address: Address) -> Side:
        """The side with this address."""
        return self.first if address == self.first.address else self.second

    def other(self, side: Side) -> Side:
        """The side that receives what this one sends."""
        return self.second if side is self.first else self.first

    def sender(self, side: Side) -> Sender:
        """The role of a side, once the client is known."""
        return "client" if side is self.client else "server"

    def side(self, sender: Sender) -> Side:
        """The side that has a role; before the client is known, the first to send counts as the client."""
        client = self.client or self.first
        return client if sender == "client" else self.other(client)

    def ends(self) -> tuple[str, str]:
        """Client and server, each as ``"ip:port"``."""
        return endpoint(self.side("client").address), endpoint(self.side("server").address)

    def name(self) -> str:
        """For people, on one line."""
        client, server = self.ends()
        return f"conversation {self.index} ({client} to {server})"

    def is_another(self, segment: Segment) -> bool:
        """Whether a SYN, or SYN/ACK, opens a further connection between the same addresses, or is an old one again."""
        side = self.at(segment.source)
        if side.syn is not None:
            return side.syn != segment.sequence or (self.over and not segment.flags & ACK)
        if side.stream.first is not None:
            return side.stream.first != (segment.sequence + 1) % SPACE
        # Nothing from there yet. Its peer may have been captured first, but then it has sent a SYN as well.
        return self.other(side).syn is None


class CaptureReader:
    """Follows every connection of a capture, packet by packet.

    Args:
        warnings: takes a line for each thing that could not be read.

    Attributes:
        names: client and server of each conversation that has messages.
    """

    def __init__(self, warnings: list[str]) -> None:
        self.warnings = warnings
        self.names: dict[int, tuple[str, str]] = {}
        self.connections: dict[
            tuple[Address, Address], Connection
        ] = {}  # each twice, by source and destination
        self.count = 0
        self.origin = 0
        self.now = 0
        self._closed: deque[Connection] = deque()
        self._skipped: dict[str, int] = {}
        self._budget = InflateBudget()

    def run(self, packets: Iterable[Packet]) -> Iterator[CapturedMessage]:
        """The messages in a capture, in the order in which each became complete.

        Args:
            packets: as ``read_packets`` gives them.

        Raises:
            CutShort: from ``packets``, after everything before the cut was given.
        """
        cut: CutShort | None = None
        try:
            for index, packet in enumerate(packets):
                yield from self.packet(index, packet)
        except CutShort as error:
            cut = error
        yield from self.finish(whole=cut is None)
        if cut is not None:
            raise cut

    def packet(self, index: int, packet: Packet) -> Iterator[CapturedMessage]:
        """What the next packet completes."""
        if not index:
            self.origin = packet.time
        self.now = packet.time
        try:
            segment = segment_of(packet.link_type, packet.data, packet.original_length)
        except Unreadable as error:
            self._skipped[str(error)] = self._skipped.get(str(error), 0) + 1
            return
        if segment is not None:
            yield from self.segment(segment, index)

    def finish(self, *, whole: bool) -> Iterator[CapturedMessage]:
        """What the end of the file shows; ``whole`` unless it is cut short."""
        if whole:
            # Of a file cut short one cannot say that a late segment would not have come.
            for connection in sorted(set(self.connections.values()), key=lambda each: each.index):
                yield from self._finish(connection)
        for reason, times in self._skipped.items():
            self.warnings.append(f"{reason} ({times:,} packet{'s' * (times != 1)})")
        if self._budget.refused:
            self.warnings.append(str(self._budget))

    def segment(self, segment: Segment, index: int) -> Iterator[CapturedMessage]:
        """What the segment in a packet completes."""
        key = (segment.source, segment.destination)
        connection = self.connections.get(key)
        if connection is not None and segment.flags & SYN and connection.is_another(segment):
            yield from self._finish(connection)
            connection = None
        if connection is None:
            connection = Connection(self.count, *key, self._budget)
            self.count += 1
            self.connections[key] = self.connections[key[::-1]] = connection
        self.noticed(connection, segment)
        side = connection.at(segment.source)
        if segment.flags & ACK:
            connection.other(side).stream.acknowledged = segment.acknowledgement
        if segment.flags & SYN:
            side.syn = segment.sequence
            if connection.client is None:
                connection.client = connection.other(side) if segment.flags & ACK else side
                yield from self._identified(connection)
        if (
            connection.readable and not segment.flags & RST
        ):  # what comes with RST is for people (RFC 9293, 3.5.3)
            yield from self._bytes(connection, side, segment, index)
        if segment.flags & (FIN | RST):
            yield from self._closing(connection, side, segment)

    def noticed(self, connection: Connection, segment: Segment) -> None:
        """Called for each segment before its bytes are read; for whoever counts packets."""

    def _bytes(
        self, connection: Connection, side: Side, segment: Segment, index: int
    ) -> Iterator[CapturedMessage]:
        sequence = segment.sequence + bool(segment.flags & SYN)
        fin, pushed, stream = bool(segment.flags & FIN), bool(segment.flags & PSH), side.stream
        for item in stream.receive(sequence, segment.payload, segment.cut, fin, index, pushed=pushed):
            if isinstance(item, Gap):
                side.gap = item
                yield from self._gap(connection, side)
            else:
                yield from self._piece(connection, side, item)
        if stream.doubt and not connection.doubted:  # said once, for it may be so of every segment
            connection.doubted = True
            self.warnings.append(
                f"{connection.name()}: {stream.doubt} from {endpoint(side.address)}, taken for a retransmission "
                f"with other content and left out (packet {index}, and perhaps more)"
            )
        if stream.ended:
            yield from self._ended(connection, side)

    def _closing(self, connection: Connection, side: Side, segment: Segment) -> Iterator[CapturedMessage]:
        """Note FIN and RST. Bytes may still be late or under way, so a connection that is over is kept for a while."""
        was_over = connection.over
        side.fin = side.fin or bool(segment.flags & FIN)
        connection.reset = connection.reset or bool(segment.flags & RST)
        if connection.over and not was_over:
            self._closed.append(connection)
            if len(self._closed) > MOST_CLOSED:
                yield from self._forget(self._closed.popleft())

    def _forget(self, connection: Connection) -> Iterator[CapturedMessage]:
        ends = connection.first.address, connection.second.address
        if self.connections.get(ends) is connection:
            yield from self._finish(connection)
            del self.connections[ends], self.connections[ends[::-1]]

    def _piece(self, connection: Connection, side: Side, piece: Piece) -> Iterator[CapturedMessage]:
        side.carriers.append((side.stream.length, piece.packet))
        if connection.client is None:
            side.early += piece.data
            self._recognize(connection, side)
            yield from self._identified(connection)
        else:
            yield from self.read(connection, connection.sender(side), piece.data)

    def _recognize(self, connection: Connection, side: Side) -> None:
        """Without a SYN the client is the one who sends the first request, whatever the ports."""
        line, newline, _ = bytes(side.early).lstrip(b"\r\n").partition(b"\n")
        if (
            not newline
            and len(side.early) <= LONGEST_HEAD
            and (begins_request(line) or begins_response(line))
        ):
            return
        for split, client in (split_request_line, side), (split_status_line, connection.other(side)):
            try:
                split(line)
            except ProtocolError:
                continue
            connection.client = client
            return
        self._unreadable(connection, f"it begins with {quoted(line)}")

    def _identified(self, connection: Connection) -> Iterator[CapturedMessage]:
        """Read what came before it was known who the client is."""
        if connection.client is None:
            return
        for side in connection.side("client"), connection.side("server"):
            early, side.early = bytes(side.early), bytearray()
            if early:
                yield from self.read(connection, connection.sender(side), early)
            yield from self._gap(connection, side)
            if side.stream.ended:
                yield from self._ended(connection, side)

    def read(self, connection: Connection, sender: Sender, data: bytes) -> Iterator[CapturedMessage]:
        """What the next bytes from a sender complete."""
        yield from self._found(connection, connection.exchange.receive(sender, data))

    def _found(
        self, connection: Connection, items: Iterator[ParsedMessage | SyncLost]
    ) -> Iterator[CapturedMessage]:
        for item in items:
            if isinstance(item, ParsedMessage):
                side = connection.side(item.sender)
                yield self._message(connection, side, self._carried(side, item), item)
            elif connection.exchange.begun():
                self.warnings.append(
                    f"{connection.name()}: the {item.sender} is not read any further: {item.why}"
                )
            else:
                self._unreadable(connection, item.why)
        for sender in OTHER:
            side = connection.side(sender)
            if connection.exchange.lost(sender):
                side.stream.end()
            if side.gap is not None:
                yield from self._gap(connection, side)

    def _unreadable(self, connection: Connection, why: str) -> None:
        connection.readable = False
        for side in connection.first, connection.second:
            side.stream.end()
            side.early.clear()
        self.warnings.append(
            f"{connection.name()}: neither HTTP nor WebSocket, or begins inside a message: {why}"
        )

    @staticmethod
    def _carried(side: Side, found: ParsedMessage) -> tuple[int, ...]:
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

    def _message(
        self,
        connection: Connection,
        side: Side,
        packets: tuple[int, ...],
        found: ParsedMessage | None,
        missing: int = 0,
    ) -> CapturedMessage:
        """A message that became complete, or a gap that became certain."""
        if connection.index not in self.names:
            self.names[connection.index] = connection.ends()
        place = connection.index, connection.sender(side), (self.now - self.origin) / 1e9, packets
        if found is None:
            return GapMessage(*place, missing)
        if found.kind == "frame":
            return FrameMessage(*place, found.raw[: len(found.raw) - len(found.content)], found.content)
        return HttpMessage(*place, found)

    def _gap(self, connection: Connection, side: Side) -> Iterator[CapturedMessage]:
        """Tell a gap, once all before it was read: it is the last of its sender."""
        if side.gap is None or connection.client is None or not connection.readable:
            return
        sender = connection.sender(side)
        if connection.exchange.lost(sender):
            side.gap = None
        elif not connection.exchange.waiting(sender):
            gap, side.gap = side.gap, None
            yield self._message(connection, side, (gap.packet,), None, gap.missing)

    def _ended(self, connection: Connection, side: Side) -> Iterator[CapturedMessage]:
        """No byte will follow from this side."""
        if connection.client is not None and connection.readable:
            ended = connection.exchange.end(connection.sender(side), whole=side.stream.closed)
            yield from self._found(connection, ended)

    def _finish(self, connection: Connection) -> Iterator[CapturedMessage]:
        """No packet of this connection will follow."""
        if (
            connection.readable
            and connection.client is None
            and (connection.first.early or connection.second.early)
        ):
            line = bytes(connection.first.early or connection.second.early)
            self._unreadable(connection, f"it begins with {quoted(line)}")
        for side in connection.side("server"), connection.side("client"):  # who may wait for the server's end
            side.gap = side.stream.give_up() or side.gap
            yield from self._gap(connection, side)
            yield from self._ended(connection, side)
