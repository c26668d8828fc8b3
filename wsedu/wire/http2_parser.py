# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages of an HTTP/2 connection: frames sorted by stream, and from each stream a request and a response.

Unlike HTTP/1.1 both directions are read by one object, and not by order: a response is found by the number of its
stream. A field block can only be read after all blocks before it in its direction, whatever their streams. So one that
cannot be read ends the direction (RFC 9113, 4.3), and so does a frame between the frames of a block.

A WebSocket may take the place of a request and a response (RFC 8441): a CONNECT whose ``:protocol`` is ``websocket``,
a 200, and from then on the content of the stream is that of a connection of its own.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from ..protocol import http2
from ..protocol.content import Length, content_framing
from ..protocol.errors import ProtocolError, quoted
from ..protocol.hpack import FieldDecoder
from ..protocol.http1 import Fields, Request, Response
from ..protocol.http2 import Framing, Http2Header, Http2Type
from .codings import agreement
from .http1_parser import KINDS, LONGEST_HEAD
from .message_parser import OTHER, FrameParser, Incoming, OnStream, ParsedMessage, Remark, Sender, Spent, Unfinished

# Bytes that are kept of all messages of a connection until they end; what is kept of each frame counts as 256 more.
LARGEST = 1 << 28
MOST_STREAMS = 1 << 10  # that are open at a time and followed; servers allow 100 to 250
MOST_PIECES = 1 << 16  # DATA frames in which one WebSocket frame may come
NOT_FOLLOWED = "the oldest are not read to their end"
Found = ParsedMessage | Spent | Remark


class StreamHalf(Incoming):
    """What one endpoint sends on a stream: a message that is not complete; or, behind CONNECT, what a tunnel carries.

    Attributes:
        framing: of HTTP/2, around what is there; never empty then.
        head: of the message; ``None`` in a tunnel.
        field_block, trailer_block: of the message.
        trailers: the fields in the latter.
        parser: of WebSocket, in a tunnel, once both have agreed on it.
    """

    head: Request | Response | None = None
    field_block = trailer_block = b""
    trailers: Fields = ()
    parser: FrameParser | None = None

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self.framing: deque[Framing] = deque()

    def add(self, frame: bytes, at: int) -> None:
        """Take a frame that stands at this place in the connection."""
        first, last = http2.carried(frame)
        self.framing.append(Framing(self.start + len(self.buffer), frame[:first], at))
        self.buffer += frame[first:last]
        if last < len(frame):
            self.framing.append(Framing(self.start + len(self.buffer), frame[last:], at + last, padding=True))

    def framing_since(self, begin: int) -> list[Framing]:
        """The framing of what was taken, as a message that begins at this place."""
        # The header of a DATA frame goes with the first byte behind it, its padding with the last one before it.
        taken: list[Framing] = []
        while self.framing and (self.framing[0].place < self.start + self.framing[0].padding):
            one = self.framing.popleft()
            taken.append(one._replace(place=one.place - begin))
        if self.buffer and not (self.framing and self.framing[0].place == self.start):  # a frame goes on
            gone = self.start - begin - taken[-1].place
            self.framing.appendleft(Framing(self.start, b"", taken[-1].at + len(taken[-1].raw) + gone))
        return taken


@dataclass
class Http2Stream:
    """What is said on one stream."""

    number: int
    method: str | None = None  # of its request
    asks: int | None = None  # bytes of the field block that asks for a WebSocket, until it is answered
    halves: dict[Sender, StreamHalf] = field(default_factory=dict)
    ended: set[Sender] = field(default_factory=set)


@dataclass
class FieldBlocks:
    """The field blocks of one direction."""

    decoder: FieldDecoder = field(default_factory=FieldDecoder)
    frames: list[tuple[bytes, int]] = field(default_factory=list)  # of the block under way, each with its place
    size: int = 0  # of these
    first: Http2Header = Http2Header(0, 0, 0, 0)  # of the first of them


class Http2Parser:
    """Finds the messages of both directions of a connection."""

    def __init__(self) -> None:
        self._blocks: dict[Sender, FieldBlocks] = {sender: FieldBlocks() for sender in OTHER}
        self._streams: dict[int, Http2Stream] = {}
        self._prefaced: set[Sender] = set()
        self._too_many = False
        self._unweighed = 0  # bytes that came since it was looked at how much is kept

    def read(self, source: Incoming) -> Iterator[Found]:
        """What the bytes that are there complete, in both directions.

        Raises:
            ProtocolError: the rest of this direction cannot be read.
        """
        if source.sender not in self._prefaced and source.buffer:
            if not (begins := begins_http2(source)):
                if begins is None:
                    return
                # An answer in HTTP/1.1, say.
                raise _refusal(f"it begins with {quoted(bytes(source.buffer), 20)}", "connection preface", "3.4")
            self._prefaced.add(source.sender)
            if source.sender == "client":
                source.take(len(http2.PREFACE))
                yield Spent("http2 frame", len(http2.PREFACE))
        while len(source.buffer) >= http2.HEADER_SIZE:
            header, at = http2.parse_http2_header(source.buffer), source.start
            if len(source.buffer) < http2.HEADER_SIZE + header.length:
                return
            yield from self._frame(source.sender, header, source.take(http2.HEADER_SIZE + header.length), at)
            self._unweighed += header.length + 256
            if self._unweighed > LARGEST // 16:  # to look at every stream for every frame would take long
                self._weigh(source.sender)

    def unfinished(self, source: Incoming) -> Unfinished | None:
        """What is there of the oldest message that is not complete, or of a frame."""
        sender, blocks = source.sender, self._blocks[source.sender]
        for number, stream in self._streams.items():
            half = stream.halves.get(sender)
            if half is not None and half.head is not None:
                return Unfinished(KINDS[sender], len(half.buffer), None, 0, number)
            if half is not None and half.buffer:
                of_frame = Unfinished("frame", len(half.buffer), None, 0)
                return (half.parser.unfinished(half) if half.parser else of_frame)._replace(stream=number)
        if there := len(source.buffer) + blocks.size:
            number = blocks.first.stream if blocks.size else int.from_bytes(source.buffer[5:9])
            return Unfinished(KINDS[sender], there, None, 0, number)
        return None

    def between(self, sender: Sender) -> bool:
        """Whether nothing of what the sender has said so far is needed for what it says next."""
        halves = (stream.halves.get(sender) for stream in self._streams.values())
        return not (self._blocks[sender].frames or any(half is not None and half.framing for half in halves))

    def _frame(self, sender: Sender, header: Http2Header, frame: bytes, at: int) -> Iterator[Found]:
        blocks, kind, stream = self._blocks[sender], header.type, self._streams.get(header.stream)
        goes_on = kind == Http2Type.CONTINUATION and header.stream == blocks.first.stream
        if goes_on != bool(blocks.frames):
            # "Any number of CONTINUATION frames can be sent, as long as the preceding frame is on the same stream".
            raise _refusal("the frames of a field block stand together", "CONTINUATION", "6.10")
        first, last = http2.carried(frame)
        yield Spent("http2 frame", len(frame) - (last - first))
        if kind in (Http2Type.HEADERS, Http2Type.CONTINUATION, Http2Type.PUSH_PROMISE):
            yield Spent("http head", last - first)
            blocks.first = blocks.first if goes_on else header
            blocks.frames.append((frame, at))
            blocks.size += len(frame)
            if blocks.size > LONGEST_HEAD:
                raise _refusal(
                    f"a field block of more than {LONGEST_HEAD:,} bytes, with its framing", "HEADERS", "6.10"
                )
            if header.has(http2.END_HEADERS):
                yield from self._block(sender, blocks)
        elif kind == Http2Type.DATA:
            if stream is not None and (half := stream.halves.get(sender)):
                yield from self._data(stream, half, frame, at)
            elif last > first and header.stream % 2:  # what is pushed was said
                text = f"content of the {sender} on stream {header.stream}, which is not open, is left out"
                yield Remark("content that is of no message", text)
            if stream is not None and header.has(http2.END_STREAM):
                yield from self._end(stream, sender)
        elif kind == Http2Type.SETTINGS:
            decoder = self._blocks[OTHER[sender]].decoder
            decoder.allowed = max(decoder.allowed, *http2.settings(frame, http2.HEADER_TABLE_SIZE), 0)
        elif kind == Http2Type.RST_STREAM and stream is not None:
            yield from self._reset(stream, sender, http2.error_name(int.from_bytes(frame[9:13])))
        elif kind == Http2Type.GOAWAY and (code := int.from_bytes(frame[13:17])):
            yield Remark("GOAWAY", f"the {sender} ends the connection (GOAWAY): {http2.error_name(code)}")

    def _weigh(self, sender: Sender) -> None:
        """Keep nothing of what a sender has under way if it is too much, whatever the streams."""
        halves = [half for stream in self._streams.values() for half in stream.halves.values()]
        self._unweighed = 0
        if sum(len(half.buffer) + 256 * len(half.framing) for half in halves) > LARGEST:
            for stream in self._streams.values():
                stream.halves.pop(sender, None)
            raise _refusal(f"messages of more than {LARGEST:,} bytes are under way", "DATA", "6.1")

    def _reset(self, stream: Http2Stream, sender: Sender, why: str) -> Iterator[Found]:
        """The sender ends a stream."""
        for half in [*stream.halves.values()]:
            there = Length(len(half.buffer) - len(half.field_block))
            with suppress(ProtocolError):
                if half.head is not None and content_framing(half.head, stream.method) == there:
                    yield from self._end(stream, half.sender)  # curl waits for nothing further
        self._streams.pop(stream.number, None)
        yield from _left(stream, sender, f" ({why})")

    def _block(self, sender: Sender, blocks: FieldBlocks) -> Iterator[Found]:
        """Read a field block, whose frames are there."""
        frames, number, blocks.frames, blocks.size = blocks.frames, blocks.first.stream, [], 0
        block = b"".join(frame[slice(*http2.carried(frame))] for frame, _ in frames)
        fields = blocks.decoder.decode(block)
        if blocks.first.type == Http2Type.PUSH_PROMISE or number % 2 == 0:  # RFC 9113, 8.4
            yield Remark("pushes", "the server pushes responses, which are not read")
            return
        stream = self._streams.setdefault(number, Http2Stream(number))
        half, begins = stream.halves.get(sender), sender not in stream.halves and sender not in stream.ended
        if half is None:
            half = StreamHalf(sender)
        if begins or half.head is not None:
            for frame, at in frames:
                half.add(frame, at)
        if begins:
            half.field_block = block
            yield from self._begin(stream, half, fields)
        elif half.head is not None:
            half.trailer_block += block
            half.trailers += fields
        else:
            text = f"fields of the {sender} on stream {number}, which belong to no message, are left out"
            yield Remark("fields that are of no message", text)
        if blocks.first.has(http2.END_STREAM):
            yield from self._end(stream, sender)
        if len(self._streams) > MOST_STREAMS:
            self._streams.pop(next(iter(self._streams)))
            if not self._too_many:
                self._too_many = True
                yield Remark(NOT_FOLLOWED, f"more than {MOST_STREAMS:,} streams are open at a time: {NOT_FOLLOWED}")

    def _data(self, stream: Http2Stream, half: StreamHalf, frame: bytes, at: int) -> Iterator[Found]:
        first, last = http2.carried(frame)
        if half.head is not None:
            half.add(frame, at)
            yield Spent("content", last - first)
        # Of a tunnel what is read, or may be read later.
        elif last > first and (half.parser is not None or stream.asks is not None):
            half.add(frame, at)
            yield from self._tunnelled(stream, half)

    def _begin(self, stream: Http2Stream, half: StreamHalf, fields: Fields) -> Iterator[Found]:
        """A message whose head is there, and which is complete with it if no content belongs to it."""
        # What is the start line in HTTP/1.1 are fields whose names no other field can have (RFC 9113, 8.3).
        values = dict(fields)
        if half.sender == "client":
            target = values.get(":path") or values.get(":authority", "")
            stream.method = values.get(":method", "")
            half.head = Request(stream.method, target, "HTTP/2", fields)
            tunnel = stream.method == "CONNECT"
            if tunnel and values.get(":protocol") == "websocket":
                stream.asks = len(half.field_block)
        else:
            status = values.get(":status", "")
            code = int(status) if len(status) == 3 and status.isdecimal() else 0
            half.head = Response(code, "", "HTTP/2", fields)
            tunnel = stream.method == "CONNECT" and 200 <= code < 300
            if 100 <= code < 200:  # and the final response follows
                yield self._message(stream, half)
                return
        if not tunnel:
            stream.halves[half.sender] = half
            return
        yield self._message(stream, half)
        stream.halves[half.sender] = StreamHalf(half.sender)
        if half.sender == "server":
            yield from self._open(stream, half)

    def _open(self, stream: Http2Stream, answer: StreamHalf) -> Iterator[Found]:
        """The stream is a tunnel from here on: of a WebSocket, or of something that is not read."""
        asked, stream.asks = stream.asks, None
        if asked is None or answer.head is None:
            yield Remark("tunnels", f"stream {stream.number} is a tunnel, and not read")
            return
        yield Spent("handshake", asked + len(answer.field_block), "http head")
        for half in [*stream.halves.values()]:
            half.parser, half.agreed = FrameParser(), agreement(answer.head)
            yield from self._tunnelled(stream, half)

    def _tunnelled(self, stream: Http2Stream, half: StreamHalf) -> Iterator[Found]:
        """The WebSocket frames that are complete."""
        try:
            while half.parser is not None and (message := half.parser.next_message(half)) is not None:
                on_stream = OnStream(stream.number, half.framing_since(message.start))
                start = self._oldest(half.sender, on_stream.framing[0].at)
                yield message._replace(start=start, on_stream=on_stream, scope=half)
            if len(half.framing) > MOST_PIECES:
                raise _refusal(f"a WebSocket frame in more than {MOST_PIECES:,} frames", "DATA", "6.1")
        except ProtocolError as error:
            half.parser = stream.asks = None
            half.buffer.clear()
            half.framing.clear()
            reason = "streams not read any further"
            yield Remark(reason, f"stream {stream.number} of the {half.sender} is not read any further: {error}")

    def _end(self, stream: Http2Stream, sender: Sender) -> Iterator[Found]:
        """The sender says no more on this stream."""
        stream.ended.add(sender)
        half = stream.halves.get(sender)
        if half is not None and half.head is not None:
            del stream.halves[sender]
            yield self._message(stream, half)
        if len(stream.ended) == len(OTHER):
            self._streams.pop(stream.number, None)
            yield from _left(stream, sender)

    def _message(self, stream: Http2Stream, half: StreamHalf) -> ParsedMessage:
        """A request or a response that is complete."""
        head_size, raw = len(half.field_block), bytes(half.buffer)
        content = raw[head_size : len(raw) - len(half.trailer_block)]
        blocks = half.field_block, half.trailer_block, half.trailers
        return ParsedMessage(
            KINDS[half.sender], half.sender, self._oldest(half.sender, half.framing[0].at), raw, half.head, content,
            len(raw) - len(content), head_size, stream.method if half.sender == "server" else None,
            on_stream=OnStream(stream.number, half.framing, *blocks),
        )  # fmt: skip

    def _oldest(self, sender: Sender, at: int) -> int:
        """Where the oldest message of a sender begins that is under way, or this one."""
        halves = (stream.halves[sender] for stream in self._streams.values() if sender in stream.halves)
        return min((at, *(half.framing[0].at for half in halves if half.framing)))


def _left(stream: Http2Stream, sender: Sender, code: str = "") -> Iterator[Remark]:
    """Say what a sender leaves incomplete that has ended a stream."""
    halves = [half for half in stream.halves.values() if half.head is not None or half.buffer]
    if left := " and a ".join("frame" if half.head is None else KINDS[half.sender] for half in halves):
        text = f"the {sender} ends stream {stream.number}{code} inside a {left}, which is left out"
        yield Remark("streams ended inside a message", text)


def begins_http2(source: Incoming) -> bool | None:
    """Whether the first bytes of a direction are HTTP/2; ``None`` if there are too few of them to say.

    A client begins with the preface, a server with SETTINGS (RFC 9113, 3.4); that is its first frame, and short.
    """
    begin = bytes(source.buffer[: len(http2.PREFACE)])
    if source.sender == "client":
        return begin == http2.PREFACE or (None if http2.PREFACE.startswith(begin) and not source.ended else False)
    if len(begin) < http2.HEADER_SIZE:
        return None if b"\0\0".startswith(begin[:2]) and not source.ended else False
    return begin[:2] == b"\0\0" and begin[3] == Http2Type.SETTINGS and begin[5:9] == bytes(4)


def continues_http2(data: bytearray) -> bool:
    """Whether the first bytes of a capture may be a frame inside of a connection: one of a known type and size."""
    if len(data) < http2.HEADER_SIZE or data[5] >= 0x80:
        return False
    header = http2.parse_http2_header(data)
    about_all = header.type in (Http2Type.SETTINGS, Http2Type.PING, Http2Type.GOAWAY)  # and so on stream 0
    streams = header.type == Http2Type.WINDOW_UPDATE or about_all == (header.stream == 0)
    return header.type <= Http2Type.CONTINUATION and header.length <= 1 << 14 and streams


def _refusal(message: str, field: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=0, field=field, section=f"RFC 9113, {section}", status_code=None)
