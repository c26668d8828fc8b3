# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets to messages: which packet belongs to which connection, and who of the two is the client."""

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any, BinaryIO, Generic, TypeVar

from ..protocol.deflate import MAX_CONTENT, DeflateParameters
from ..protocol.errors import ProtocolError
from .codings import CompressedDirection, InflateBudget, Inflated
from .exchange import Direction, Exchange, SyncLost
from .http2_parser import Found, Http2Parser
from .key_log import KeyLog
from .message import Assembly, CapturedMessage, FrameMessage, FrameOnStream, GapMessage, HttpMessage, InflatedFrame
from .message_parser import Incoming, Packets, ParsedMessage, Remark, Sender, Spent, Unfinished
from .packets import ACK, FIN, PSH, RST, SYN, Address, Segment, Unreadable, endpoint, segment_of
from .pcapfile import CutShort, Packet, read_packets
from .streams import SPACE, Gap, Piece, Stream
from .tls import APPLICATION_DATA, HANDSHAKE, SERVER_HELLO, Record, TlsConnection

# Connections that are over and yet kept: packets of theirs may still come, late or twice, and shall not be taken for
# a new connection. No more than these, so that memory does not grow with a capture.
MOST_CLOSED = 1000
# Connections without a message that are kept: a port scan leaves SYNs that nobody closes, and TLS nothing to read.
MOST_SILENT = 10_000
MOST_CARRIERS = 1000  # packets without a message, behind which it is looked at whether any is needed
MOST_LINES = 5  # of warnings that have the same reason; one more counts the rest
UNFINISHED = "unfinished at the end"
NOT_READ = "not read any further"
LATE = "before its first frame that can be read"
ENCRYPTED = "encrypted"
NOT_INFLATED = "messages that could not be inflated"

Made = TypeVar("Made")
MessageOrGap = ParsedMessage | Gap

NO_CARRIERS: deque[tuple[int, int]] = deque()  # stays empty: one for all, since each takes 600 bytes


class Endpoint(Direction):
    """One endpoint's sending half; before the client is known, the first to send counts as the client."""

    # A port scan leaves thousands of these of which only the address was ever used, so the rest is made when needed.
    __slots__ = ("_stream", "address", "carriers", "fin", "last", "syn")

    def __init__(self, sender: Sender, address: Address) -> None:
        super().__init__(sender)
        self.address = address
        self._stream: Stream | None = None
        self.carriers = NO_CARRIERS  # end in the stream, packet
        self.syn: int | None = None  # sequence number of its SYN, or SYN/ACK
        self.fin = False
        self.last: Any = None  # the last packet with data, for whoever builds on packets

    @property
    def stream(self) -> Stream:
        """What it sends, in order."""
        if self._stream is None:
            self._stream = Stream()
        return self._stream


class TcpConnection:
    """One TCP connection: its two endpoints, and what is said on it."""

    __slots__ = ("doubted", "exchange", "first", "index", "reset", "second", "tls")

    def __init__(self, index: int, first: Address, second: Address, *options: Any) -> None:
        self.index = index
        self.first, self.second = Endpoint("client", first), Endpoint("server", second)
        self.exchange = Exchange((self.first, self.second), *options)
        self.tls: TlsConnection | None = None
        self.doubted = False  # it was said that a retransmission may be none
        self.reset = False

    @property
    def over(self) -> bool:
        """Whether both have said that they will send no more, or one has given up."""
        return self.reset or (self.first.fin and self.second.fin)

    def at(self, address: Address) -> Endpoint:
        """The endpoint with this address."""
        return self.first if address == self.first.address else self.second

    def other(self, side: Endpoint) -> Endpoint:
        """The one that receives what this one sends."""
        return self.second if side is self.first else self.first

    def side(self, sender: Sender) -> Endpoint:
        """The endpoint that has a role."""
        return self.first if self.first.sender == sender else self.second

    def ends(self) -> tuple[str, str]:
        """Client and server, each as ``"ip:port"``."""
        return endpoint(self.side("client").address), endpoint(self.side("server").address)

    def name(self) -> str:
        """For people, on one line."""
        client, server = self.ends()
        return f"conversation {self.index} ({client} to {server})"

    def is_another(self, segment: Segment) -> bool:
        """Whether a SYN, or SYN/ACK, opens a further connection between the same addresses, or is an old one again.

        RFC 9293, 3.4.1: "a connection can be used more than once", and a new one has a new initial sequence number,
        chosen by a clock, so that nobody takes an old segment for one of the new connection.
        """
        side = self.at(segment.source)
        if side.syn is not None:
            return side.syn != segment.sequence or (self.over and not segment.flags & ACK)
        if side.stream.first is not None:
            return side.stream.first != (segment.sequence + 1) % SPACE
        # Nothing from there yet. Its peer may have been captured first, but then it has sent a SYN as well.
        return self.other(side).syn is None


class TcpReader(Generic[Made]):
    """Follows every connection, segment by segment, and says of each what is complete.

    What becomes of a message is for the class that builds on it: ``made`` gives what the methods yield.

    Args:
        warnings: takes a line for each thing that could not be read, few of each kind, and how many more there were.
        ports: connections to these that begin before the capture are read as WebSocket, unless they are HTTP.
        deflate: where the handshake is not in the capture, RSV1 says that a message is compressed.
        max_message: bytes of a compressed message that are inflated.
        keys: secrets of TLS connections; more may be added while packets are read.

    Attributes:
        connections: each twice, by source and destination.
    """

    def __init__(
        self,
        warnings: list[str],
        *,
        ports: Collection[int] = (),
        deflate: bool = False,
        max_message: int = MAX_CONTENT,
        keys: KeyLog | None = None,
    ) -> None:
        self.warnings = warnings
        self.keys = KeyLog() if keys is None else keys
        self._ports, self._max_message = frozenset(ports), max_message
        self._unsaid = DeflateParameters() if deflate else None  # what holds where no handshake says it
        self.connections: dict[tuple[Address, Address], TcpConnection] = {}
        self.count = 0
        self.origin = 0  # time of the first packet, and of the last one, in nanoseconds
        self.now = 0
        self._closed: deque[TcpConnection] = deque()
        self._silent: dict[int, TcpConnection] = {}  # without a message so far, or not readable
        self._given_up = 0  # of those
        self._skipped: Counter[str] = Counter()
        self._warned: Counter[str] = Counter()
        self._budget = InflateBudget()

    def made(self, connection: TcpConnection, side: Endpoint, packets: Packets, what: MessageOrGap) -> Made:
        """What is given of a message that became complete, or of a gap that became certain."""
        raise NotImplementedError

    def noticed(self, connection: TcpConnection, segment: Segment) -> None:
        """Called for each segment before its bytes are read; for whoever counts packets."""

    def left_unfinished(self, connection: TcpConnection, message: Unfinished) -> None:
        """Called for each message that never became complete, when no packet of its connection can follow."""

    def called(self, connection: TcpConnection, side: Endpoint) -> tuple[str, str]:
        """A sender, as warnings name it: what stands first in the line, and itself."""
        return f"{connection.name()}: ", f"the {side.sender}"

    def lost(self, connection: TcpConnection, side: Endpoint, why: str) -> None:
        """Say that nothing more can be read of what one endpoint sends."""
        where, who = self.called(connection, side)
        self.warn(NOT_READ, f"{where}{who} is {NOT_READ}: {why}")

    def spent(self, connection: TcpConnection, what: Spent) -> None:
        """Called for bytes of which it is known what they were spent on, before a message is complete."""

    def opened(self, connection: TcpConnection, side: Endpoint, record: Record, packet: int) -> None:
        """Called for each record of TLS, be there keys for it or not, with the packet that completed it."""

    def inflated(
        self, connection: TcpConnection, side: Endpoint, first_byte: int, payload: bytes,
        scope: Incoming | None = None,
    ) -> Inflated | None:  # fmt: skip
        """What the next frame of a sender means; ``None`` of a control frame, and where nobody agreed on deflate."""
        scope = scope or side
        if scope.agreed is None:
            return None
        if scope.inflates is None:
            forgets = getattr(scope.agreed, f"{side.sender}_no_context_takeover")
            scope.inflates = CompressedDirection(takeover=not forgets, max_message=self._max_message)
        inflated = scope.inflates.frame(first_byte, payload)
        if inflated is not None and inflated.error:
            where, who = self.called(connection, side)
            self.warn(NOT_INFLATED, f"{where}a message of {who} is not inflated: {inflated.error}")
        return inflated

    def warn(self, reason: str, line: str) -> None:
        """Say what could not be read, unless so many had the same reason that counting them says more."""
        self._warned[reason] += 1
        if self._warned[reason] <= MOST_LINES:
            self.warnings.append(line)

    def take_keys(self, lines: Iterable[str]) -> None:
        """Take a key log that the capture itself holds."""
        try:
            self.keys.add(lines)
        except ValueError as error:
            self.warn("keys", f"the secrets in the capture are not read to their end: {error}")

    def packet(self, index: int, packet: Packet) -> Iterator[Made]:
        """What the next packet completes."""
        if not index:
            self.origin = packet.time
        self.now = packet.time
        try:
            segment = segment_of(packet.link_type, packet.data, packet.original_length)
        except Unreadable as error:
            self._skipped[str(error)] += 1
            return
        if segment is not None:
            yield from self.segment(segment, index)

    def finish(self, *, whole: bool) -> Iterator[Made]:
        """What the end of the file shows; ``whole`` unless it is cut short."""
        if whole:
            # Of a file cut short one cannot say that a late segment would not have come.
            left = sorted(set(self.connections.values()), key=lambda each: -each.index)
            while left:
                yield from self._forget(left.pop())
        for reason, times in self._warned.items():
            if times > MOST_LINES:
                self.warnings.append(f"{times - MOST_LINES:,} more conversations: {reason}")
        if self._given_up:
            self.warnings.append(
                f"{self._given_up:,} connections without a message were not followed to their end, since more than "
                f"{MOST_SILENT:,} were open at a time"
            )
        for reason, times in self._skipped.items():
            self.warnings.append(f"{reason} ({times:,} packet{'s' * (times != 1)})")
        if self._budget.refused:
            self.warnings.append(str(self._budget))

    def segment(self, segment: Segment, index: int) -> Iterator[Made]:
        """What the segment in a packet completes."""
        key = (segment.source, segment.destination)
        connection = self.connections.get(key)
        if connection is not None and segment.flags & SYN and connection.is_another(segment):
            yield from self._forget(connection)
            connection = None
        if connection is None:
            connection = TcpConnection(self.count, *key, self._budget, self._late(segment), self._unsaid)
            self.count += 1
            self.connections[key] = self.connections[key[::-1]] = connection
            self._silent[connection.index] = connection
            # Forget the oldest connections of which there is nothing to tell, if there are too many.
            while len(self._silent) > MOST_SILENT:
                oldest = self._silent.pop(next(iter(self._silent)))
                self._given_up += not oldest.over
                yield from self._forget(oldest)
        self.noticed(connection, segment)
        side = connection.at(segment.source)
        if segment.flags & ACK:
            connection.other(side).stream.acknowledged = segment.acknowledgement
        if segment.flags & SYN:
            side.syn = segment.sequence
            if not connection.exchange.identified:
                swapped = (side is connection.first) == bool(segment.flags & ACK)  # a SYN/ACK is the server's
                yield from self._given(connection, connection.exchange.identify(swapped=swapped))
        # RFC 9293, 3.5.3: what comes with RST is "a human-readable reason", not data of the stream.
        if not side.stream.ended and not segment.flags & RST:
            yield from self._bytes(connection, side, segment, index)
        if segment.flags & (FIN | RST):
            yield from self._closing(connection, side, segment)

    def _late(self, first: Segment) -> bool | None:
        """Of a connection that begins before the capture and has one of our ports: whether its server speaks first."""
        if first.flags & SYN or self._ports.isdisjoint((first.source[1], first.destination[1])):
            return None
        return first.destination[1] not in self._ports

    def _bytes(self, connection: TcpConnection, side: Endpoint, segment: Segment, index: int) -> Iterator[Made]:
        sequence = segment.sequence + bool(segment.flags & SYN)
        fin, pushed, stream = bool(segment.flags & FIN), bool(segment.flags & PSH), side.stream
        gap = None
        for item in stream.receive(sequence, segment.payload, segment.cut, fin, index, pushed=pushed):
            if isinstance(item, Gap):
                gap = item
            else:
                side.carriers = side.carriers or deque()
                if connection.tls is None and item.data[0] == HANDSHAKE and connection.exchange.blank:
                    yield from self._begin_tls(connection, side, item.data)
                if connection.tls is not None:
                    yield from self._opened(connection, side, item)
                    continue
                side.carriers.append((stream.length, item.packet))
                yield from self._given(connection, connection.exchange.receive(side, item.data))
        if stream.doubt and not connection.doubted:  # said once, for it may be so of every segment
            connection.doubted = True
            self.warn(
                "taken for a retransmission with other content",
                f"{connection.name()}: {stream.doubt} from {endpoint(side.address)}, taken for a retransmission "
                f"with other content and left out (packet {index}, and perhaps more)",
            )
        if stream.ended:
            ended = connection.exchange.end(side, whole=stream.closed, gap=gap)
            yield from self._given(connection, ended)

    def _begin_tls(self, connection: TcpConnection, side: Endpoint, data: bytes) -> Iterator[Made]:
        """No message begins with this byte, and every handshake of TLS does: on the connection, or in a tunnel."""
        connection.tls = TlsConnection(self.keys)
        if not connection.exchange.identified:
            swapped = (side is connection.first) == (data[5:6] == bytes([SERVER_HELLO]))
            yield from self._given(connection, connection.exchange.identify(swapped=swapped))
        for each in connection.first, connection.second:
            records = connection.tls.sides[each.sender]
            records.start = records.end = each.stream.length - len(data) * (each is side)

    def _opened(self, connection: TcpConnection, side: Endpoint, piece: Piece) -> Iterator[Made]:
        """What a piece completes whose bytes are records of TLS."""
        assert connection.tls is not None
        records = connection.tls.sides[side.sender]
        records.buffer += piece.data
        records.packets.append(piece.packet)
        for each in side, connection.other(side):  # whose records may have waited for those of this one
            yield from self._plaintext(connection, connection.tls, each)

    def _plaintext(self, connection: TcpConnection, tls: TlsConnection, side: Endpoint) -> Iterator[Made]:
        """What the plaintext of the records completes that are there."""
        records = tls.sides[side.sender]
        try:
            while record := tls.next_record(records):
                carried = record.content or b"" if record.content_type == APPLICATION_DATA else b""
                self.spent(connection, Spent("tls", len(record.raw) - len(carried)))
                self.opened(connection, side, record, records.packets[-1])
                if carried:
                    records.end += len(carried)
                    side.carriers.extend((records.end, packet) for packet in records.packets)
                    yield from self._given(connection, connection.exchange.receive(side, carried))
                records.packets = records.packets[-1:] * bool(records.buffer)
        except ProtocolError as error:
            self.lost(connection, side, str(error))
            side.stream.end()
            records.buffer.clear()

    def _closing(self, connection: TcpConnection, side: Endpoint, segment: Segment) -> Iterator[Made]:
        """Note FIN and RST. Bytes may still be late or under way, so a connection that is over is kept for a while."""
        was_over = connection.over
        side.fin = side.fin or bool(segment.flags & FIN)
        connection.reset = connection.reset or bool(segment.flags & RST)
        if connection.over and not was_over:
            self._closed.append(connection)
            if len(self._closed) > MOST_CLOSED:
                yield from self._forget(self._closed.popleft())

    def _forget(self, connection: TcpConnection) -> Iterator[Made]:
        """Keep nothing of a connection, unless that was done before."""
        ends = connection.first.address, connection.second.address
        if self.connections.get(ends) is connection:
            yield from self._finish(connection)
            del self.connections[ends]
            self.connections.pop(ends[::-1], None)  # it may be the same: a socket can connect to itself
            self._silent.pop(connection.index, None)

    def _given(self, connection: TcpConnection, items: Iterator[Found | SyncLost]) -> Iterator[Made]:
        """What is given of that which was found on a connection."""
        for item in items:
            if isinstance(item, ParsedMessage):
                side = connection.side(item.sender)
                self._silent.pop(connection.index, None)
                yield self.made(connection, side, _carried(side, item), item)
            elif isinstance(item, Spent):
                self.spent(connection, item)
            elif isinstance(item, Remark):
                self.warn(item.reason, f"{connection.name()}: {item.text}")
            elif item.sender is None:
                self.warn(item.why.partition(":")[0], f"{connection.name()}: {item.why}")
                self._silent[connection.index] = connection
            elif item.gap is not None:
                self._silent.pop(connection.index, None)
                yield self.made(connection, connection.side(item.sender), (item.gap.packet,), item.gap)
            else:
                self.lost(connection, connection.side(item.sender), item.why)
        for side in connection.first, connection.second:
            if side.lost:
                side.stream.end()
                side.carriers.clear()
            elif len(side.carriers) > MOST_CARRIERS and isinstance(side.parser, Http2Parser) and not side.buffer:
                if side.parser.between(side.sender):  # no message has come for long, and none is under way
                    side.carriers.clear()

    def _finish(self, connection: TcpConnection) -> Iterator[Made]:
        """No packet of this connection will follow."""
        exchange, tls = connection.exchange, connection.tls
        client, server = connection.side("client"), connection.side("server")
        if tls is not None:
            tls.waits = False
            yield from self._plaintext(connection, tls, server)
        for side in server, client:  # which may wait for the server's end
            ended = exchange.end(side, whole=side.stream.closed, gap=side.stream.give_up())
            yield from self._given(connection, ended)
        yield from self._given(connection, exchange.close())
        if tls is not None and (tls.why_closed or tls.stopped):
            self.warn(ENCRYPTED, f"{connection.name()} is {ENCRYPTED}: {tls}")
        left = []
        for side in client, server:
            if message := side.unfinished():
                self.left_unfinished(connection, message)
                if side.stream.closed or not side.stream.ended:  # or else a gap has said it
                    size = "so far" if message.size is None else f"of {message.size:,}"
                    where = "" if message.stream is None else f" on stream {message.stream}"
                    left.append(f"a {message.kind} of the {side.sender}{where}, {message.there:,} bytes {size}")
            if tls is not None and (begun := tls.sides[side.sender].buffer) and not side.lost:
                left.append(f"a TLS record of the {side.sender}, {len(begun):,} bytes so far")
            if side.skipped:
                where, who = self.called(connection, side)
                self.warn(LATE, f"{where}{side.skipped:,} bytes of {who} {LATE} are left out")
        if left:
            self.warn(UNFINISHED, f"{connection.name()}: {UNFINISHED}: {'; '.join(left)}")


def _carried(side: Endpoint, message: ParsedMessage) -> tuple[int, ...]:
    """The packets that carried a message; forgets those that no message needs any more."""
    carriers, end = side.carriers, message.start + len(message.raw)
    while carriers and carriers[0][0] <= message.start:
        carriers.popleft()
    places = message.on_stream.places(len(message.raw)) if message.on_stream else [(message.start, end)]
    # In place: beside a stream that stays open there may be many more than carried this one message.
    found, place = dict[int, None](), itemgetter(0)
    for start, end in places:
        # Several packets end at the same place if they carried one record of TLS.
        last = bisect_right(carriers, carriers[bisect_left(carriers, end, key=place)][0], key=place)
        found |= dict.fromkeys(carriers[at][1] for at in range(bisect_right(carriers, start, key=place), last))
    return tuple(found)


class CaptureReader(TcpReader[CapturedMessage]):
    """The messages of a capture. Its options are those of ``TcpReader``.

    Attributes:
        names: of each conversation that has messages client and server, and the version of TLS, at least until
            ``messages`` has given them.
    """

    def __init__(self, warnings: list[str], **options: Any) -> None:
        super().__init__(warnings, **options)
        self.names: dict[int, tuple[str, str, str]] = {}

    def batches(self, file: BinaryIO) -> Iterator[list[CapturedMessage]]:
        """The messages in a capture in the order in which each became complete: what each packet completes together.

        Raises:
            NotACapture: before the first packet.
            CutShort: after everything before the cut was given.
        """
        try:
            for index, packet in enumerate(read_packets(file, self.take_keys)):
                yield [*self.packet(index, packet)]
        except CutShort:
            yield [*self.finish(whole=False)]
            raise
        yield [*self.finish(whole=True)]

    def messages(self, file: BinaryIO, *, whole: bool) -> Iterator[CapturedMessage]:
        """The same one by one, ``whole`` messages in place of data frames if asked for. Raises as ``batches``.

        Nothing is held of connections of which no packet can come any more, or memory would grow.
        """
        assembly = Assembly() if whole else None
        try:
            for batch in self.batches(file):
                yield from assembly.take(batch) if assembly else batch
                if len(self.names) < len(self.connections) // 2 + 1000:
                    continue  # to look at every connection for every packet would take long
                alive = {connection.index for connection in self.connections.values()}
                for index in self.names.keys() - alive:
                    del self.names[index]
                if assembly:
                    self.warnings.extend(assembly.left(alive))
        finally:
            if assembly:
                self.warnings.extend(assembly.left())

    def made(self, connection: TcpConnection, side: Endpoint, packets: Packets, what: MessageOrGap) -> CapturedMessage:
        """The message as ``read`` and ``messages`` give it."""
        if connection.index not in self.names:
            self.names[connection.index] = *connection.ends(), connection.tls.version if connection.tls else ""
        place = connection.index, side.sender, (self.now - self.origin) / 1e9, packets
        if isinstance(what, Gap):
            return GapMessage(*place, what.missing)
        if what.kind != "frame":
            return HttpMessage(*place, what)
        parts = *place, what.raw[: what.framing_size], what.content
        if what.on_stream is None:
            return self.maker(connection, side)(*parts)
        inflated = self.inflated(connection, side, what.raw[0], what.content, what.scope)
        return FrameOnStream(*parts).tell(inflated).put(what.on_stream)

    def maker(self, connection: TcpConnection, side: Endpoint) -> Callable[..., FrameMessage]:
        """What makes a message of each frame of a sender; called as ``FrameMessage`` is."""
        return FrameMessage if side.agreed is None else partial(self._inflated_frame, connection, side)

    def _inflated_frame(self, connection: TcpConnection, side: Endpoint, *parts: Any) -> FrameMessage:
        inflated = self.inflated(connection, side, parts[-2][0], parts[-1])  # the bytes of header and payload
        return FrameMessage(*parts) if inflated is None else InflatedFrame(*parts).tell(inflated)
