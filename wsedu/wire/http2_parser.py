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
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..protocol import http2
from ..protocol.deflate import DeflateParameters
from ..protocol.errors import ProtocolError, quoted
from ..protocol.hpack import FieldDecoder
from ..protocol.http1 import Fields, Request, Response
from ..protocol.http2 import Http2Header, Http2Type, Inserted
from .frame_parser import FrameParser
from .http1_parser import LONGEST_HEAD
from .inflate import CompressedDirection, agreement
from .message_parser import OTHER, Incoming, OnStream, ParsedMessage, Remark, Sender, Spent, UnfinishedMessage

MOST_STREAMS = 1 << 10  # that are open at a time and followed; servers allow 100 to 250
MOST_PIECES = 1 << 16  # DATA frames in which one WebSocket frame may come
NOT_FOLLOWED = "the oldest are not read to their end"
Found = ParsedMessage | Spent | Remark


class StreamMessage:
    """The frames of a request or a response so far."""

    kind: Literal["request", "response"] = "request"
    head: Request | Response

    def __init__(self) -> None:
        self.raw = bytearray()
        self.places: list[tuple[int, int]] = []  # of each run of frames in the connection: start and end
        self.head_size = self.trailer_size = 0  # bytes of the field blocks
        self.trailers: Fields = ()

    def add(self, raw: bytes | bytearray, start: int) -> None:
        """Take frames that stood together."""
        self.raw += raw
        end = start + len(raw)
        if self.places and self.places[-1][1] == start:
            start, _ = self.places.pop()
        self.places.append((start, end))

    @property
    def begin(self) -> int:
        """Its place in the connection."""
        return self.places[0][0]


class DataFrame(NamedTuple):
    """A DATA frame of a WebSocket."""

    place: int  # of what it carries, in the WebSocket
    start: int  # of itself, in the connection
    frame: bytes
    first: int  # from where to where it carries that
    last: int


class StreamTunnel(Incoming):
    """What one endpoint sends on a stream that CONNECT opened, without the framing of HTTP/2.

    Attributes:
        parser: of WebSocket; ``None`` as long as nobody has agreed on it.
        agreed, inflates: as on a connection of its own.
        pieces: what carried what is there.
    """

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self.pieces: deque[DataFrame] = deque()
        self.parser: FrameParser | None = None
        self.agreed: DeflateParameters | None = None
        self.inflates: CompressedDirection | None = None

    @property
    def begin(self) -> int | None:
        """Its place in the connection; ``None`` if nothing is there."""
        return self.pieces[0].start if self.pieces else None

    def add(self, frame: bytes, start: int) -> None:
        """Take a DATA frame."""
        first, last = http2.carried(frame)
        self.pieces.append(DataFrame(self.start + len(self.buffer), start, frame, first, last))
        self.buffer += frame[first:last]

    def next_message(self, number: int) -> ParsedMessage | None:
        """The next frame; ``None`` if it is not complete. Raises as its parser."""
        begin, inserted, places = self.start, list[Inserted](), list[tuple[int, int]]()
        message = self.parser.next_message(self) if self.parser is not None else None
        if message is None:
            if len(self.pieces) > MOST_PIECES:
                raise _refusal(f"a WebSocket frame in more than {MOST_PIECES:,} frames", "DATA", "6.1")
            return None
        # The header of a DATA frame counts with the first byte behind it, its padding with the last one before it.
        while self.pieces and self.pieces[0].place < self.start:
            place, start, frame, first, last = self.pieces[0]
            begins, ends = place >= begin, place + last - first <= self.start
            if begins:
                inserted.append(Inserted(place - begin, frame[:first]))
            if ends and last < len(frame):
                inserted.append(Inserted(place + last - first - begin, frame[last:], padding=True))
            moved = start + first - place
            places.append((start if begins else begin + moved, start + len(frame) if ends else self.start + moved))
            if not ends:
                break
            self.pieces.popleft()
        return message._replace(on_stream=OnStream(number, inserted), places=places, scope=self)


@dataclass
class Http2Stream:
    """What is said on one stream."""

    number: int
    method: str | None = None  # of its request
    opening: StreamMessage | None = None  # a request that is to open a WebSocket
    sides: dict[Sender, StreamMessage | StreamTunnel] = field(default_factory=dict)
    ended: set[Sender] = field(default_factory=set)


@dataclass
class FieldBlocks:
    """The field blocks of one direction."""

    decoder: FieldDecoder = field(default_factory=FieldDecoder)
    frames: StreamMessage | None = None  # of the block under way
    first: Http2Header = Http2Header(0, 0, 0, 0)  # its first frame
    stream: int = 0  # that it is for


class Http2Parser:
    """Finds the messages of both directions of a connection.

    Args:
        method: of a request of HTTP/1.1 with which the connection began, and which stream 1 answers.
    """

    def __init__(self, method: str | None = None) -> None:
        self._blocks: dict[Sender, FieldBlocks] = {sender: FieldBlocks() for sender in OTHER}
        self._streams: dict[int, Http2Stream] = {}
        self._prefaced: set[Sender] = set()
        self._too_many = False
        if method is not None:
            self._streams[1] = Http2Stream(1, method, ended={"client"})

    def read(self, source: Incoming) -> Iterator[Found]:
        """What the bytes that are there complete, in both directions.

        Raises:
            ProtocolError: the rest of this direction cannot be read.
        """
        if source.sender not in self._prefaced:
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
            header, start = http2.parse_http2_header(source.buffer), source.start
            if len(source.buffer) < http2.HEADER_SIZE + header.length:
                return
            yield from self._frame(source.sender, header, source.take(http2.HEADER_SIZE + header.length), start)

    def unfinished(self, sender: Sender) -> UnfinishedMessage | None:
        """What is there of the oldest message that is not complete."""
        for number, stream in self._streams.items():
            side = stream.sides.get(sender)
            if isinstance(side, StreamMessage):
                return UnfinishedMessage(side.kind, len(side.raw), None, 0, number)
            if side is not None and side.buffer and side.parser is not None:
                return side.parser.unfinished(side)._replace(stream=number)
        return None

    def _frame(self, sender: Sender, header: Http2Header, frame: bytes, start: int) -> Iterator[Found]:
        blocks, kind = self._blocks[sender], header.type
        goes_on = kind == Http2Type.CONTINUATION and header.stream == blocks.first.stream
        if goes_on != (blocks.frames is not None):
            # "Any number of CONTINUATION frames can be sent, as long as the preceding frame is on the same stream".
            raise _refusal("the frames of a field block stand together", "CONTINUATION", "6.10")
        first, last = http2.carried(frame)
        yield Spent("http2 frame", len(frame) - (last - first))
        if kind in (Http2Type.HEADERS, Http2Type.CONTINUATION, Http2Type.PUSH_PROMISE):
            yield Spent("http head", last - first)
            if not goes_on:
                promised = int.from_bytes(frame[first - 4 : first], "big") & 0x7FFFFFFF
                blocks.frames, blocks.first = StreamMessage(), header
                blocks.stream = promised if kind == Http2Type.PUSH_PROMISE else header.stream
            yield from self._block(sender, blocks, header, frame, start)
        elif kind == Http2Type.DATA and header.stream in self._streams:
            yield from self._data(sender, self._streams[header.stream], header, frame, start, last - first)
        elif kind == Http2Type.SETTINGS:
            for at in range(http2.HEADER_SIZE, len(frame) - 5, 6):
                if int.from_bytes(frame[at : at + 2], "big") == http2.HEADER_TABLE_SIZE:
                    decoder = self._blocks[OTHER[sender]].decoder
                    decoder.allowed = max(decoder.allowed, int.from_bytes(frame[at + 2 : at + 6], "big"))
        elif kind == Http2Type.RST_STREAM and header.stream in self._streams:
            why = http2.error_name(int.from_bytes(frame[9:13], "big"))
            for side in self._streams.pop(header.stream).sides.values():
                if isinstance(side, StreamMessage):
                    where = f"stream {header.stream} ({why}) inside a {side.kind}"
                    yield Remark("streams ended inside a message", f"the {sender} ends {where}, which is left out")
        elif kind == Http2Type.GOAWAY and (code := int.from_bytes(frame[13:17], "big")):
            yield Remark("GOAWAY", f"the {sender} ends the connection (GOAWAY): {http2.error_name(code)}")

    def _block(
        self, sender: Sender, blocks: FieldBlocks, header: Http2Header, frame: bytes, start: int
    ) -> Iterator[Found]:
        """Take a frame with a piece of a field block, and read the block if that is the last one."""
        frames = blocks.frames
        assert frames is not None
        frames.add(frame, start)
        if len(frames.raw) > LONGEST_HEAD:
            raise _refusal(f"a field block of more than {LONGEST_HEAD:,} bytes, with its framing", "HEADERS", "6.10")
        if not header.has(http2.END_HEADERS):
            return
        block, _ = http2.without_framing(bytes(frames.raw))
        fields, blocks.frames = blocks.decoder.decode(block), None
        stream = self._streams.setdefault(blocks.stream, Http2Stream(blocks.stream))
        pushed = blocks.first.type == Http2Type.PUSH_PROMISE
        side = None if pushed else stream.sides.get(sender)
        if isinstance(side, StreamMessage):
            side.add(frames.raw, frames.begin)
            side.trailers += fields
            side.trailer_size += len(block)
        elif side is None and sender not in stream.ended:
            frames.head_size = len(block)
            yield from self._begin(sender, stream, frames, fields, pushed)
        if blocks.first.has(http2.END_STREAM):
            yield from self._end(stream, sender)
        if len(self._streams) > MOST_STREAMS:
            self._streams.pop(next(iter(self._streams)))
            if not self._too_many:
                self._too_many = True
                yield Remark(NOT_FOLLOWED, f"more than {MOST_STREAMS:,} streams are open at a time: {NOT_FOLLOWED}")

    def _begin(
        self, sender: Sender, stream: Http2Stream, message: StreamMessage, fields: Fields, pushed: bool
    ) -> Iterator[Found]:
        """A message whose head is there, and which is complete with it if no content belongs to it."""
        # What is the start line in HTTP/1.1 are fields whose names no other field can have (RFC 9113, 8.3).
        values, opens = dict(fields), False
        if sender == "client" or pushed:
            target = values.get(":path") or values.get(":authority", "")
            message.head = Request(values.get(":method", ""), target, "HTTP/2", fields)
            stream.method = message.head.method
            complete = pushed or stream.method == "CONNECT"
        else:
            status = values.get(":status", "")
            code = int(status) if len(status) == 3 and status.isdecimal() else 0
            message.kind, message.head = "response", Response(code, "", "HTTP/2", fields)
            opens = stream.method == "CONNECT" and 200 <= code < 300
            complete = opens or 100 <= code < 200
        if not complete:
            stream.sides[sender] = message
            return
        yield self._message(stream, sender, message, switches=opens)
        if pushed:
            stream.ended.add("client")
        elif opens:
            yield from self._open(stream, message)
        elif message.kind == "request":
            stream.sides[sender] = StreamTunnel(sender)
            stream.opening = message if values.get(":protocol") == "websocket" else None

    def _open(self, stream: Http2Stream, answer: StreamMessage) -> Iterator[Found]:
        """The stream is a tunnel from here on: of a WebSocket, or of something that is not read."""
        asked, stream.opening = stream.opening, None
        if asked is None:
            yield Remark("tunnels", f"stream {stream.number} is a tunnel, and not read")
            return
        yield Spent("handshake", asked.head_size + answer.head_size, "http head")
        for sender in OTHER:
            side = stream.sides.setdefault(sender, StreamTunnel(sender))
            if isinstance(side, StreamTunnel):
                side.parser, side.agreed = FrameParser(), agreement(answer.head)
                yield from self._frames(stream, side)

    def _data(
        self, sender: Sender, stream: Http2Stream, header: Http2Header, frame: bytes, start: int, size: int
    ) -> Iterator[Found]:
        side = stream.sides.get(sender)
        if isinstance(side, StreamMessage):
            side.add(frame, start)
            yield Spent("content", size)
        elif side is not None and size and (side.parser or stream.opening):  # it is read, or may be read later
            side.add(frame, start)
            yield from self._frames(stream, side)
        if header.has(http2.END_STREAM):
            yield from self._end(stream, sender)

    def _frames(self, stream: Http2Stream, side: StreamTunnel) -> Iterator[Found]:
        """The WebSocket frames that are complete."""
        try:
            while (message := side.next_message(stream.number)) is not None:
                yield message._replace(start=self._oldest(side.sender, message.places[0][0]))
        except ProtocolError as error:
            side.parser = None
            side.buffer.clear()
            side.pieces.clear()
            reason = "streams not read any further"
            yield Remark(reason, f"stream {stream.number} of the {side.sender} is not read any further: {error}")

    def _end(self, stream: Http2Stream, sender: Sender) -> Iterator[Found]:
        """The sender says no more on this stream."""
        stream.ended.add(sender)
        message = stream.sides.get(sender)
        if isinstance(message, StreamMessage):
            del stream.sides[sender]
            yield self._message(stream, sender, message)
        if len(stream.ended) == len(OTHER):
            self._streams.pop(stream.number, None)

    def _message(
        self, stream: Http2Stream, sender: Sender, message: StreamMessage, *, switches: bool = False
    ) -> ParsedMessage:
        raw = bytes(message.raw)
        inner, _ = http2.without_framing(raw)
        content = inner[message.head_size : len(inner) - message.trailer_size]
        return ParsedMessage(
            message.kind, sender, self._oldest(sender, message.begin), raw, message.head, content,
            len(inner) - len(content), message.head_size, stream.method if message.kind == "response" else None,
            switches, OnStream(stream.number, (), message.head_size, message.trailers), message.places,
        )  # fmt: skip

    def _oldest(self, sender: Sender, start: int) -> int:
        """Where the oldest message of a sender begins that is under way, or this one."""
        begins = (stream.sides[sender].begin for stream in self._streams.values() if sender in stream.sides)
        return min((start, *(begin for begin in begins if begin is not None)))


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


def _refusal(message: str, field: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=0, field=field, section=f"RFC 9113, {section}", status_code=None)
