# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames of HTTP/2: split, and what each of their bytes says (RFC 9113, 4 and 6).

On one connection many requests and responses are under way at a time, each on a stream of its own, and all of them in
frames. A frame is a header of nine bytes, and a payload that its type gives a form::

    00 00 1d    length: 29 bytes of payload
    01          type: HEADERS
    05          flags: END_STREAM, END_HEADERS
    00 00 00 01 stream 1
    82 86 ...   what was a start line and field lines in HTTP/1.1, compressed (see ``hpack``)

So the bytes of one message have frame headers in their midst, and other messages between them. ``with_framing`` puts
the former back where they were.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

from .errors import Data, NeedMoreData, ProtocolError
from .spans import Kind, Span, part_of

# RFC 9113, 3.4: what a client sends first. It reads as a request of HTTP/1.1 that no server knows.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_SIZE = 9


class Http2Type(IntEnum):
    """What a frame is for; whoever does not know a type ignores its frames (RFC 9113, 5.5)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


# Flags. The same bit means another thing in another type of frame.
END_STREAM = ACK = 0x01
END_HEADERS, PADDED, PRIORITY_FLAG = 0x04, 0x08, 0x20

ERRORS = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
    "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
)  # fmt: skip
HEADER_TABLE_SIZE = 1
# RFC 9113, 6.5.2; 8 is of RFC 8441, 3, and 9 of RFC 9218, 2.1.
SETTINGS = {
    HEADER_TABLE_SIZE: ("SETTINGS_HEADER_TABLE_SIZE", "bytes of your fields that I remember (HPACK)"),
    2: ("SETTINGS_ENABLE_PUSH", "whether you may push"),
    3: ("SETTINGS_MAX_CONCURRENT_STREAMS", "streams that you may have open at a time"),
    4: ("SETTINGS_INITIAL_WINDOW_SIZE", "bytes of content that you may send on a stream at first"),
    5: ("SETTINGS_MAX_FRAME_SIZE", "bytes of payload that your frames may have"),
    6: ("SETTINGS_MAX_HEADER_LIST_SIZE", "bytes of fields that I take in one message"),
    8: ("SETTINGS_ENABLE_CONNECT_PROTOCOL", "1: a WebSocket may be opened on a stream"),
    9: ("SETTINGS_NO_RFC7540_PRIORITIES", "1: PRIORITY frames are ignored"),
}


class Layout(NamedTuple):
    """What a type of frame has behind the header."""

    flags: dict[int, tuple[str, str]]  # by bit: name and meaning
    fields: tuple[tuple[int, str, str], ...]  # of fixed size: bytes, name, meaning
    rest: tuple[str, str, Kind]  # what follows them: name, meaning, kind


_ENDS = {END_STREAM: ("END_STREAM", "the sender's last frame on this stream")}
_ACK = {ACK: ("ACK", "answers a frame of the other side")}
_BLOCK = {END_HEADERS: ("END_HEADERS", "the field block ends in this frame; else CONTINUATION follows")}
_PADDED = {PADDED: ("PADDED", "padding, to hide how long it is")}
_BEFORE = {PRIORITY_FLAG: ("PRIORITY", "five bytes of priority stand before the field block")}
_FRAGMENT = ("field block fragment", "fields, compressed with HPACK", Kind.HTTP_HEAD)
_NOTHING = ("payload", "not defined", Kind.FRAME_HEADER)
_ERROR = (4, "error code", "")
# RFC 9113, 5.3: priorities were more than anybody made use of, and are ignored now.
_PRIORITY = (5, "priority", "deprecated, and ignored")
_PROMISED = (4, "promised stream identifier", "the response will come on this stream")
_LAYOUTS: dict[int, Layout] = {
    Http2Type.DATA: Layout(_ENDS | _PADDED, (), ("content", "content of the message", Kind.CONTENT)),
    Http2Type.HEADERS: Layout(_ENDS | _BLOCK | _PADDED | _BEFORE, (), _FRAGMENT),
    Http2Type.PRIORITY: Layout({}, (_PRIORITY,), _NOTHING),
    Http2Type.RST_STREAM: Layout({}, (_ERROR,), _NOTHING),
    Http2Type.SETTINGS: Layout(_ACK, (), _NOTHING),
    Http2Type.PUSH_PROMISE: Layout(_BLOCK | _PADDED, (_PROMISED,), _FRAGMENT),
    Http2Type.PING: Layout(_ACK, (), ("opaque data", "the answer repeats it", Kind.FRAME_HEADER)),
    Http2Type.GOAWAY: Layout(
        {}, ((4, "last stream identifier", "later streams were not processed"), _ERROR),
        ("additional debug data", "for people", Kind.FRAME_HEADER),
    ),
    Http2Type.WINDOW_UPDATE: Layout({}, ((4, "window size increment", "bytes of content more may be sent"),), _NOTHING),
    Http2Type.CONTINUATION: Layout(_BLOCK, (), _FRAGMENT),
}  # fmt: skip
_UNKNOWN = Layout({}, (), _NOTHING)


class Http2Header(NamedTuple):
    """The first nine bytes of a frame."""

    length: int  # bytes of payload
    type: int
    flags: int
    stream: int  # 0 for what concerns the connection

    @property
    def layout(self) -> Layout:
        """What a frame of its type has behind the header."""
        return _LAYOUTS.get(self.type, _UNKNOWN)

    def has(self, flag: int) -> bool:
        """Whether the flag is set, and means something in a frame of this type."""
        return bool(self.flags & flag) and flag in self.layout.flags


def parse_http2_header(data: Data, at: int = 0) -> Http2Header:
    """The frame header that begins at byte ``at`` (RFC 9113, 4.1).

    Raises:
        NeedMoreData: fewer than nine bytes are there.
    """
    raw = data[at : at + HEADER_SIZE]
    if len(raw) < HEADER_SIZE:
        raise NeedMoreData
    # The first of the last 32 bits is reserved, and ignored by whoever receives it.
    stream = int.from_bytes(raw[5:], "big") & 0x7FFFFFFF
    return Http2Header(int.from_bytes(raw[:3], "big"), raw[3], raw[4], stream)


def carried(frame: Data) -> tuple[int, int]:
    """From where to where in a whole frame its content stands, or its fragment of a field block; others have none.

    Raises:
        ProtocolError: the padding is longer than the payload.
    """
    header = parse_http2_header(frame)
    if header.layout.rest[2] is Kind.FRAME_HEADER:
        return len(frame), len(frame)
    start = HEADER_SIZE + sum(size for size, *_ in _fields(header, b""))
    end = len(frame) - (frame[HEADER_SIZE] if header.has(PADDED) and header.length else 0)
    if end < start:
        # "If the length of the padding is the length of the frame payload or greater, the recipient MUST treat this as
        # a connection error".
        message = f"padding and what stands before it do not fit into {header.length:,} bytes of payload"
        raise ProtocolError(message, offset=HEADER_SIZE, field="Pad Length", section="RFC 9113, 6.1", status_code=None)
    return start, end


def settings(frame: bytes, identifier: int) -> list[int]:
    """The values that a SETTINGS frame has for one of them (RFC 9113, 6.5.1)."""
    pairs = struct.iter_unpack("!HI", frame[HEADER_SIZE : len(frame) - (len(frame) - HEADER_SIZE) % 6])
    return [value for number, value in pairs if number == identifier]


def error_name(code: int) -> str:
    """The name of an error code in RST_STREAM and GOAWAY (RFC 9113, 7)."""
    return ERRORS[code] if code < len(ERRORS) else f"error {code}"


def http2_frame_spans(data: Data) -> list[Span]:
    """What each byte of one frame is, in order; of as much of it as is there.

    Args:
        data: a frame as it was on the wire. Field blocks are not looked into, as only the whole of one can be read.
    """
    data = bytes(data)
    try:
        header = parse_http2_header(data)
    except NeedMoreData:
        return [_span(0, data, "rest of the frame header", data, "as far as it is there", "RFC 9113, 4.1")] * bool(data)
    spans = _header_spans(data, header)
    payload = data[HEADER_SIZE : HEADER_SIZE + header.length]
    section = f"RFC 9113, 6.{header.type + 1}" if header.type in _LAYOUTS else "RFC 9113, 5.5"
    at = HEADER_SIZE
    for size, name, meaning in _fields(header, payload):
        if raw := payload[at - HEADER_SIZE :][:size]:
            value = int.from_bytes(raw, "big")
            says = error_name(value) if name == "error code" else meaning
            spans.append(_span(at, raw, name, value, says, section))
            at += len(raw)
    padding = payload[0] if header.has(PADDED) and payload else 0
    content_end = max(at, HEADER_SIZE + header.length - padding)
    for end, name, meaning, kind in (content_end, *header.layout.rest), (len(data), "padding", "zeros", _NOTHING[2]):
        if raw := payload[at - HEADER_SIZE : end - HEADER_SIZE]:
            spans.append(Span(at, at + len(raw), name, raw, meaning, kind, section))
            at += len(raw)
    return spans


def _fields(header: Http2Header, payload: bytes) -> Iterator[tuple[int, str, str]]:
    """The fields of fixed size with which a payload begins; it itself matters only to SETTINGS."""
    if header.has(PADDED):
        yield 1, "Pad Length", "bytes of padding at the end"
    if header.has(PRIORITY_FLAG):
        yield _PRIORITY
    yield from header.layout.fields
    if header.type == Http2Type.SETTINGS:
        for at in range(0, len(payload), 6):
            number = int.from_bytes(payload[at : at + 2], "big")
            name, meaning = SETTINGS.get(number, (f"setting {number}", "unknown, and ignored"))
            yield 2, "identifier", name
            yield 4, name, meaning


def _span(
    at: int, raw: bytes, name: str, value: object, meaning: str, section: str, bits: tuple[int, int] | None = None
) -> Span:
    return Span(at, at + len(raw), name, value, meaning, Kind.FRAME_HEADER, section, bits)


def _header_spans(data: bytes, header: Http2Header) -> list[Span]:
    section = "RFC 9113, 4.1"
    kind = Http2Type(header.type).name if header.type in _LAYOUTS else f"type {header.type}, unknown"
    spans = [
        _span(0, data[:3], "length", header.length, f"{header.length:,} bytes of payload", section),
        _span(3, data[3:4], "type", header.type, kind, "RFC 9113, 6"),
    ]
    unused = "unused flags", "without a meaning here"
    for (name, meaning), bits in groupby(range(8), lambda bit: header.layout.flags.get(0x80 >> bit, unused)):
        first, *_ = run = [*bits]
        value = header.flags >> 8 - first - len(run) & (1 << len(run)) - 1
        says = meaning if value or name == unused[0] else "not set"
        spans.append(_span(4, data[4:5], name, value, says, section, (first, first + len(run))))
    # RFC 9113, 5.1.1: streams of the client have odd numbers, and those that a server pushes have even ones.
    opened = f"stream {header.stream}, opened by the {'client' if header.stream % 2 else 'server'}"
    meaning = f"{opened}; the first bit is reserved" if header.stream else "0: the connection as a whole"
    return [*spans, _span(5, data[5:9], "stream identifier", header.stream, meaning, section)]


# A message, and the framing in its midst


class Framing(NamedTuple):
    """Bytes of framing in the midst of a message."""

    place: int  # how many bytes of the message stand before them
    raw: bytes  # a frame header, and what belongs to it before the message goes on; or padding
    at: int = 0  # their place in the connection, of the first
    padding: bool = False


def with_framing(message: bytes, framing: Iterable[Framing]) -> bytes:
    """The bytes of a message as they were on the wire, those of other streams left out."""
    pieces, before = list[bytes](), 0
    for place, raw, *_ in framing:
        pieces += message[before:place], raw
        before = place
    return b"".join((*pieces, message[before:]))


def spans_with_framing(spans: Sequence[Span], framing: Iterable[Framing]) -> list[Span]:
    """What each byte of ``with_framing`` is. What framing cuts in two is told in two parts.

    Args:
        spans: of the message without framing.
        framing: in order.
    """
    told, before, moved = list[Span](), 0, 0
    end = Framing(max((span.end for span in spans), default=0), b"")
    for place, raw, _, padding in (*framing, end):
        told += part_of(spans, before, place, before + moved)
        parts = [_span(0, raw, "padding", raw, "zeros", "RFC 9113, 6.1")] if padding else http2_frame_spans(raw)
        told += [span.shifted(place + moved) for span in parts]
        before, moved = place, moved + len(raw)
    return told
