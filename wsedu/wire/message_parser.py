# SPDX-License-Identifier: GPL-2.0-or-later
"""What every kind of message has in common for a reader: bytes of one direction go in, whole messages come out.

A parser has three members: ``begun``, whether it is certain that the bytes are of its kind; ``next_message``, which
takes a message as soon as it is whole; and ``unfinished``, what is there of one that is not. That of WebSocket frames
is here: their header says how long the payload is, and nothing stands between them (RFC 6455, 5.2). Those of HTTP are
in ``http1_parser.py`` and ``http2_parser.py``; what a request and its response mean for the bytes that follow, in
``exchange.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from ..protocol.deflate import DeflateParameters
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import apply_mask, check_header, parse_header
from ..protocol.http1 import Fields, Request, Response
from ..protocol.http2 import Framing
from .codings import CompressedDirection

Sender = Literal["client", "server"]
Packets = tuple[int, ...]  # indices into the capture
OTHER: dict[Sender, Sender] = {"client": "server", "server": "client"}


class OnStream(NamedTuple):
    """What a message of HTTP/2 has beside one of HTTP/1.1."""

    stream: int
    framing: Sequence[Framing]  # in its midst, which is not in ``raw``; the first of it at its beginning
    field_block: bytes = b""
    trailer_block: bytes = b""
    trailers: Fields = ()  # what that says

    def places(self, size: int) -> Iterator[tuple[int, int]]:
        """Where in the connection stand the framing and the ``size`` bytes of the message, in order: starts, ends."""
        for one, following in pairwise((*self.framing, Framing(size, b""))):
            yield one.at, one.at + len(one.raw) + following.place - one.place


class ParsedMessage(NamedTuple):
    """A message, as bytes of its direction."""

    kind: Literal["request", "response", "frame"]
    sender: Sender
    start: int  # place of its first byte in the stream; in HTTP/2 no message before that is under way
    raw: bytes
    head: Request | Response | None
    content: bytes  # without transfer codings; of a frame the unmasked payload
    framing_size: int  # bytes of ``raw`` that are a head, a frame header or the framing of chunks; the rest is content
    head_size: int = 0  # bytes of the HTTP head alone
    request_method: str | None = None  # of a response, that of the request it answers
    switches: bool = False  # another protocol begins behind it
    on_stream: OnStream | None = None
    scope: Incoming | None = None  # from where it comes, if not from the connection itself


class Unfinished(NamedTuple):
    """As much as is there of a message that is not complete."""

    kind: Literal["request", "response", "frame"]
    there: int  # bytes
    size: int | None  # bytes it would have, if that is known
    framing_size: int  # of those that are there, as in ParsedMessage
    stream: int | None = None


class Spent(NamedTuple):
    """Bytes of which it is known before a message is complete, or without any, what they were spent on."""

    part: str  # of the bill
    size: int
    before: str = "other"  # the part where they were counted until now


class Remark(NamedTuple):
    """What is to be said of a connection that goes on."""

    reason: str
    text: str


class Incoming:
    """The bytes of one direction that no message has taken yet.

    Attributes:
        sender: whose they are.
        start: place of the first of them in the stream.
        ended: no further byte will come.
        closed: because the sender closed the connection, and everything before that is there.
        agreed: what holds of permessage-deflate.
        inflates: the messages, once one may be compressed.
    """

    __slots__ = ("agreed", "buffer", "closed", "ended", "inflates", "sender", "start")

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.buffer = bytearray()
        self.start = 0
        self.ended = self.closed = False
        self.agreed: DeflateParameters | None = None
        self.inflates: CompressedDirection | None = None

    def take(self, size: int) -> bytes:
        """The first ``size`` bytes, which are gone from here then."""
        # By way of a memoryview, since a slice of a bytearray is a copy, and bytes() of it is one more.
        raw = bytes(memoryview(self.buffer)[:size])
        del self.buffer[:size]
        self.start += size
        return raw


class FrameParser:
    """Finds the frames of one direction, whatever rules they break, as long as their lengths can be read."""

    begun = True  # frames follow a handshake, and whatever comes then is one

    def next_message(self, source: Incoming) -> ParsedMessage | None:
        """Take the next frame; ``None`` if it is not complete. ``ProtocolError``: where it ends cannot be read."""
        try:
            header = parse_header(source.buffer)
        except NeedMoreData:
            return None
        size = header.size + header.payload_length
        if len(source.buffer) < size:
            return None
        start, raw = source.start, source.take(size)
        # A view: a slice of bytes would be a copy of what is about to be copied.
        view, mask = memoryview(raw)[header.size :], header.masking_key
        payload = bytes(view) if mask is None else apply_mask(view, mask)
        return ParsedMessage("frame", source.sender, start, raw, None, payload, header.size)

    def unfinished(self, source: Incoming) -> Unfinished:
        """What is there of a frame."""
        there = len(source.buffer)
        try:
            header = parse_header(source.buffer)
        except NeedMoreData:
            return Unfinished("frame", there, None, there)
        return Unfinished("frame", there, header.size + header.payload_length, header.size)


def may_begin_frames(data: bytes, sender: Sender) -> bool:
    """Whether frames may begin where a segment does, inside a connection of which the capture lacks the beginning.

    Bytes of a payload look like a legal header once in twenty times. So the frames have to end with the segment, but
    for one so long that its length takes more than 7 bits.
    """
    at, long = 0, False
    while at < len(data):
        try:
            check_header(data[at : at + 14], role=sender, rsv1=True)
            header = parse_header(data, at)
        except NeedMoreData:
            return at > 0
        except ProtocolError:
            return False
        at += header.size + header.payload_length
        long = header.length_form > 7
    return at == len(data) or long
